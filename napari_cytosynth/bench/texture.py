"""Whether painted cells can be told from real ones by simple texture alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from napari_cytosynth.core.protocols import Crops

_BANDS = 10
_FOLDS = 5

Floats = npt.NDArray[np.float64]


def texture(crops: Crops) -> Floats:
    """Describe texture: spectrum, tails of fine detail, and how it is spread.

    Log power in ten bands, kurtosis of the Laplacian, and three quantiles of the local
    standard deviation, each of brightness and of red against green.

    Returns
    -------
    float64[n, 28]
    """
    values = crops.astype(np.float64)
    channels = np.stack([values.mean(-1), values[..., 0] - values[..., 1]], 1)
    window = np.hanning(crops.shape[1])
    centred = channels - channels.mean((2, 3), keepdims=True)
    power = np.abs(np.fft.fft2(centred * np.outer(window, window))) ** 2
    step = np.fft.fftfreq(crops.shape[1])
    band = np.minimum((np.hypot(step[:, None], step) * 20).astype(int), _BANDS - 1)
    parts = [power[..., band == b].mean(-1) for b in range(_BANDS)]
    bands = np.log(np.stack(parts, -1) + 1).reshape(len(crops), -1)
    return np.concatenate([bands, *(_local(c) for c in np.moveaxis(channels, 1, 0))], 1)


def _local(channel: Floats) -> Floats:
    """Return kurtosis and local spread of ``float64[n, y, x]``, ``float64[n, 4]``."""
    fine = np.stack([ndimage.laplace(c) for c in channel]).reshape(len(channel), -1)
    mean = np.stack([ndimage.uniform_filter(c, 3) for c in channel])
    square = np.stack([ndimage.uniform_filter(c**2, 3) for c in channel])
    local = np.sqrt(np.maximum(square - mean**2, 0)).reshape(len(channel), -1)
    spread = np.quantile(local, (0.1, 0.5, 0.9), axis=1).T
    return np.column_stack([stats.kurtosis(fine, axis=1), np.log(spread + 1)])


def texture_scores(real: Crops, made: Crops) -> Floats:
    """Return how sure a logistic regression is that each crop is painted.

    Each is judged by a model of four fifths of the others.

    Returns
    -------
    float64[n + m]
        0..1, real crops first.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([texture(real), texture(made)])
    y = np.repeat([0, 1], [len(real), len(made)])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    order = np.random.default_rng(0).permutation(len(x))
    p = cross_val_predict(model, x[order], y[order], cv=_FOLDS, method="predict_proba")
    scores = np.empty(len(x))
    scores[order] = p[:, 1]
    return scores


def texture_auc(real: Crops, made: Crops) -> float:
    """Return the area under the curve of :func:`texture_scores`; 0.5: cannot tell."""
    scores = texture_scores(real, made)
    return area(scores[: len(real)], scores[len(real) :])


def area(low: Floats, high: Floats) -> float:
    """Return the share of pairs of which the second scores higher; ties are half."""
    higher = (high[:, None] > low).mean()
    return float(higher + (high[:, None] == low).mean() / 2)
