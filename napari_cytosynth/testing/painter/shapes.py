"""Contours as level functions: positive inside, zero on the contour, micrometres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.testing.painter.noise import Field, band_noise


@dataclass(frozen=True, slots=True)
class Grid:
    """A small canvas around one object.

    Parameters
    ----------
    x, y : float32[h, w]
        Micrometres from the object's centre, at pixel centres.
    mpp : float
        Micrometres a pixel.
    """

    x: Field
    y: Field
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.x.shape[0], self.x.shape[1]

    def noise(self, wavelength_um: float, rng: np.random.Generator) -> Field:
        """Return :func:`band_noise` of a wavelength in micrometres."""
        return band_noise(self.shape, wavelength_um / self.mpp, rng)

    def warped(
        self, amount_um: float, wavelength_um: float, rng: np.random.Generator
    ) -> Grid:
        """Return the canvas pulled about smoothly, so that no contour is a circle."""
        dx, dy = self.noise(wavelength_um, rng), self.noise(wavelength_um, rng)
        return Grid(self.x + amount_um * dx, self.y + amount_um * dy, self.mpp)

    def moved(self, dx: float, dy: float) -> Grid:
        """Return the canvas seen from the point (dx, dy)."""
        return Grid(self.x - np.float32(dx), self.y - np.float32(dy), self.mpp)

    def turned(self, angle: float) -> Grid:
        """Return the canvas turned by ``angle`` radians."""
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return Grid(c * self.x + s * self.y, c * self.y - s * self.x, self.mpp)


def grid(half_um: float, mpp: float, offset: tuple[float, float] = (0.0, 0.0)) -> Grid:
    """Return a square canvas of +- ``half_um``, its centre shifted by ``offset``.

    The offset is the sub-pixel part of the object's place, pixels, each in 0..1.
    """
    n = int(np.ceil(half_um / mpp))
    steps = np.arange(-n, n + 1, dtype=np.float32) + np.float32(0.5)
    x = (steps - np.float32(offset[0])) * np.float32(mpp)
    y = (steps - np.float32(offset[1])) * np.float32(mpp)
    gx, gy = np.meshgrid(x, y)
    return Grid(gx, gy, mpp)


def smooth(level: Field, width_um: float) -> Field:
    """Return opacity 0..1 across a contour whose edge is ``width_um`` wide."""
    t = np.clip(level / np.float32(width_um) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def ellipse(
    g: Grid, a: float, b: float, wobble: Sequence[tuple[float, float]]
) -> Field:
    """Return the level of an ellipse with radii ``a``, ``b`` and bumps.

    ``wobble`` holds (amplitude, phase) of the harmonics 2, 3, ...; amplitudes are
    shares of the radius.
    """
    radius = np.hypot(g.x / np.float32(a), g.y / np.float32(b))
    angle = np.arctan2(g.y, g.x)
    edge = np.ones_like(radius)
    for order, (amplitude, phase) in enumerate(wobble, start=2):
        edge += np.float32(amplitude) * np.cos(order * angle + np.float32(phase))
    return np.asarray((edge - radius) * np.float32((a * b) ** 0.5), dtype=np.float32)


def wobble(
    strength: float, orders: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Draw harmonics for :func:`ellipse`; higher ones are weaker."""
    return [
        (strength * float(rng.normal()) / (order + 1), float(rng.uniform(0, 6.28)))
        for order in range(1, orders + 1)
    ]


def beads(
    g: Grid, points: npt.NDArray[np.floating], radii: npt.NDArray[np.floating]
) -> Field:
    """Return the level of discs that melt into one another: lobes and their bridges.

    Parameters
    ----------
    g : Grid
        Canvas.
    points : float[k, 2]
        Centres x, y in micrometres.
    radii : float[k]
        Micrometres.
    """
    sharpness = np.float32(9.0)
    total = np.zeros(g.shape, np.float32)
    for (px, py), r in zip(points, radii, strict=True):
        level = np.float32(r) - np.hypot(g.x - np.float32(px), g.y - np.float32(py))
        total += np.exp(np.clip(sharpness * level, -60, 60))
    # Neighbouring discs of a chain would swell one another by log(overlaps).
    swell = np.float32(np.log(3.0)) / sharpness
    return np.asarray(np.log(total + 1e-20) / sharpness - swell, dtype=np.float32)


def both(first: Field, second: Field) -> Field:
    """Return the level of the part that two shapes share, with rounded corners."""
    d = first - second
    root = np.sqrt(d * d + np.float32(0.15))
    return np.asarray((first + second - root) / 2, dtype=np.float32)


def cut(g: Grid, level: Field, sides: Sequence[tuple[float, float, float]]) -> Field:
    """Flatten a shape where its neighbours press.

    Each side is (nx, ny, distance): unit direction to the neighbour, and how far away
    the common border lies, micrometres.
    """
    for nx, ny, distance in sides:
        plane = np.float32(distance) - g.x * np.float32(nx) - g.y * np.float32(ny)
        level = both(level, plane)
    return level
