"""Decides what lies where: crowding, touching cells, rafts of red cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_cytosynth.testing.painter.debris import RED_CELL_UM
from napari_cytosynth.testing.painter.looks import LOOKS
from napari_cytosynth.testing.painter.noise import WorldField
from napari_cytosynth.testing.painter.spec import FieldSpec

RED_CELL, PLATELET, FAT = "red cell", "platelet", "fat"
"""Objects that are painted and not marked."""

Sides = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the slide, micrometres.

    Parameters
    ----------
    x, y : float
        Left and top edge.
    width, height : float
        Size.
    keep : float
        Share of a cell's radius by which its centre keeps from the border; 0 where the
        border may cut cells.
    """

    x: float
    y: float
    width: float
    height: float
    keep: float = 0.0

    @property
    def area(self) -> float:
        """Square micrometres."""
        return self.width * self.height

    def draw(
        self, rng: np.random.Generator, margin: float = 0.0
    ) -> tuple[float, float]:
        """Draw a point at least ``margin`` from the border."""
        x = rng.uniform(margin, max(margin, self.width - margin))
        y = rng.uniform(margin, max(margin, self.height - margin))
        return self.x + float(x), self.y + float(y)

    def holds(self, x: float, y: float, margin: float) -> bool:
        """Tell whether a point lies at least ``margin`` from the border."""
        across = margin <= x - self.x <= self.width - margin
        return across and margin <= y - self.y <= self.height - margin


