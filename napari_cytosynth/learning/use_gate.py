"""The use gate: whether synthetic cells may train, asked of the training cells alone.

The training cells are halved five times, each half tried by a head of the other: with
balanced weights alone, and with synthetic ones. Vectors are drawn from that half and
nothing else; accepted cells join where no parent of theirs lies in the half that tries.
The gate opens where the lower 80 % bound of the gain in macro-F1 is above 0, by the
t-test for resampled differences, whose variance allows for training sets that overlap
(Nadeau and Bengio 2003, doi 10.1023/A:1024068626366).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.head import HeadFitter
from napari_cytosynth.learning.training import SYNTHETIC_CAP, capped, joined
from napari_cytosynth.metrics.scores import numbered, weighted_scores

REPEATS = 5
"""Times that the cells are halved; each half is tried once."""

RATIOS = (1, 2, 5, SYNTHETIC_CAP)
"""Synthetic cells for each real one, from which the smallest that will do is taken."""

CLOSE = 0.005
"""A ratio will do if its gain in macro-F1 lies so near to that of the best."""

_T_BOUND = 0.8834
"""Quantile of Student's t at 0.8 with nine degrees of freedom.

The lower bound of that confidence must lie above 0.
"""

MIN_GROUPS = 4
"""Groups from which whole ones can be kept on one side of a halving."""

Floats = npt.NDArray[np.float64]

Maker = Callable[[LabelledCells, int], Task[TrainingSet]]
"""Makes synthetic rows from the given real cells, and from no others, by a seed."""


@dataclass(frozen=True, slots=True)
class UseAnswer:
    """What the use gate found.

    Parameters
    ----------
    opened : bool
        Whether synthetic cells may train.
    gain : float
        Mean gain in macro-F1 over balanced weights, at a ratio chosen without the
        halves that it is measured on.
    low : float
        Its lower 80 % bound.
    ratio : int
        Synthetic cells for each real one that will do, at most 10.
    curve : mapping of str to float
        Ratio to mean gain: what more synthetic cells bring.
    differences : tuple of float
        The paired gains behind ``gain``.
    cells : int
        Real training cells.
    made : int
        Synthetic ones that trained at the largest ratio, a mean over the halves.
    caveat : str
        What limits the figure; empty where nothing does.
    """

    opened: bool
    gain: float
    low: float
    ratio: int
    curve: Mapping[str, float]
    differences: tuple[float, ...]
    cells: int
    made: float
    caveat: str = ""

    def __str__(self) -> str:
        if not self.differences:
            return f"no benefit found: {self.caveat}"
        found = (
            f"{self.gain:+.3f} macro-F1 over balanced weights, lower 80 % bound "
            f"{self.low:+.3f}, by {len(self.differences)} halves of {self.cells} real "
            "training cells"
        )
        limit = f" ({self.caveat})" if self.caveat else ""
        if not self.opened:
            return f"no benefit found: {found}{limit}"
        return f"synthetic cells help: {found}, at {self.ratio} : 1 at most{limit}"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {**asdict(self), "differences": list(self.differences)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> UseAnswer:
        """Build an answer from what :meth:`to_json` wrote."""
        return cls(**{**value, "differences": tuple(value["differences"])})


def ask_use_gate(
    real: LabelledCells, make: Maker, fit: HeadFitter, *, seed: int = 0
) -> Task[UseAnswer]:
    """Find out whether synthetic cells help.

    Parameters
    ----------
    real : LabelledCells
        Training cells. Groups are kept on one side, where there are four or more.
    make : callable
        Makes synthetic rows from one half; no more than ten for a real cell are used.
    fit : callable
        Fits heads.
    seed : int
        Makes it repeatable.

    Returns
    -------
    UseAnswer
        Shut where no class has two cells to halve, or nothing could be made.
    """
    rng = np.random.default_rng(seed)
    rows: list[Floats] = []
    made: list[int] = []
    for repeat in range(REPEATS):
        side = halves(real, rng)
        for turn in (0, 1):
            number = 2 * repeat + turn
            yield Progress(number, 2 * REPEATS, "asking whether synthetic cells help")
            train, test = real.take(side == turn), real.take(side != turn)
            if len(set(train.codes)) < 2 or not set(train.codes) & set(test.codes):
                return unanswered(len(real), "too few training cells to halve them")
            added = yield from make(train, seed + number)
            made.append(len(added.codes))
            gains = yield from _gains(train, test, added, fit, rng)
            rows.append(gains)
    if not any(made):
        return unanswered(
            len(real), "no synthetic cell could be made from half of the cells"
        )
    return answer_of(np.stack(rows), real, float(np.mean(made)))


def halves(real: LabelledCells, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Halve cells, groups together and every class as evenly as groups allow.

    Returns
    -------
    intp[n]
        0 or 1 for each cell.
    """
    groups = real.groups if _grouped(real) else np.arange(len(real)).astype(np.str_)
    _, index = np.unique(groups, return_inverse=True)
    _, classes = np.unique(np.asarray(real.codes, np.str_), return_inverse=True)
    held = np.zeros((index.max(initial=-1) + 1, classes.max(initial=-1) + 1))
    np.add.at(held, (index, classes), 1)
    order = rng.permutation(len(held))
    order = order[np.argsort(-held[order].sum(axis=1), kind="stable")]
    lead = np.zeros(held.shape[1])
    side = np.zeros(len(held), np.intp)
    for group in order:
        # Each group goes where it evens out what the larger ones left uneven.
        better = float(lead @ held[group])
        side[group] = int(better > 0 or (better == 0 and rng.random() < 0.5))
        lead += held[group] * (1 - 2 * side[group])
    return np.asarray(side[index], np.intp)


