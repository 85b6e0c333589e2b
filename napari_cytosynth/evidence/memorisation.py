"""Whether synthetic cells repeat training cells, beside what real cells do.

Each is compared with all training cells, of whatever class. What is found is set beside
real cells that no generator saw: held-out ones, or where those are too few, training
cells that are each left out in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.fidelity import FEWEST, repeats_of
from napari_cytosynth.evidence.figures import beside_from_json, beside_to_json
from napari_cytosynth.evidence.record import (
    interval_from_json,
    interval_to_json,
    maybe_from_json,
    maybe_to_json,
)
from napari_cytosynth.evidence.sets import ALL, Floats, Sets
from napari_cytosynth.metrics.copying import (
    Nearest,
    farther_than_real,
    real_farther_than_real,
    third_rule,
)
from napari_cytosynth.metrics.data_copying import data_copying
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.neighbours import nearest_parts
from napari_cytosynth.metrics.same_size import Beside, compare, same_size
from napari_cytosynth.synthesis.critics import FEW_REAL

PAIRS = 12
"""Nearest pairs that are kept of each class."""

HELD_OUT, LEFT_OUT = "held-out cells", "training cells, each left out in turn"
"""What real cells stand beside the synthetic ones."""

_REGION = 20  # held-out cells a region: each side must keep eight
_MOST_REGIONS = 10

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of synthetic cells and of real ones, each with its interval and n.

    ``real`` is None where real cells are too few to stand beside.
    """

    synthetic: Interval
    real: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "synthetic": interval_to_json(self.synthetic),
            "real": maybe_to_json(self.real),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rate:
        """Build a rate from what :meth:`to_json` wrote."""
        real = maybe_from_json(value["real"])
        return cls(interval_from_json(value["synthetic"]), real)


@dataclass(frozen=True, slots=True)
class NearestPair:
    """A synthetic cell and the training cell nearest to it, for a gallery.

    Parameters
    ----------
    synthetic, real : int
        Ids of both.
    distance : float
        Between their vectors, each number in units of its spread over real cells.
    ratio : float
        Distance over that to the second nearest training cell; 0..1, NaN where there is
        none.
    copy : bool
        Whether the one-third rule calls it a copy.
    """

    synthetic: int
    real: int
    distance: float
    ratio: float
    copy: bool

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "synthetic": self.synthetic,
            "real": self.real,
            "distance": self.distance,
            "ratio": None if isnan(self.ratio) else self.ratio,
            "copy": self.copy,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NearestPair:
        """Build a pair from what :meth:`to_json` wrote."""
        ratio = float("nan") if value["ratio"] is None else float(value["ratio"])
        return cls(
            int(value["synthetic"]),
            int(value["real"]),
            float(value["distance"]),
            ratio,
            bool(value["copy"]),
        )


