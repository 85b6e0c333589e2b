"""What more labels would bring: learning curves of each class, carried further.

Heads are fitted on growing shares of the labels, groups held out in turn, and tried on
audit cells or on the labels held out. A curve ``a - b n^-c`` through the recalls of a
class (an inverse power law: Figueroa et al. 2012, doi 10.1186/1472-6947-12-8) is
carried on to at most twice the labels there are. Cells, groups together, and repeats
are drawn again to tell how far it can be trusted; a gain is claimed only where its
interval lies above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.splits import MIN_AUDIT
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.again import RESAMPLES, Again
from napari_cytosynth.learning.extrapolation import carried_on
from napari_cytosynth.learning.folds import (
    CELLWISE,
    FOLDS,
    fitted,
    folds_of,
    has_groups,
)
from napari_cytosynth.learning.head import HeadFitter
from napari_cytosynth.learning.outlook import (
    ALL,
    LEVEL,
    LITTLE,
    Forecast,
    Source,
    Stopping,
    judged,
)
from napari_cytosynth.metrics.intervals import Interval, wilson
from napari_cytosynth.metrics.scores import interval_of

SHARES = (0.25, 0.4, 0.6, 0.8, 1.0)
"""Parts of the labels that heads are fitted on."""

REPEATS = 3
"""Times that the labels are dealt anew."""

STEPS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Further labels looked at, as parts of those there are."""

UNREST = 0.4
"""How far the change in recall between two heads, one of more labels, lies from what
curves tell: in deviations of a share of as many cells as the class has labels. Random
labels of PBC cells, 100 to 300, two embedders, 138 classes: 0.24 to 0.44."""

_APART = 0.5
"""Deviation of the gains of classes from the common one, as a share of it."""

_SOUND = 1e-3
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trials:
    """Which cells heads of growing shares got right.

    Parameters
    ----------
    sizes : float64[s]
        Labels that the heads were fitted on.
    chosen : float64[repeats, s, n]
        1 for each label held out that was read as it is labelled, else 0.
    drawn : float64[repeats, s, m]
        The same of audit cells: the share of the heads that read them right.
    """

    sizes: Floats
    chosen: Floats
    drawn: Floats


def look_ahead(
    real: LabelledCells,
    audit: LabelledCells,
    fit: HeadFitter,
    *,
    seed: int = 0,
    steps: Sequence[float] = STEPS,
) -> Task[Stopping]:
    """Find out what more labels like these would bring.

    Parameters
    ----------
    real : LabelledCells
        Cells of the training split.
    audit : LabelledCells
        Audit cells; classes with ten of them are tried on those.
    fit : callable
        Fits heads.
    seed : int
        Makes it repeatable.
    steps : sequence of float
        Further labels looked at, as parts of those there are.
    """
    if len(set(real.codes)) < 2:
        return Stopping(labels=len(real))
    trials = yield from try_shares(real, audit, fit, seed=seed)
    rng = np.random.default_rng(seed)
    found = forecasts(real, audit, trials, rng, steps=steps)
    return Stopping(found, len(real), "" if has_groups(real) else CELLWISE)


def try_shares(
    real: LabelledCells, audit: LabelledCells, fit: HeadFitter, *, seed: int = 0
) -> Task[Trials]:
    """Fit heads on growing shares of the labels and try them.

    Parameters
    ----------
    real, audit : LabelledCells
        Cells of the training split, and audit cells.
    fit : callable
        Fits heads; seventy-five of them.
    seed : int
        Makes it repeatable.
    """
    rng = np.random.default_rng(seed)
    shape = (REPEATS, len(SHARES))
    chosen = np.zeros((*shape, len(real)))
    drawn = np.zeros((*shape, len(audit)))
    sizes = np.zeros(shape)
    truth, told = np.asarray(real.codes, object), np.asarray(audit.codes, object)
    for repeat in range(REPEATS):
        fold = folds_of(real, seed + repeat)
        for part in range(FOLDS):
            out = fold == part
            inside = _evenly(real, np.flatnonzero(~out), rng)
            for s, share in enumerate(SHARES):
                done = (repeat * FOLDS + part) * len(SHARES) + s
                total = REPEATS * FOLDS * len(SHARES)
                yield Progress(done, total, "asking what more labels would bring")
                rows = inside[: round(share * len(inside))]
                sizes[repeat, s] += len(rows) / FOLDS
                head = fitted(real.take(rows), fit)
                if head is None:
                    continue
                guesses = np.asarray(head.predict(real.vectors[out]), object)
                chosen[repeat, s, out] = guesses == truth[out]
                if len(audit):
                    right = np.asarray(head.predict(audit.vectors), object) == told
                    drawn[repeat, s] += right / FOLDS
    return Trials(sizes.mean(axis=0), chosen, drawn)


