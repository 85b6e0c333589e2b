"""Query strategies of other libraries, asked about the same board.

``scikit-activeml`` and ``modAL`` come with the extra ``[bench]``; what is not installed
is left out, and the table says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from napari_cytosynth.bench.annotators import BATCH, Board, Numbers, Picker, fit_on
from napari_cytosynth.learning.head import Head

SKACTIVEML, MODAL = "skactiveml", "modal"

MEMBERS = 4
"""Heads of the committee, each on as many labels drawn with replacement."""

Name = tuple[str, str]
"""Peer and case."""


class HeadClassifier(ClassifierMixin, BaseEstimator):
    """Our head in scikit-learn's clothes, so that all strategies have the same."""

    def __init__(self, head: Head | None = None) -> None:
        self.head = head

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Do nothing but name the classes: the head is fitted already."""
        del X, y, sample_weight
        if self.head is None:
            raise ValueError("a head must be given, already fitted")
        self.classes_ = np.arange(len(self.head.codes_))
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Return the head's probabilities."""
        if self.head is None:
            raise ValueError("a head must be given, already fitted")
        return self.head.predict_proba(np.asarray(X, np.float32))

    def predict(self, X: Any) -> npt.NDArray[np.intp]:
        """Return the likeliest class of each."""
        best: npt.NDArray[np.intp] = self.predict_proba(X).argmax(axis=1)
        return best


def rivals() -> dict[Name, Picker]:
    """Return the strategies of the libraries that are installed."""
    found: dict[Name, Picker] = {}
    if find_spec("modAL") is not None:
        for case in ("margin", "entropy"):
            found[MODAL, case] = _modal(case)
    if find_spec("skactiveml") is not None:
        found |= {(SKACTIVEML, case): pick for case, pick in _skactiveml().items()}
    return found


def _modal(case: str) -> Picker:
    def pick(board: Board, rng: np.random.Generator) -> Numbers:
        from modAL.uncertainty import entropy_sampling, margin_sampling

        del rng
        ask = {"margin": margin_sampling, "entropy": entropy_sampling}[case]
        rest = board.open
        known = HeadClassifier(board.head).fit(None, None)
        best, _ = ask(known, board.game.vectors[rest], n_instances=BATCH)
        chosen: Numbers = rest[np.asarray(best, np.intp)]
        return chosen

    return pick


def _skactiveml() -> dict[str, Picker]:
    from skactiveml import pool

    def uncertain(method: str) -> Callable[[int], Any]:
        return lambda seed: pool.UncertaintySampling(method=method, random_state=seed)

    with_model = {
        "margin": uncertain("margin_sampling"),
        "entropy": uncertain("entropy"),
        "badge": lambda seed: pool.Badge(random_state=seed),
    }
    without = {
        "coreset": lambda seed: pool.CoreSet(random_state=seed),
        "typiclust": lambda seed: pool.TypiClust(random_state=seed),
        "probcover": lambda seed: pool.ProbCover(random_state=seed),
    }
    found = {case: _asked(made, _one_head) for case, made in with_model.items()}
    found |= {case: _asked(made, _no_head) for case, made in without.items()}
    found["qbc"] = _asked(
        lambda seed: pool.QueryByCommittee(method="vote_entropy", random_state=seed),
        _some_heads,
    )
    return found


def _asked(
    make: Callable[[int], Any], models: Callable[[Board, Any], dict[str, Any]]
) -> Picker:
    def pick(board: Board, rng: np.random.Generator) -> Numbers:
        game = board.game
        kinds = {code: i for i, code in enumerate(board.head.codes_)}
        labels = np.full(len(game.codes), np.nan)
        labels[board.labelled] = [kinds[c] for c in game.codes[board.labelled]]
        rows = _standard(game.vectors)
        strategy = make(int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, not ours to mend
            best = strategy.query(rows, labels, batch_size=BATCH, **models(board, rng))
        return np.asarray(best, np.intp)

    return pick


def _standard(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give all columns the same weight, as our strategies do.

    Heads are linear and take either; to them these are other vectors, so heads are
    carried along by :class:`_Standardised`.
    """
    spread = vectors.std(axis=0)
    spread[spread < 1e-6] = np.inf
    rows: npt.NDArray[np.float32] = (vectors - vectors.mean(axis=0)) / spread
    return rows


class _Standardised(HeadClassifier):
    """A head that is shown standardised vectors."""

    def __init__(
        self,
        head: Head | None = None,
        mean: npt.NDArray[np.float32] | None = None,
        spread: npt.NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(head)
        self.mean, self.spread = mean, spread

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Return the head's probabilities of the vectors as they were."""
        return super().predict_proba(X * self.spread + self.mean)


def _wrapped(board: Board, head: Head) -> Any:
    from skactiveml.classifier import SklearnClassifier

    vectors = board.game.vectors
    made = _Standardised(head, vectors.mean(axis=0), vectors.std(axis=0))
    classes = np.arange(len(head.codes_))
    shown = SklearnClassifier(made, classes=classes)
    return shown.fit(np.zeros((len(classes), vectors.shape[1])), classes)


def _no_head(board: Board, rng: Any) -> dict[str, Any]:
    del board, rng
    return {}


def _one_head(board: Board, rng: Any) -> dict[str, Any]:
    del rng
    return {"clf": _wrapped(board, board.head), "fit_clf": False}


def _some_heads(board: Board, rng: np.random.Generator) -> dict[str, Any]:
    """Return heads of resampled labels that all know every class so far."""
    rows, codes = board.labelled, board.game.codes[board.labelled]
    firsts = rows[np.unique(codes, return_index=True)[1]]
    heads = []
    for _ in range(MEMBERS):
        drawn = rng.choice(rows, len(rows) - len(firsts))
        heads.append(fit_on(board.game, np.concatenate([firsts, drawn]), board.head))
    ensemble = [_wrapped(board, head) for head in heads]
    return {"ensemble": ensemble, "fit_ensemble": False}