@dataclass(frozen=True, slots=True)
class Memorisation:
    """What tells whether the synthetic cells of a class repeat training cells.

    Parameters
    ----------
    code : str
        Class; empty for all of them together.
    train, held_out, synthetic : int
        Cells of the class.
    beside : str
        What real cells the rates are set beside: :data:`HELD_OUT`, :data:`LEFT_OUT`, or
        empty.
    third : Rate
        Share of copies by the one-third rule.
    authentic : Rate
        Share that is not closer to a real cell than real ones are.
    copying : Beside or None
        C_T of Meehan et al.; far below 0 where synthetic cells lie nearer to training
        cells than held-out ones do.
    hidden : str
        Why ``copying`` is None; empty where it is not.
    pairs : tuple of NearestPair
        Copies first, then by distance.
    """

    code: str
    train: int
    held_out: int
    synthetic: int
    beside: str
    third: Rate
    authentic: Rate
    copying: Beside | None
    hidden: str
    pairs: tuple[NearestPair, ...]

    @property
    def warning(self) -> str:
        """What is to be said of few real cells; empty where they are enough."""
        if self.train >= FEW_REAL:
            return ""
        return (
            f"only {self.train} real training cells: under {FEW_REAL} a generator "
            "repeats cells most easily, and no figure here is calibrated"
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "code": self.code,
            "train": self.train,
            "held_out": self.held_out,
            "synthetic": self.synthetic,
            "beside": self.beside,
            "third": self.third.to_json(),
            "authentic": self.authentic.to_json(),
            "copying": beside_to_json(self.copying),
            "hidden": self.hidden,
            "pairs": [pair.to_json() for pair in self.pairs],
            "warning": self.warning,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Memorisation:
        """Build it from what :meth:`to_json` wrote."""
        return cls(
            value["code"],
            int(value["train"]),
            int(value["held_out"]),
            int(value["synthetic"]),
            value["beside"],
            Rate.from_json(value["third"]),
            Rate.from_json(value["authentic"]),
            beside_from_json(value["copying"]),
            value["hidden"],
            tuple(map(NearestPair.from_json, value["pairs"])),
        )


@dataclass(frozen=True)
class _Judged:
    """Flags of each cell of one set: a copy by the one-third rule, and authentic."""

    copies: _Flags
    authentic: _Flags


@dataclass(frozen=True)
class _Distances:
    """Nearest training cells of each synthetic cell, and what each set came to."""

    near: Nearest
    synthetic: _Judged
    held_out: _Judged
    train: _Judged


def measure_memorisation(sets: Sets) -> Task[tuple[Memorisation, ...]]:
    """Compare every synthetic cell with every training cell, a block at a time.

    Parameters
    ----------
    sets : Sets
        Real and synthetic cells; three training cells at least.

    Returns
    -------
    tuple of Memorisation
        Of each class that was made, and of all of them; none where there are fewer
        training cells than three.
    """
    if len(sets.train) < 3:
        return ()
    distances = yield from _compared(sets)
    found = []
    for number, code in enumerate((*sets.made, ALL)):
        yield Progress(number, len(sets.made) + 1, f"copying {code}".strip())
        found.append((yield from _of_class(sets, distances, code)))
    return tuple(found)


def _compared(sets: Sets) -> Task[_Distances]:
    train = sets.train_points
    real = yield from _near(train, train, leave_out_self=True)
    held = yield from _near(sets.held_out_points, train)
    near = yield from _near(sets.synthetic_points, train)
    return _Distances(
        near,
        _Judged(third_rule(near[0]), farther_than_real(near, real)),
        _Judged(third_rule(held[0]), farther_than_real(held, real)),
        _Judged(third_rule(real[0]), real_farther_than_real(real)),
    )


def _near(
    queries: Floats, train: Floats, *, leave_out_self: bool = False
) -> Task[Nearest]:
    parts, done = [], 0
    for part in nearest_parts(queries, train, 2, leave_out_self=leave_out_self):
        parts.append(part)
        done += len(part[0])
        yield Progress(done, len(queries), "comparing with training cells")
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _of_class(sets: Sets, distances: _Distances, code: str) -> Task[Memorisation]:
    made = sets.rows(sets.synthetic.codes, code)
    held = sets.rows(sets.held_out.codes, code)
    train = sets.rows(sets.train.codes, code)
    beside, judged, rows = "", distances.held_out, held
    if len(held) >= FEWEST:
        beside = HELD_OUT
    elif len(train) >= FEWEST:
        beside, judged, rows = LEFT_OUT, distances.train, train

    def rate(synthetic: _Flags, real: _Flags) -> Rate:
        return Rate(_share(synthetic[made]), _share(real[rows]) if beside else None)

    copying, hidden = yield from _copying(sets, code)
    return Memorisation(
        code,
        len(train),
        len(held),
        len(made),
        beside,
        rate(distances.synthetic.copies, judged.copies),
        rate(distances.synthetic.authentic, judged.authentic),
        copying,
        hidden,
        _pairs(sets, distances, made),
    )


def _share(flags: _Flags) -> Interval:
    return wilson(int(flags.sum()), len(flags))


def _copying(sets: Sets, code: str) -> Task[tuple[Beside | None, str]]:
    """Return C_T beside that of held-out cells, or why it is hidden.

    Regions are k-means of the class's training cells: one for twenty held-out cells of
    a comparison, ten at most.
    """
    if code == ALL:
        return None, "told class by class: classes lie more or less close together"
    train = sets.train_points[sets.rows(sets.train.codes, code)]
    test = sets.held_out_points[sets.rows(sets.held_out.codes, code)]
    fake = sets.synthetic_points[sets.rows(sets.synthetic.codes, code)]
    n = same_size(len(test), len(fake))
    if n < FEWEST or len(train) < FEWEST:
        return None, (
            f"{2 * FEWEST} held-out, {FEWEST} training and {FEWEST} synthetic cells "
            f"are needed; here are {len(test)}, {len(train)} and {len(fake)}"
        )
    yield Progress(0, 1, "data-copying test")
    rng = sets.rng("copying", code)
    regions = int(np.clip(n // _REGION, 1, _MOST_REGIONS))
    centres = _regions(train, regions, rng)
    score = partial(_score, train, centres)
    (found,) = compare(score, test, fake, rng, repeats_of(n))
    if isnan(found.value):
        return None, "no region holds eight held-out and eight synthetic cells"
    return found, ""


def _score(train: Floats, centres: Floats, test: Floats, fake: Floats) -> list[float]:
    return [data_copying(train, test, fake, centres).score]


def _regions(train: Floats, regions: int, rng: np.random.Generator) -> Floats:
    from sklearn.cluster import KMeans

    seed = int(rng.integers(2**31))
    model = KMeans(min(regions, len(train)), n_init=1, random_state=seed).fit(train)
    return np.asarray(model.cluster_centers_, np.float64)


def _pairs(
    sets: Sets, distances: _Distances, made: npt.NDArray[np.intp]
) -> tuple[NearestPair, ...]:
    (away, rows), copies = distances.near, distances.synthetic.copies
    order = made[np.lexsort((away[made, 0], ~copies[made]))][:PAIRS]
    return tuple(
        NearestPair(
            int(sets.synthetic.ids[row]),
            int(sets.train.ids[rows[row, 0]]),
            float(away[row, 0]),
            float(away[row, 0] / away[row, 1]) if away[row, 1] else float("nan"),
            bool(copies[row]),
        )
        for row in order.tolist()
    )
