"""What a crop looks like in fifteen numbers, and matching one stain to another.

Colours are CIE Lab (D65), in which equal steps look equal; the transfer of means and
spreads follows Reinhard et al. 2001, doi 10.1109/38.946629.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Crops = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

DESCRIPTOR_SIZE = 15
"""Length of the vector that :func:`describe` returns."""

_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_KNEE = 6.0 / 29.0


@dataclass(frozen=True, slots=True)
class Stain:
    """Colour of a set of crops.

    Parameters
    ----------
    mean, spread : float64[3]
        Mean and standard deviation of L (0..100), a and b over all pixels.
    """

    mean: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def of(cls, crops: Crops) -> Stain:
        """Measure ``uint8[n, y, x, 3]``; every fourth pixel is enough."""
        lab = rgb_to_lab(crops[:, ::2, ::2]).reshape(-1, 3)
        return cls(lab.mean(axis=0), lab.std(axis=0))

    @classmethod
    def mix(cls, parts: Sequence[Stain], shares: Sequence[float]) -> Stain:
        """Return the stain of a mixture; ``shares`` need not sum to 1."""
        weight = np.asarray(shares, np.float64) / np.sum(shares)
        means = np.stack([part.mean for part in parts])
        power = np.stack([part.spread**2 + part.mean**2 for part in parts])
        mean = weight @ means
        return cls(mean, np.sqrt(np.maximum(weight @ power - mean**2, 0)))


@dataclass(frozen=True, slots=True)
class StainShift:
    """A change of stain: ``lab * gain + shift``.

    Parameters
    ----------
    gain, shift : float64[3]
        For L, a and b.
    cells : int
        Real cells that it was measured on.
    moved : tuple of float
        By how much the mean colour changes: L, a and b.
    """

    gain: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    cells: int = 0
    moved: tuple[float, ...] = (0.0, 0.0, 0.0)

    @classmethod
    def none(cls) -> StainShift:
        """Return the shift that changes nothing."""
        return cls(np.ones(3), np.zeros(3))

    @classmethod
    def between(cls, source: Stain, target: Stain, cells: int) -> StainShift:
        """Return the shift from one stain to another, timid where cells are few.

        Parameters
        ----------
        source, target : Stain
            Colour that pictures have as a set, and that they shall have. The spread
            changes by a factor of two at most either way.
        cells : int
            Real cells behind ``target``; five of them go half of the way.
        """
        trust = cells / (cells + 5)
        gain = np.clip(target.spread / np.maximum(source.spread, 1e-6), 0.5, 2.0)
        gain = 1 + trust * (gain - 1)
        moved = trust * (target.mean - source.mean)
        shift = moved + source.mean * (1 - gain)
        return cls(gain, shift, cells, tuple(moved.tolist()))

    def inverse(self) -> StainShift:
        """Return the shift back."""
        moved = tuple(-m for m in self.moved)
        return StainShift(1 / self.gain, -self.shift / self.gain, self.cells, moved)

    def apply(self, crops: Crops) -> Crops:
        """Return ``uint8[n, y, x, 3]`` in the other stain."""
        if not self.cells:
            return crops
        return lab_to_rgb(rgb_to_lab(crops) * self.gain + self.shift)

    def to_json(self) -> dict[str, object]:
        """Return a JSON-able record for the provenance."""
        return {
            "gain": [round(float(g), 3) for g in self.gain],
            "shift": [round(float(s), 2) for s in self.shift],
            "cells": self.cells,
            "moved": [round(m, 2) for m in self.moved],
        }


def rgb_to_lab(rgb: Crops) -> npt.NDArray[np.float64]:
    """Convert sRGB ``uint8[..., 3]`` to CIE Lab ``float64[..., 3]``."""
    s = rgb.astype(np.float64) / 255.0
    linear = np.where(s > 0.04045, ((s + 0.055) / 1.055) ** 2.4, s / 12.92)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4.0 / 29.0)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: npt.NDArray[np.float64]) -> Crops:
    """Convert CIE Lab ``float64[..., 3]`` to sRGB ``uint8[..., 3]``, clipped."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4.0 / 29.0)) * _WHITE
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    s = np.where(
        linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92
    )
    rgb: Crops = np.rint(np.clip(s, 0, 1) * 255).astype(np.uint8)
    return rgb


def describe(crops: Crops) -> Floats:
    """Describe each crop by fifteen numbers.

    Parameters
    ----------
    crops : uint8[n, y, x, 3]
        Square crops of an even side, the cell in the middle.

    Returns
    -------
    float32[n, 15]
        Lab of the background (3), mean (3) and spread (3) over the crop; of the dark
        region within two thirds of the crop (the nucleus): share of the crop, mean Lab
        (3), elongation 0..1 and compactness (1 for a disc).
    """
    if not len(crops):
        return np.zeros((0, DESCRIPTOR_SIZE), np.float32)
    return np.stack([_describe_one(crop) for crop in crops])


def _describe_one(crop: Crops) -> Floats:
    half = crop.shape[0] // 2
    small = crop.reshape(half, 2, half, 2, 3).mean(axis=(1, 3))
    lab = rgb_to_lab(np.rint(small).astype(np.uint8))
    light = lab[..., 0]
    bright = lab[light >= np.quantile(light, 0.8)].mean(axis=0)
    dark = (light < 0.6 * bright[0]) & _disc(light.shape[0], 1 / 3)
    values = [*bright, *lab.mean(axis=(0, 1)), *lab.std(axis=(0, 1))]
    return np.array([*values, *_shape_of(dark, lab)], dtype=np.float32)


def _shape_of(mask: npt.NDArray[np.bool_], lab: npt.NDArray[np.float64]) -> list[float]:
    """Share, mean Lab, elongation and compactness of a region; neutral if tiny."""
    if mask.sum() < 8:
        return [float(mask.mean()), *lab.mean(axis=(0, 1)), 0.0, 1.0]
    at = np.argwhere(mask).astype(np.float64)
    low, high = np.linalg.eigvalsh(np.cov(at.T) + np.eye(2) / 12)
    disc_variance = mask.sum() / (4 * np.pi)
    return [
        float(mask.mean()),
        *lab[mask].mean(axis=0),
        float(1 - np.sqrt(low / high)),
        float(disc_variance / np.sqrt(low * high)),
    ]


def _disc(size: int, radius: float) -> npt.NDArray[np.bool_]:
    axis = (np.arange(size) + 0.5) / size - 0.5
    return np.hypot(axis[:, None], axis[None, :]) <= radius