def _evenly(
    real: LabelledCells, rows: npt.NDArray[np.intp], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return rows by chance, so ordered that each beginning holds all classes alike."""
    codes = np.asarray([real.codes[i] for i in rows], np.str_)
    place = np.empty(len(rows))
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        place[own] = (rng.permutation(len(own)) + rng.random()) / len(own)
    return np.asarray(rows[np.argsort(place, kind="stable")], np.intp)


def forecasts(
    real: LabelledCells,
    audit: LabelledCells,
    trials: Trials,
    rng: np.random.Generator,
    *,
    steps: Sequence[float] = STEPS,
) -> tuple[Forecast, ...]:
    """Say what more labels would bring: over all classes, then to each.

    Over all, that is the accuracy on audit cells where there are ten of them, else the
    mean recall of the classes that can be told of.

    The curve of one class rests on few cells. So its gain is drawn towards the one that
    it would have if its errors went down as those of all classes do, the more the less
    its own curve tells.

    Parameters
    ----------
    real, audit : LabelledCells
        As :func:`try_shares` took them.
    trials : Trials
        What it gave.
    rng : Generator
        Draws cells and repeats again.
    steps : sequence of float
        Further labels looked at, as parts of those there are.
    """
    codes = sorted(set(real.codes))
    # One draw of patients serves all classes: they are right or wrong together.
    again = Again.of(real, audit, REPEATS, rng)
    tried = [_tried(code, real, audit, trials, again) for code in codes]
    known = [t for t in tried if t.recalls is not None]
    drawn = _drawn(len(real), audit, trials, again)
    if not known and drawn.recalls is None:
        most = max((t.n for t in tried), default=0)
        return (Forecast(ALL, n=most), *(_unknown(t) for t in tried))
    ahead = _Ahead.of(len(real), trials.sizes, steps)
    whole, left = _together(known, ahead, rng)
    if drawn.recalls is not None:
        whole = _overall(drawn, ahead, rng)
    return (whole, *(_forecast(t, ahead, left, rng) for t in tried))


@dataclass(frozen=True, slots=True)
class _Tried:
    """How one class fared: recalls float64[1 + resamples, s]; None: too few cells."""

    code: str
    n: int
    source: Source
    labels: int
    recalls: Floats | None = None

    @property
    def now(self) -> float:
        """Recall of the largest share, drawn in from 0 and 1 as of few cells."""
        assert self.recalls is not None
        return float(self.recalls[0, -1] * self.n + 1) / (self.n + 2)

    @property
    def unrest(self) -> float:
        """Deviation of the change in recall between one head and a later one."""
        return UNREST * float(np.sqrt(self.now * (1 - self.now) / self.labels))


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Labels that are looked at: those there are, then further steps."""

    sizes: Floats
    labels: int
    steps: tuple[int, ...]

    @classmethod
    def of(cls, labels: int, sizes: Floats, parts: Sequence[float]) -> _Ahead:
        steps = sorted({max(round(part * labels), 1) for part in parts})
        return cls(sizes, labels, tuple(steps))

    def later(self, recalls: Floats) -> Floats:
        """Return float64[b, 1 + steps]: recall now and later."""
        at = np.array([0, *self.steps], np.float64) + self.labels
        return carried_on(self.sizes, recalls, at)

    def told(self, tried: _Tried, now: Floats, gains: Floats) -> Forecast:
        """Say it: ``now`` float64[b], ``gains`` float64[b, steps]."""
        n = tried.n
        looked = [interval_of(gain, n, LEVEL) for gain in gains.T]
        outlook, k = judged(looked)
        rest = None
        if self.steps[k] < self.steps[-1]:
            rest = interval_of(gains[:, -1] - gains[:, k], n, LEVEL)
        then = interval_of(np.clip(now + gains[:, k], 0.0, 1.0), n)
        return Forecast(
            tried.code,
            outlook,
            n,
            tried.source,
            self.steps[k],
            _widened(interval_of(now, n)),
            _widened(then),
            looked[k],
            rest,
        )


def _tried(
    code: str,
    real: LabelledCells,
    audit: LabelledCells,
    trials: Trials,
    again: Again,
) -> _Tried:
    source, cells, hits = Source.AUDIT, audit, trials.drawn
    if audit.count(code) < MIN_AUDIT:
        source, cells, hits = Source.CROSS, real, trials.chosen
    own = np.flatnonzero(np.asarray(cells.codes, object) == code)
    found = _Tried(code, len(own), source, real.count(code))
    if len(own) < MIN_AUDIT:
        return found
    return replace(found, recalls=again.recalls(hits, source, own))


def _drawn(labels: int, audit: LabelledCells, trials: Trials, again: Again) -> _Tried:
    """Return how all audit cells together fared: their recall is the accuracy."""
    found = _Tried(ALL, len(audit), Source.AUDIT, labels)
    if len(audit) < MIN_AUDIT:
        return found
    every = np.arange(len(audit))
    return replace(found, recalls=again.recalls(trials.drawn, Source.AUDIT, every))


def _overall(drawn: _Tried, ahead: _Ahead, rng: np.random.Generator) -> Forecast:
    """Forecast the accuracy on audit cells: no ranking chose those."""
    assert drawn.recalls is not None
    later = ahead.later(drawn.recalls)
    gains = later[:, 1:] - later[:, :1]
    gains[1:] += rng.normal(0, drawn.unrest, gains[1:].shape)
    return ahead.told(drawn, later[:, 0], gains)


def _together(
    known: Sequence[_Tried], ahead: _Ahead, rng: np.random.Generator
) -> tuple[Forecast, Floats]:
    """Forecast the mean recall; return with it what is left of the errors.

    That is float64[b, steps]: the mean error later, as a share of the one now.
    """
    if not known:
        return Forecast(ALL), np.ones((RESAMPLES + 1, len(ahead.steps)))
    recalls = np.mean([t.recalls for t in known if t.recalls is not None], axis=0)
    later = ahead.later(recalls)
    left = (1 - later[:, 1:]) / np.maximum(1 - later[:, :1], _SOUND)
    gains = later[:, 1:] - later[:, :1]
    unrest = float(np.sqrt(sum(t.unrest**2 for t in known))) / len(known)
    gains[1:] += rng.normal(0, unrest, gains[1:].shape)
    whole = _Tried(ALL, sum(t.n for t in known), Source.CROSS, ahead.labels, recalls)
    found = replace(ahead.told(whole, later[:, 0], gains), classes=len(known))
    return found, np.clip(left, 0.0, 2.0)


def _unknown(tried: _Tried) -> Forecast:
    return Forecast(tried.code, n=tried.n, source=tried.source)


def _forecast(
    tried: _Tried, ahead: _Ahead, left: Floats, rng: np.random.Generator
) -> Forecast:
    if tried.recalls is None:
        return _unknown(tried)
    later = ahead.later(tried.recalls)
    own, common = later[:, 1:] - later[:, :1], (1 - tried.now) * (1 - left)
    # How far the gain of a class lies from the common one, and how sure its own is.
    apart = (_APART * common[0]) ** 2 + (LITTLE / 2) ** 2
    doubt = own[1:].var(axis=0) + tried.unrest**2
    weight = apart / (apart + doubt)
    gains = weight * own + (1 - weight) * common
    spread = np.sqrt((1 - weight) * apart + tried.unrest**2)
    gains[1:] += rng.normal(0, 1, gains[1:].shape) * spread
    # No recall goes beyond 1; a few cells that were all read right leave some room.
    gains = np.clip(gains, -later[:, :1], 1 - np.minimum(later[:, :1], tried.now))
    return ahead.told(tried, later[:, 0], gains)


def _widened(found: Interval) -> Interval:
    """Return an interval at least as wide as that of a share of so few cells.

    Where all cells are read right, drawing them again leaves no doubt at all.
    """
    share = wilson(round(found.value * found.n), found.n)
    low, high = min(found.low, share.low), max(found.high, share.high)
    return Interval(found.value, low, high, found.n)
