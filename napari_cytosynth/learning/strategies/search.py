"""Search: cells of one class, by its few real examples and its synthetic ones.

Four models that err in different ways say how likely a cell is of the class: a head on
the labelled cells, a discriminant analysis of them, a head that tells the class from
the pool at large, of which only few cells can be of it (Elkan, Noto 2008, Learning
classifiers from only positive and unlabeled data, KDD), and likeness to the nearest
real example, which does best while other classes have no label yet. Synthetic vectors
stand beside the real examples in the first three. Probabilities are brought to the
pool's own shares of the classes; a cell that all models put first comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from napari_cytosynth.core.protocols import (
    Candidates,
    LabelledCells,
    Query,
    SyntheticVectors,
)
from napari_cytosynth.core.training import TrainingSet, balanced
from napari_cytosynth.learning.discriminant import Discriminant
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.ranking import (
    query_at_random,
    query_best,
    rare_codes,
    to_pool_shares,
)
from napari_cytosynth.learning.space import PoolSpace, in_order, likeness_to, spread_of
from napari_cytosynth.metrics.neighbours import nearest

SYNTHETIC_WEIGHT = 0.1
"""What a synthetic vector counts beside a real cell of its class."""

_AT_LARGE = 1000
_BLOCK = 8192
_LONGEST = 60
_NO_EXAMPLE = "drawn at random: no example of the class yet"

Floats = npt.NDArray[np.float64]


class Search:
    """Ranks by how likely a cell is of one class.

    Parameters
    ----------
    code : str
        The class. Empty: all classes that lack labels and have an example, each cell
        for the one that it is most like.
    """

    key = "search"
    summary = "Cells that look like a scarce class: its real and synthetic examples."

    def __init__(self, code: str = "") -> None:
        self.code = code

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return ``n`` cells; the utility is minus the mean log of its ranks."""
        examples = _Examples.of(candidates)
        wanted = (self.code,) if self.code else _scarce(candidates)
        wanted = tuple(code for code in wanted if code in examples.codes)
        if not wanted or not len(candidates.ids):
            return query_at_random(candidates, n, rng, _NO_EXAMPLE)
        scores = _likeness(candidates, examples, wanted, rng)
        likest = scores.argmax(axis=0)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            told = _Nearest.of(candidates, wanted)
            return tuple(told.reason(i, wanted[likest[i]]) for i in best)

        return query_best(candidates, scores.max(axis=0), n, rng, explain)


@dataclass(frozen=True, slots=True)
class _Examples:
    """Real labelled cells and synthetic vectors in one table."""

    vectors: npt.NDArray[np.float32]
    codes: tuple[str, ...]
    weights: Floats

    @classmethod
    def of(cls, candidates: Candidates) -> _Examples:
        real, made = candidates.labelled, candidates.synthetic
        vectors, weights = [candidates.vectors[:0]], [np.zeros(0)]
        codes: tuple[str, ...] = ()
        for part, weight in ((real, 1.0), (made, SYNTHETIC_WEIGHT)):
            if part is not None:
                vectors.append(part.vectors)
                codes += part.codes
                weights.append(np.full(len(part), weight))
        return cls(np.concatenate(vectors), codes, np.concatenate(weights))


def _scarce(candidates: Candidates) -> tuple[str, ...]:
    """Return the classes that lack labels, in the order of the taxonomy."""
    rare = rare_codes(candidates.counts, candidates.taxonomy)
    return tuple(code for code in candidates.taxonomy.cell_codes if code in rare)