def answer_of(gains: Floats, real: LabelledCells, made: float) -> UseAnswer:
    """Judge the paired gains.

    Parameters
    ----------
    gains : float64[2 * repeats, ratios]
        Gain in macro-F1 of each half and ratio, halves of one halving side by side.
    real : LabelledCells
        Training cells.
    made : float
        Synthetic ones made from a half, as a mean.
    """
    curve = gains.mean(axis=0)
    repeats = len(gains) // 2
    fair = []
    for repeat in range(repeats):
        own = np.arange(len(gains)) // 2 == repeat
        # The ratio is chosen by the other halvings: the best of four would flatter.
        fair.append(gains[own][:, _enough(gains[~own].mean(axis=0))])
    differences = np.concatenate(fair)
    gain, low = float(differences.mean()), lower_bound(differences)
    return UseAnswer(
        opened=low > 0,
        gain=gain,
        low=low,
        ratio=RATIOS[_enough(curve)],
        curve={str(r): float(g) for r, g in zip(RATIOS, curve, strict=True)},
        differences=tuple(differences.tolist()),
        cells=len(real),
        made=made,
        caveat="" if _grouped(real) else _CELLWISE,
    )


def lower_bound(differences: Floats) -> float:
    """Return the lower 80 % bound of the mean of ten paired differences.

    Parameters
    ----------
    differences : float64[10]
        Of five halvings: as many cells are tried as trained on.
    """
    n = len(differences)
    variance = float(differences.var(ddof=1)) * (1 / n + 1.0)
    return float(differences.mean()) - _T_BOUND * float(np.sqrt(variance))


def _enough(curve: Floats) -> int:
    """Return the position of the smallest ratio that will do."""
    return int(np.flatnonzero(curve >= curve.max() - CLOSE)[0])


_CELLWISE = "cells were halved one by one: there are too few groups to keep together"


def _grouped(real: LabelledCells) -> bool:
    return len(np.unique(real.groups)) >= MIN_GROUPS


def _gains(
    train: LabelledCells,
    test: LabelledCells,
    added: TrainingSet,
    fit: HeadFitter,
    rng: np.random.Generator,
) -> Task[Floats]:
    """Return the gain in macro-F1 at each ratio; 0 where nothing was added."""
    alone = TrainingSet(train.vectors, train.codes, balanced(train.codes))
    base = _macro_f1(fit(alone, folds=0, seed=0).predict(test.vectors), test)
    gains = np.zeros(len(RATIOS))
    before = 0
    for i, ratio in enumerate(RATIOS):
        chosen = capped(added.codes, train.codes, rng, ratio)
        if len(chosen) == before:
            gains[i] = gains[i - 1] if i else 0.0
            continue
        yield Progress(i, len(RATIOS), f"trying {ratio} synthetic cells for a real one")
        codes = [added.codes[k] for k in chosen]
        head = fit(joined(alone, added.vectors[chosen], codes), folds=0, seed=0)
        gains[i] = _macro_f1(head.predict(test.vectors), test) - base
        before = len(chosen)
    return gains


def _macro_f1(predicted: Sequence[str], test: LabelledCells) -> float:
    """Return macro-F1 over the classes of the tried cells."""
    truth, guesses, codes = numbered(test.codes, predicted)
    ones = np.ones((1, len(truth)))
    return float(weighted_scores(truth, guesses, ones, len(codes)).macro_f1[0])


def unanswered(cells: int, why: str) -> UseAnswer:
    """Return a shut gate that says why nothing was measured on so many cells."""
    return UseAnswer(False, 0.0, 0.0, RATIOS[0], {}, (), cells, 0.0, why)
