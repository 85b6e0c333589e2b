"""Smooth random fields: the texture of chromatin, plasma and stain."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Field: TypeAlias = npt.NDArray[np.float32]
"""float32[y, x]."""


def band_noise(
    shape: tuple[int, int], wavelength: float, rng: np.random.Generator
) -> Field:
    """Return noise of one length scale, zero mean, unit standard deviation.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    wavelength : float
        Typical distance between two dark spots, pixels, >= 2.
    rng : numpy.random.Generator
        Chance.

    Returns
    -------
    float32[y, x]
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    sigma = max(wavelength, 2.0) / 5.0
    fine = gaussian_filter(white, sigma, mode="wrap")
    band = fine - gaussian_filter(fine, 1.6 * sigma, mode="wrap")
    return np.asarray(band / (band.std() + 1e-6), dtype=np.float32)


def clumps(noise: Field, softness: float = 0.6) -> Field:
    """Push noise towards two plateaus in -1..1, as chromatin and its gaps."""
    return np.asarray(np.tanh(noise / softness), dtype=np.float32)


class WorldField:
    """A slow random field over the whole slide, the same whatever tile is asked for.

    Parameters
    ----------
    wavelength_um : float
        Typical length, micrometres.
    rng : numpy.random.Generator
        Chance.
    """

    def __init__(self, wavelength_um: float, rng: np.random.Generator) -> None:
        angle = rng.uniform(0, 2 * np.pi, 8)
        length = wavelength_um * rng.uniform(0.6, 2.0, 8)
        self._waves = np.stack([np.cos(angle), np.sin(angle)]) * (2 * np.pi / length)
        self._phase = rng.uniform(0, 2 * np.pi, 8)

    def at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the field, about -1..1, at points in micrometres."""
        x, y = (
            np.asarray(x, np.float64)[..., None],
            np.asarray(y, np.float64)[..., None],
        )
        waves = np.cos(x * self._waves[0] + y * self._waves[1] + self._phase)
        return np.asarray(waves.sum(axis=-1) / 4.0)

    def image(
        self, origin: tuple[int, int], shape: tuple[int, int], mpp: float
    ) -> Field:
        """Return float32[y, x] for a tile at ``origin`` (x, y) of ``shape`` pixels."""
        y = (origin[1] + np.arange(shape[0], dtype=np.float32) + 0.5) * mpp
        x = (origin[0] + np.arange(shape[1], dtype=np.float32) + 0.5) * mpp
        total = np.zeros(shape, np.float32)
        for (kx, ky), phase in zip(self._waves.T, self._phase, strict=True):
            # cos(a + b) by its two products: 2 small vectors instead of a large grid.
            a, b = (kx * x + phase).astype(np.float32), (ky * y).astype(np.float32)
            total += np.outer(np.cos(b), np.cos(a)) - np.outer(np.sin(b), np.sin(a))
        return total / np.float32(4.0)
