"""Cost: cells whose likely mistake would matter most.

The expected cost of the best answer that the model could give (Bayes risk), with the
taxonomy's costs: taking a promyelocyte for a lymphocyte costs more than taking it for
its neighbour on the maturation line.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Candidates, Query
from napari_cytosynth.learning.ranking import NO_MODEL, query_at_random, query_best


class Cost:
    """Ranks by the expected cost of the cheapest answer."""

    key = "cost"
    summary = "Cells whose confusion would cost most, by the taxonomy's costs."

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``n`` cells of largest expected cost."""
        probabilities = candidates.probabilities
        if probabilities is None:
            return query_at_random(candidates, n, rng, NO_MODEL)
        costs = _costs(candidates)
        expected = probabilities @ costs
        answers = expected.argmin(axis=1)
        utilities = expected.min(axis=1)

        def explain(best: npt.NDArray[np.intp]) -> tuple[str, ...]:
            return tuple(
                _reason(candidates, costs, probabilities[i], int(answers[i]))
                for i in best
            )

        return query_best(candidates, utilities, n, rng, explain)


def _costs(candidates: Candidates) -> npt.NDArray[np.float32]:
    """Return float32[truth, answer] in the order of the probability columns."""
    taxonomy, codes = candidates.taxonomy, candidates.codes
    table = [[taxonomy.cost(truth, taken) for taken in codes] for truth in codes]
    return np.array(table, np.float32)


def _reason(
    candidates: Candidates,
    costs: npt.NDArray[np.float32],
    chances: npt.NDArray[np.float32],
    answer: int,
) -> str:
    worst = int((chances * costs[:, answer]).argmax())
    told, truth = candidates.codes[answer], candidates.codes[worst]
    if worst == answer:
        return f"{told}: no confusion is likely"
    return f"{told}, but {truth} {chances[worst]:.2f} costs {costs[worst, answer]:g}"
