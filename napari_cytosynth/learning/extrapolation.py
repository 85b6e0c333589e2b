"""Carries learning curves on by an inverse power law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_EXPONENTS = (0.25, 0.5, 0.75, 1.0, 1.5)


def carried_on(sizes: Floats, values: Floats, at: Floats) -> Floats:
    """Return where curves ``a - b n^-c`` through these values lead.

    Parameters
    ----------
    sizes : float64[s]
        Labels, > 0; larger ones weigh more, as they are nearer to what is asked.
    values : float64[b, s]
        One curve a row, 0..1.
    at : float64[m]
        Labels asked for.

    Returns
    -------
    float64[b, m]
        Means over the exponents ``c`` from 0.25 to 1.5, weighted by how well each fits;
        within 0..1.
    """
    weights = sizes / sizes.sum()
    found, misfits = [], []
    for exponent in _EXPONENTS:
        x, far = sizes**-exponent, at**-exponent
        middle, mean = weights @ x, values @ weights
        spread = weights @ (x - middle) ** 2
        slope = (values - mean[:, None]) @ (weights * (x - middle)) / spread
        line = mean[:, None] + slope[:, None] * (x - middle)
        misfits.append(((values - line) ** 2) @ weights)
        found.append(mean[:, None] + slope[:, None] * (far - middle))
    # As likely as normal errors of the size that the best of them leaves make it.
    misfit = np.stack(misfits)
    scale = np.maximum(misfit.min(axis=0), 1e-6)
    trust = np.exp(-0.5 * len(sizes) * (misfit - misfit.min(axis=0)) / scale)
    trust /= trust.sum(axis=0)
    joined: Floats = np.einsum("cb,cbm->bm", trust, np.stack(found))
    return np.clip(joined, 0.0, 1.0)