def _likeness(
    candidates: Candidates,
    examples: _Examples,
    wanted: Sequence[str],
    rng: np.random.Generator,
) -> Floats:
    """Return float64[wanted, pool]: minus the mean log rank by the models there are."""
    told = [np.array([_apart_from_the_pool(candidates, examples, c) for c in wanted])]
    real = candidates.labelled
    if real is not None and set(wanted) <= set(real.codes):
        shown = [real.vectors[np.array(real.codes) == code] for code in wanted]
        told.append(np.array([likeness_to(candidates, each) for each in shown]))
    names = sorted(set(examples.codes))
    if len(names) > 1:
        columns = [names.index(code) for code in wanted]
        for model in (_by_head, _by_discriminant):
            chances = to_pool_shares(model(candidates, examples), rng)
            told.append(chances.T[columns])
    # Ties share a rank, or the order of the pool would tell them apart.
    ranks = [np.log(rankdata(-values, axis=1)) for values in told]
    likeness: Floats = -np.mean(ranks, axis=0)
    return likeness


def _apart_from_the_pool(
    candidates: Candidates, examples: _Examples, code: str
) -> npt.NDArray[np.float32]:
    rows = in_order(candidates)
    at_large = candidates.vectors[rows[:: max(1, len(rows) // _AT_LARGE)]]
    sides = tuple("own" if c == code else "rest" for c in examples.codes)
    sides += ("rest",) * len(at_large)
    vectors = np.concatenate([examples.vectors, at_large])
    weights = balanced(sides, np.append(examples.weights, np.ones(len(at_large))))
    head = fit_head(TrainingSet(vectors, sides, weights), folds=0)
    return head.predict_proba(candidates.vectors)[:, head.codes_.index("own")]


def _by_head(candidates: Candidates, examples: _Examples) -> npt.NDArray[np.float32]:
    codes, weights = examples.codes, balanced(examples.codes, examples.weights)
    head = fit_head(TrainingSet(examples.vectors, codes, weights), folds=0)
    return head.predict_proba(candidates.vectors)


def _by_discriminant(
    candidates: Candidates, examples: _Examples
) -> npt.NDArray[np.float32]:
    _, classes = np.unique(np.array(examples.codes), return_inverse=True)
    unit = spread_of(examples.vectors)
    points = examples.vectors / unit
    model = Discriminant.fit(points.astype(np.float64), classes, examples.weights)
    chances = np.empty((len(candidates.ids), len(model.level)), np.float32)
    for at in range(0, len(chances), _BLOCK):
        chances[at : at + _BLOCK] = model.shares(
            candidates.vectors[at : at + _BLOCK] / unit
        )
    return chances


@dataclass(frozen=True, slots=True)
class _Nearest:
    """Which examples of each class lie nearest to a cell, in the pool's main axes."""

    candidates: Candidates
    space: PoolSpace
    real: Mapping[str, LabelledCells]
    made: Mapping[str, SyntheticVectors]

    @classmethod
    def of(cls, candidates: Candidates, codes: Sequence[str]) -> _Nearest:
        labelled, synthetic = candidates.labelled, candidates.synthetic
        real, made = {}, {}
        for code in codes:
            if labelled is not None:
                own = np.array([c == code for c in labelled.codes], bool)
                real[code] = labelled.take(own)
            if synthetic is not None:
                seen = synthetic.of(code)
                made[code] = seen.take(seen.ids > 0)
        return cls(candidates, PoolSpace.of(candidates), real, made)

    def reason(self, row: np.intp, code: str) -> str:
        """Say what the cell looks like, and which examples are most alike."""
        parts = {"cell": self.real.get(code), "synthetic": self.made.get(code)}
        near = [
            f"{word} {part.ids[self._row_of(row, part.vectors)]}"
            for word, part in parts.items()
            if part is not None and len(part)
        ]
        ending = f" (nearest: {', '.join(near)})" if near else ""
        told = f"looks like {self.candidates.taxonomy[code].worded}{ending}"
        return told if len(told) <= _LONGEST else f"looks like {code}{ending}"

    def _row_of(self, row: np.intp, vectors: npt.NDArray[np.float32]) -> int:
        points = self.space.apply(self.candidates.vectors[[row]])
        return int(nearest(points, self.space.apply(vectors), 1)[1][0, 0])
