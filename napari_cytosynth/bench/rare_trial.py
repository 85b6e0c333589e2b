"""One trial of filling rare classes: few cells of them to learn from, many to judge by.

The rarest third of the classes of a set is cut down to a few shots, the others keep
forty cells. All other real cells judge: one half is the reference of distances and
trains the validators, the other half stands beside the drawn vectors as what a perfect
generator would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.core.protocols import LabelledCells, TrainingSet, Vectors
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import (
    COMMON,
    TESTED,
    rarest_first,
    rarest_third,
)
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.metrics.copying import THIRD
from napari_cytosynth.metrics.coverage import covered, densities
from napari_cytosynth.metrics.neighbours import nearest
from napari_cytosynth.metrics.scores import draw_counts, weighted_scores
from napari_cytosynth.synthesis.validators import NormalValidator

EACH = 30
"""Vectors of a class, drawn or real, that are compared at most."""

REPEATS = 200
"""Resamples of the judging cells."""

NEIGHBOURS = 5

Codes = npt.NDArray[np.str_]
Floats = npt.NDArray[np.float64]
Drawn = Mapping[str, Vectors]
"""Vectors of each class."""


@dataclass(frozen=True)
class EmbeddedSet:
    """Cells of one set, embedded.

    Parameters
    ----------
    dataset, embedder : str
        Names.
    pack : Pack
        Pictures and classes.
    vectors : float32[n, dim]
        One a cell.
    source : mapping of code to int
        Cells of each class in the source, of which ``pack`` may hold a part: they tell
        which classes are rare.
    taxonomy : Taxonomy
        Knows the classes of ``pack``.
    """

    dataset: str
    embedder: str
    pack: Pack
    vectors: Vectors
    source: Mapping[str, int]
    taxonomy: Taxonomy

    def rare(self, shots: int) -> tuple[str, ...]:
        """Return the rarest third of the classes that can be judged, one at least."""
        return rarest_third(self.judged(shots))

    def judged(self, shots: int) -> tuple[str, ...]:
        """Return the classes of shots and judging cells enough, rarest first."""
        held = Counter(self.pack.codes.tolist())
        return rarest_first(held, shots + TESTED, self.source)


class Trial:
    """A draw of the cells, by shots and seed only.

    Parameters
    ----------
    cells : EmbeddedSet
        What there is.
    shots : int
        Training cells of each rare class.
    seed : int
        Decides chance.
    shuffled : bool
        Deal the classes of the training cells anew, so that there is nothing to learn.
    """

    def __init__(
        self, cells: EmbeddedSet, shots: int, seed: int, *, shuffled: bool = False
    ) -> None:
        self.cells, self.seed = cells, seed
        self.classes = tuple(sorted(cells.judged(shots)))
        self.rare = cells.rare(shots)
        self.rng = np.random.default_rng([shots, seed])
        train, reference, held = [], [], []
        for code in self.classes:
            own = self.rng.permutation(np.flatnonzero(cells.pack.codes == code))
            few = shots if code in self.rare else min(COMMON, len(own) - TESTED)
            half = (len(own) + few) // 2
            train.append(own[:few])
            reference.append(own[few:half])
            held.append(own[half:])
        self.reference, self.held = np.concatenate(reference), np.concatenate(held)
        self.train = self._labelled(np.concatenate(train), shuffled=shuffled)

    def _labelled(self, rows: npt.NDArray[np.intp], *, shuffled: bool) -> LabelledCells:
        cells = self.cells
        codes = cells.pack.codes[rows]
        return LabelledCells(
            rows.astype(np.int64),
            tuple((self.rng.permutation(codes) if shuffled else codes).tolist()),
            cells.pack.crops[rows],
            cells.vectors[rows],
            cells.embedder,
            rows.astype(np.str_),
        )

    @cached_property
    def unit(self) -> npt.NDArray[np.float32]:
        """Spread of each feature over the training cells: what distances count in."""
        spread: npt.NDArray[np.float32] = self.train.vectors.std(axis=0)
        spread[spread < 1e-6] = 1
        return spread

    def real(self, rows: npt.NDArray[np.intp], code: str) -> Vectors:
        """Return the vectors of a class among the reference or held cells."""
        own = rows[self.cells.pack.codes[rows] == code]
        found: Vectors = self.cells.vectors[own]
        return found

    def held_as_drawn(self, codes: tuple[str, ...]) -> dict[str, Vectors]:
        """Return real held-out cells, as many as are drawn of each class."""
        return {code: self.real(self.held, code)[:EACH] for code in codes}

    def resample(self, n: int) -> Floats:
        """Return float64[REPEATS + 1, n]: ones, then counts of a bootstrap."""
        return draw_counts(n, REPEATS, np.random.default_rng([n, self.seed]))

    def copied(self, drawn: Drawn) -> Floats:
        """Return the share of copies of training cells by the one-third rule.

        Returns
        -------
        float64[REPEATS + 1]
            As drawn, then under resamples.
        """
        points = np.concatenate(list(drawn.values())) / self.unit
        near, _ = nearest(points, self.train.vectors / self.unit, 2)
        return self.share(near[:, 0] < THIRD * near[:, 1])

    def filled(self, drawn: Drawn) -> tuple[Floats, Floats]:
        """Return coverage and density of the real reference, each over that of real.

        Both are means over the classes, and ratios to what held-out real cells reach.
        A class of which nothing was drawn covers nothing, and has no density: it is
        NaN where nothing was drawn at all.
        """
        real = self.held_as_drawn(tuple(drawn))
        parts = [self._filled(code, drawn[code], real[code]) for code in drawn]
        summed = np.sum(parts, axis=0)
        dense = np.full(REPEATS + 1, np.nan)
        np.divide(summed[2], summed[3], out=dense, where=summed[3] > 0)
        return summed[0] / summed[1], dense

    def _filled(self, code: str, drawn: Vectors, real: Vectors) -> Floats:
        centres = self.real(self.reference, code) / self.unit
        sets = [drawn[: len(real)] / self.unit, real / self.unit]
        hits = [covered(centres, points, NEIGHBOURS) for points in sets]
        counts = [densities(centres, points, NEIGHBOURS) for points in sets]
        dense = [self.share(c) if len(drawn) else np.zeros(REPEATS + 1) for c in counts]
        return np.stack([*(self.share(values) for values in hits), *dense])

    def share(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return the mean of one value a cell, as it is and under resamples.

        Returns
        -------
        float64[REPEATS + 1]
        """
        weights = self.resample(len(values))
        mean: Floats = weights @ values.astype(np.float64) / len(values)
        return mean

    def recognised(self, drawn: Drawn, guess: Validator) -> Floats:
        """Return macro-F1 of a validator on vectors of every class."""
        truth = np.concatenate(
            [np.full(len(v), self.classes.index(c)) for c, v in drawn.items()]
        )
        guesses = guess.predict(np.concatenate(list(drawn.values())))
        weights = self.resample(len(truth))
        return weighted_scores(truth, guesses, weights, len(self.classes)).macro_f1

    def head_scores(self, training: TrainingSet) -> Floats:
        """Fit a head and try it on all real cells that did not train.

        Returns
        -------
        float64[1 + rare, REPEATS + 1]
            Macro-F1, and recall of each rare class.
        """
        head = fit_head(training, folds=0)
        rows = np.concatenate([self.reference, self.held])
        guesses = np.searchsorted(
            self.classes, np.array(head.predict(self.cells.vectors[rows]))
        )
        truth = np.searchsorted(self.classes, self.cells.pack.codes[rows])
        scores = weighted_scores(
            truth, guesses, self.resample(len(rows)), len(self.classes)
        )
        own = [self.classes.index(code) for code in self.rare]
        return np.vstack([scores.macro_f1, scores.recall[:, own].T])

    @cached_property
    def baseline(self) -> Floats:
        """Scores of the training cells alone under balanced weights."""
        train = self.train
        return self.head_scores(
            TrainingSet(train.vectors, train.codes, balanced(train.codes))
        )


class Validator:
    """Tells the class of a vector; it saw reference cells only.

    Parameters
    ----------
    trial : Trial
        Gives the reference cells.
    model : str
        ``"analysis"`` (shrunk discriminant analysis) or ``"kernel"`` (a support vector
        machine with a Gaussian kernel), which no critic and no head is.
    """

    def __init__(self, trial: Trial, model: str) -> None:
        self._classes = trial.classes
        vectors = trial.cells.vectors[trial.reference]
        codes = trial.cells.pack.codes[trial.reference]
        self._model = (
            NormalValidator(vectors, codes)
            if model == "analysis"
            else _kernel_machine(vectors, codes)
        )

    def predict(self, vectors: Vectors) -> npt.NDArray[np.intp]:
        """Return the class number of each vector."""
        found = self._model.predict(vectors)
        return np.asarray(np.searchsorted(self._classes, found), np.intp)


def _kernel_machine(vectors: Vectors, codes: Codes) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(C=4.0, class_weight="balanced"))
    return machine.fit(vectors, codes)
