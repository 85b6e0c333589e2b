"""Simulated annotators: label a batch, fit, score on other cells, choose the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    QueryStrategy,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import balanced
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.head import Head
from napari_cytosynth.metrics.scores import weighted_scores

START, BATCH = 10, 10
"""Cells drawn at random at first, and cells labelled between two fits."""

TEST_SHARE = 0.3

Codes = npt.NDArray[np.str_]
Numbers = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """A pool to label, and other cells to score on.

    Parameters
    ----------
    vectors, codes : float32[n, dim], str[n]
        The pool; ``codes`` is what an annotator says of each cell.
    test, truth : float32[m, dim], str[m]
        Cells to score on.
    taxonomy : Taxonomy
        Its codes are those of the cells.
    seed : int
        Decides the start, and all chance of a strategy.
    """

    vectors: Vectors
    codes: Codes
    test: Vectors
    truth: Codes
    taxonomy: Taxonomy
    seed: int

    @classmethod
    def deal(
        cls,
        vectors: Vectors,
        codes: Codes,
        taxonomy: Taxonomy,
        seed: int,
        noise: float = 0.0,
    ) -> Game:
        """Hold out a random share of cells; spoil a share ``noise`` of the labels.

        A spoilt label is another class, each equally likely; the cells to score on keep
        theirs.
        """
        rng = np.random.default_rng([seed, 0])
        order = rng.permutation(len(codes))
        cut = round(TEST_SHARE * len(codes))
        test, pool = order[:cut], order[cut:]
        told = codes[pool].copy()
        kinds = np.unique(codes)
        for row in np.flatnonzero(rng.random(len(told)) < noise):
            told[row] = rng.choice(kinds[kinds != told[row]])
        return cls(vectors[pool], told, vectors[test], codes[test], taxonomy, seed)

    def start(self) -> Numbers:
        """Return the first cells: ten at random, and more until two classes are in."""
        order = np.random.default_rng([self.seed, 1]).permutation(len(self.codes))
        n = START
        while len(set(self.codes[order[:n]].tolist())) < 2:
            n += 1
        return order[:n]


@dataclass(frozen=True)
class Board:
    """How a game stands when a strategy is asked.

    Parameters
    ----------
    game : Game
        Pool and labels.
    labelled : intp[l]
        Positions labelled so far, in order.
    head : Head
        Fitted on them.
    """

    game: Game
    labelled: Numbers
    head: Head

    @property
    def open(self) -> Numbers:
        """Positions that have no label."""
        mask = np.ones(len(self.game.codes), bool)
        mask[self.labelled] = False
        return np.flatnonzero(mask)

    def candidates(self) -> Candidates:
        """Return the open cells as our strategies see them."""
        game, rest = self.game, self.open
        vectors = game.vectors[rest]
        codes = tuple(game.codes[self.labelled].tolist())
        known = LabelledCells(
            self.labelled.astype(np.int64),
            codes,
            np.zeros((0, 96, 96, 3), np.uint8),
            game.vectors[self.labelled],
            "",
            self.labelled.astype(np.str_),
        )
        return Candidates(
            ids=rest.astype(np.int64),
            vectors=vectors,
            probabilities=self.head.predict_proba(vectors),
            codes=self.head.codes_,
            taxonomy=game.taxonomy,
            counts={code: codes.count(code) for code in game.taxonomy.codes},
            labelled=known,
            labelled_probabilities=self.head.predict_proba(known.vectors),
        )


Picker = Callable[[Board, np.random.Generator], Numbers]
"""Chooses the next batch: positions in the pool."""


def ours(strategy: QueryStrategy) -> Picker:
    """Return a picker that asks one of our strategies."""

    def pick(board: Board, rng: np.random.Generator) -> Numbers:
        return strategy.query(board.candidates(), BATCH, rng).ids.astype(np.intp)

    return pick


@dataclass(frozen=True)
class Played:
    """A game that was played.

    Parameters
    ----------
    curve : float64[steps, 3]
        Labels given, macro-F1 and accuracy on the cells to score on.
    labelled : intp[l]
        Positions of the pool, in the order in which they were labelled.
    """

    curve: Floats
    labelled: Numbers


def play(
    game: Game, picker: Picker, budget: int, *, until: float | None = None
) -> Played:
    """Label up to ``budget`` cells, and score after each batch.

    Parameters
    ----------
    until : float, optional
        End when three macro-F1 in a row have reached it: nothing more is to be known.
    """
    rng = np.random.default_rng([game.seed, 2])
    labelled, head = game.start(), None
    curve = []
    while True:
        head = fit_on(game, labelled, head)
        curve.append((len(labelled), *score(game, head)))
        there = until is not None and min(row[1] for row in curve[-3:]) >= until
        if there and len(curve) > 2:
            return Played(np.array(curve), labelled)
        if len(labelled) >= min(budget, len(game.codes) - BATCH):
            return Played(np.array(curve), labelled)
        labelled = np.append(labelled, picker(Board(game, labelled, head), rng))


def ceiling(game: Game) -> tuple[float, float]:
    """Return macro-F1 and accuracy with the whole pool labelled."""
    return score(game, fit_on(game, np.arange(len(game.codes)), None))


def fit_on(game: Game, rows: Numbers, previous: Head | None) -> Head:
    """Fit the head that every strategy is scored with."""
    codes = tuple(game.codes[rows].tolist())
    training = TrainingSet(game.vectors[rows], codes, balanced(codes))
    return fit_head(training, previous=previous, folds=0)


def score(game: Game, head: Head) -> tuple[float, float]:
    """Return macro-F1 over the classes scored on, and accuracy."""
    kinds = np.unique(game.truth)
    guesses = np.array(head.predict(game.test))
    place = {code: i for i, code in enumerate(kinds.tolist())}
    told = np.array([place.get(code, len(kinds)) for code in guesses.tolist()])
    truth = np.searchsorted(kinds, game.truth)
    even = np.ones((1, len(truth)))
    scores = weighted_scores(truth, told, even, len(kinds))
    return float(scores.macro_f1[0]), float((guesses == game.truth).mean())


def labels_to(curve: Floats, goal: float, pool: int, column: int = 1) -> int:
    """Return the labels from which three scores reach ``goal``; never: ``pool``."""
    there = curve[:, column] >= goal
    for i in range(len(there) - 2):
        if there[i : i + 3].all():
            return int(curve[i, 0])
    return pool


def area(curve: Floats) -> float:
    """Return the mean macro-F1 from 20 labels on."""
    return float(curve[curve[:, 0] >= 20, 1].mean())
