"""Measures scale and stain once a smear, so that any tiling finds the same cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_multiotsu

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import Calibration, MppSource, SmearImage
from napari_cytosynth.ingest.scale import Scale, estimate_scale
from napari_cytosynth.ingest.stain import (
    RIM,
    Colour,
    Image32,
    estimate_background,
    optical_density,
    purple,
)

WINDOW = 1024
"""Side of the windows that are looked at, level-0 pixels; nine at most."""

DEFAULT_STAINS: tuple[Colour, Colour] = ((0.55, 0.80, 0.24), (0.30, 0.70, 0.65))
"""Nuclear dye, then red cells, where the picture does not show them."""

_DEFAULT_NUCLEUS = 0.5
_RANGE = (-0.2, 2.0)


def calibrate(image: SmearImage, mpp: float | None = None) -> Calibration:
    """Measure a smear's scale, background, stain and thresholds.

    Looks at up to nine windows at fixed places, so that the same picture always gives the
    same answer, whatever its size.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    mpp : float or None
        Micrometres a pixel that the user states; it overrules the file.

    Returns
    -------
    Calibration
        Its ``mpp`` comes from the user, else the file, else the red cells, else the
        nuclei, else a stated fallback.

    Raises
    ------
    InputError
        If ``mpp`` is not above 0, or the picture is damaged.
    """
    if mpp is not None and not (np.isfinite(mpp) and mpp > 0):
        raise InputError(
            f"A pixel cannot be {mpp} micrometres wide. Give a pixel size above 0; most "
            "smears are scanned at 0.1 to 0.5."
        )
    windows = sample_windows(image)
    background = estimate_background(
        np.concatenate([_flat(w) for w in windows], axis=1)
    )
    maps = [purple(w, background) for w in windows]
    thresholds = _thresholds(windows, maps)
    scale = _scale(image, mpp, windows, background, thresholds)
    return Calibration(
        mpp=scale.mpp,
        mpp_source=scale.source,
        background=background,
        stain_vectors=_stains(windows, maps, background, thresholds),
        thresholds=thresholds,
        confidence=scale.confidence,
    )


def sample_windows(image: SmearImage) -> list[npt.NDArray[np.uint8]]:
    """Return up to nine windows of level 0: uint8[<= 1024, <= 1024, 3]."""
    height, width = image.levels[0].shape[:2]
    ys, xs = _starts(height), _starts(width)
    h, w = min(height, WINDOW), min(width, WINDOW)
    return [image.read(x, y, w, h) for y in ys for x in xs]


def _starts(size: int) -> list[int]:
    if size <= WINDOW:
        return [0]
    if size <= 3 * WINDOW:
        return [0, size - WINDOW]
    return [int(size * share - WINDOW / 2) for share in (1 / 4, 1 / 2, 3 / 4)]


def _flat(window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return window


def _thresholds(
    windows: list[npt.NDArray[np.uint8]], maps: list[Image32]
) -> dict[str, float]:
    """Split the purple into glass and red cells, cytoplasm, and nuclei."""
    values = np.concatenate(
        [m[w.max(axis=-1) > RIM] for w, m in zip(windows, maps, strict=True)]
    ).clip(*_RANGE)
    if len(values) < 100 or np.ptp(values) < 0.1:
        return {"nucleus": _DEFAULT_NUCLEUS, "cytoplasm": _DEFAULT_NUCLEUS / 3}
    low, high = (float(v) for v in threshold_multiotsu(values, 3))
    rest = float(np.median(values[values < high]))
    return {"nucleus": high, "cytoplasm": rest + 0.35 * (high - rest), "red": low}


def _scale(
    image: SmearImage,
    mpp: float | None,
    windows: list[npt.NDArray[np.uint8]],
    background: Colour,
    thresholds: dict[str, float],
) -> Scale:
    if mpp is not None:
        return Scale(float(mpp), MppSource.USER, 1.0)
    if image.smear.mpp is not None:
        return Scale(image.smear.mpp, MppSource.METADATA, 0.95)
    return estimate_scale(windows, background, thresholds["nucleus"])


def _stains(
    windows: list[npt.NDArray[np.uint8]],
    maps: list[Image32],
    background: Colour,
    thresholds: dict[str, float],
) -> tuple[Colour, Colour]:
    """Return the median direction of density in nuclei, and in what is red."""
    nuclear, red = [], []
    for window, purple_map in zip(windows, maps, strict=True):
        density = optical_density(window, background)
        stained = (density.sum(axis=-1) > 0.15) & (window.max(axis=-1) > RIM)
        nucleus = purple_map > thresholds["nucleus"]
        nuclear.append(density[stained & nucleus])
        red.append(density[stained & (purple_map < thresholds["cytoplasm"])])
    return (
        _direction(np.concatenate(nuclear), DEFAULT_STAINS[0]),
        _direction(np.concatenate(red), DEFAULT_STAINS[1]),
    )


def _direction(density: npt.NDArray[np.float32], default: Colour) -> Colour:
    vector = np.median(density, axis=0) if len(density) >= 50 else np.array(default)
    vector = vector.clip(0, None).astype(np.float64)
    length = float(np.linalg.norm(vector))
    red, green, blue = vector / length if length > 0 else np.array(default)
    return float(red), float(green), float(blue)