@dataclass(frozen=True, slots=True)
class Item:
    """One object to paint.

    Parameters
    ----------
    kind : str
        Concept of a marked object, or one of ``RED_CELL``, ``PLATELET``, ``FAT``.
    x, y, radius : float
        Micrometres.
    seed : int
        Of its own chance, so that it looks the same on every tile that it touches.
    sides : tuple of (nx, ny, distance)
        Neighbours that press.
    defocus : float
        Blur, micrometres.
    """

    kind: str
    x: float
    y: float
    radius: float
    seed: int
    sides: Sides = ()
    defocus: float = 0.0

    @property
    def lies_below(self) -> bool:
        """True for what nucleated cells lie upon."""
        return self.kind in {RED_CELL, FAT}


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

    def add(self, x: float, y: float, radius: float) -> None:
        """Add a disc."""
        self._bins.setdefault(self._bin(x, y), []).append(len(self))
        self.x.append(x)
        self.y.append(y)
        self.radius.append(radius)

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
        """Return the least distance from a disc's edge to the others'; may be < 0."""
        gaps = [
            float(np.hypot(self.x[i] - x, self.y[i] - y)) - radius - self.radius[i]
            for i in self.near(x, y)
        ]
        return min(gaps, default=np.inf)

    def pressing(self, number: int, slack: float = 0.6) -> Sides:
        """Return the sides on which neighbours flatten a disc."""
        x, y, radius = self.x[number], self.y[number], self.radius[number]
        sides = []
        for other in self.near(x, y):
            dx, dy = self.x[other] - x, self.y[other] - y
            apart = float(np.hypot(dx, dy))
            if other == number or apart > (radius + self.radius[other]) * 1.25 + slack:
                continue
            border = (apart**2 + radius**2 - self.radius[other] ** 2) / (2 * apart)
            sides.append((dx / apart, dy / apart, border - 0.1))
        return tuple(sides)

    def _bin(self, x: float, y: float) -> tuple[int, int]:
        return int(x // self._reach), int(y // self._reach)


def apportion(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """Split ``count`` by ``shares``, rounding to the largest remainders."""
    total = sum(shares.values())
    exact = {name: count * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    left = count - sum(counts.values())
    for name in sorted(exact, key=lambda n: counts[n] - exact[n])[:left]:
        counts[name] += 1
    return counts


class Layout:
    """Lays out a slide; slow random fields say where cells crowd and red cells stack.

    Parameters
    ----------
    spec : FieldSpec
        What to paint.
    rng : numpy.random.Generator
        Chance of the fields.
    """

    def __init__(self, spec: FieldSpec, rng: np.random.Generator) -> None:
        self._spec = spec
        short = min(spec.width, spec.height) * spec.mpp
        self._crowding = WorldField(min(0.5 * short + 60, 300.0), rng)
        self._rafts = WorldField(70.0, rng)

    def items(
        self, extent: Extent, counts: Mapping[str, int], rng: np.random.Generator
    ) -> list[Item]:
        """Return all objects of a part of the slide, in painting order.

        Parameters
        ----------
        extent : Extent
            The part.
        counts : mapping of concept to int
            Marked objects.
        rng : numpy.random.Generator
            Chance.
        """
        drawn = [(c, _radius(c, rng)) for c, n in counts.items() for _ in range(n)]
        # The largest first, so that all find a place.
        drawn.sort(key=lambda pair: -pair[1])
        places = self._scatter(extent, [r for _, r in drawn], rng)
        cells = [
            Item(
                concept,
                places.x[i],
                places.y[i],
                places.radius[i],
                _seed(rng),
                places.pressing(i),
                _defocus(self._spec.unsharp, rng),
            )
            for i, (concept, _) in enumerate(drawn)
        ]
        below = self._red_cells(extent, places, rng) + self._fat(extent, places, rng)
        return below + cells + self._platelets(extent, places, rng)

    def _scatter(
        self, extent: Extent, radii: list[float], rng: np.random.Generator
    ) -> Places:
        """Throw discs until each has found a place."""
        places = Places(2.0 * max(radii, default=5.0) + 2.0)
        for radius in radii:
            for attempt in range(300):
                if len(places) and rng.random() < self._spec.clumping:
                    x, y = _beside(places, radius, rng)
                    fits = extent.holds(x, y, extent.keep * radius)
                else:
                    x, y = extent.draw(rng, extent.keep * radius)
                    wanted = 0.5 + 0.8 * float(self._crowding.at(x, y)) + attempt / 150
                    fits = bool(rng.random() < max(wanted, 0.05))
                if fits and places.gap(x, y, radius) > -0.9:
                    break
            places.add(x, y, radius)
        return places

    def _red_cells(
        self, extent: Extent, places: Places, rng: np.random.Generator
    ) -> list[Item]:
        items = []
        mean, spread = RED_CELL_UM
        for _ in range(rng.poisson(self._spec.red_cells * extent.area / 1000)):
            radius = float(np.clip(rng.normal(mean, spread), 5.5, 9.5)) / 2
            x, y = extent.draw(rng)
            wanted = 0.25 + 1.3 * float(self._rafts.at(x, y))
            if rng.random() > max(wanted, 0.06) or places.gap(x, y, radius) < -1.6:
                continue
            items.append(
                Item(RED_CELL, x, y, radius, _seed(rng), (), _defocus(0.3, rng))
            )
        return items

    def _fat(
        self, extent: Extent, places: Places, rng: np.random.Generator
    ) -> list[Item]:
        items = []
        for _ in range(rng.poisson(self._spec.fat * extent.area / 1e5)):
            x, y = extent.draw(rng)
            radius = float(min(rng.gamma(1.8, 1.8) + 1.2, 14.0))
            if places.gap(x, y, radius) > 0.5:
                items.append(Item(FAT, x, y, radius, _seed(rng)))
        return items

    def _platelets(
        self, extent: Extent, places: Places, rng: np.random.Generator
    ) -> list[Item]:
        items = []
        for _ in range(rng.poisson(self._spec.platelets * extent.area / 3000)):
            x, y = extent.draw(rng)
            for _ in range(int(rng.geometric(0.35))):
                radius = float(rng.uniform(0.9, 1.8))
                if places.gap(x, y, radius) > 0.3:
                    items.append(Item(PLATELET, x, y, radius, _seed(rng)))
                x, y = x + rng.normal(0, 3.0), y + rng.normal(0, 3.0)
        return items


def _beside(
    places: Places, radius: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Draw a point at which a disc just touches one of those that lie already."""
    other = int(rng.integers(len(places)))
    angle = rng.uniform(0, 2 * np.pi)
    apart = radius + places.radius[other] - rng.uniform(-0.4, 0.8)
    x = places.x[other] + apart * np.cos(angle)
    return float(x), float(places.y[other] + apart * np.sin(angle))


def _radius(concept: str, rng: np.random.Generator) -> float:
    if concept not in LOOKS:
        return float(rng.uniform(4.5, 8.0))
    looks = LOOKS[concept]
    mean, spread = looks[int(rng.integers(len(looks)))].diameter
    return (mean + spread * float(np.clip(rng.normal(), -2, 2))) / 2


def _defocus(share: float, rng: np.random.Generator) -> float:
    return float(0.22 + rng.exponential(0.16)) if rng.random() < share else 0.0


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**62))
