"""Decides what lies where on a field: crowding, touching cells, rafts of red cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.testing.painter.noise import WorldField


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of the slide to fill, micrometres.

    Parameters
    ----------
    x, y : float
        Left and top edge.
    width, height : float
        Size.
    """

    x: float
    y: float
    width: float
    height: float


def apportion(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """Split ``count`` by ``shares``, rounding to the largest remainders."""
    total = sum(shares.values())
    exact = {name: count * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    left = count - sum(counts.values())
    for name in sorted(exact, key=lambda n: counts[n] - exact[n])[:left]:
        counts[name] += 1
    return counts


class Places:
    """Discs on a plane, found fast by their neighbourhood.

    Parameters
    ----------
    reach : float
        No two discs further apart than this are ever neighbours, micrometres.
    """

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._bins: dict[tuple[int, int], list[int]] = {}
        self.x: list[float] = []
        self.y: list[float] = []
        self.radius: list[float] = []

    def __len__(self) -> int:
        return len(self.x)

    def add(self, x: float, y: float, radius: float) -> int:
        """Add a disc; return its number."""
        number = len(self.x)
        self.x.append(x)
        self.y.append(y)
        self.radius.append(radius)
        self._bins.setdefault(self._bin(x, y), []).append(number)
        return number

    def near(self, x: float, y: float) -> list[int]:
        """Return the numbers of all discs that may be within reach of a point."""
        column, row = self._bin(x, y)
        return [
            number
            for i in (column - 1, column, column + 1)
            for j in (row - 1, row, row + 1)
            for number in self._bins.get((i, j), ())
        ]

    def gap(self, x: float, y: float, radius: float) -> float:
        """Return the least distance between a disc's edge and all others'; may be < 0."""
        gaps = [
            float(np.hypot(self.x[i] - x, self.y[i] - y)) - radius - self.radius[i]
            for i in self.near(x, y)
        ]
        return min(gaps, default=np.inf)

    def _bin(self, x: float, y: float) -> tuple[int, int]:
        return int(x // self._reach), int(y // self._reach)


def pressing(
    places: Places, number: int, slack: float = 0.6
) -> list[tuple[float, float, float]]:
    """Return the sides on which neighbours flatten a disc, for :func:`shapes.cut`."""
    x, y, radius = places.x[number], places.y[number], places.radius[number]
    sides = []
    for other in places.near(x, y):
        dx, dy = places.x[other] - x, places.y[other] - y
        apart = float(np.hypot(dx, dy))
        if other == number or apart > (radius + places.radius[other]) * 1.25 + slack:
            continue
        border = (apart**2 + radius**2 - places.radius[other] ** 2) / (2 * apart)
        sides.append((dx / apart, dy / apart, border - 0.1))
    return sides


def scatter(
    extent: Extent,
    radii: npt.NDArray[np.floating],
    crowding: WorldField,
    rng: np.random.Generator,
    overlap: float = 0.8,
) -> Places:
    """Throw discs until each has found a place, more of them where it is crowded.

    Parameters
    ----------
    extent : Extent
        Where centres may lie.
    radii : float[n]
        Micrometres.
    crowding : WorldField
        High where cells gather.
    rng : numpy.random.Generator
        Chance.
    overlap : float
        Micrometres by which two discs may press into each other.
    """
    places = Places(2.0 * float(np.max(radii, initial=5.0)) + 2.0)
    for radius in radii:
        for attempt in range(400):
            x = extent.x + rng.uniform(0, extent.width)
            y = extent.y + rng.uniform(0, extent.height)
            wanted = 0.5 + 0.7 * float(crowding.at(x, y))
            if rng.random() > np.clip(wanted, 0.06, 1.0) + attempt / 200:
                continue
            if places.gap(x, y, float(radius)) > -overlap:
                break
        places.add(x, y, float(radius))
    return places
