"""Which labels would steady a model most: its variance over a pool, cell by cell.

A head's guess of a class is as uncertain as its coefficients are, along the cell's
vector; a label takes away some of that for all cells that lie alike. Cells are chosen
one by one by how much variance each takes from the whole pool: diverse by itself, as a
second label beside the first brings little. Variance reduction for logistic regression:
Schein, Ungar (2007), Active learning for logistic regression, Machine Learning 68(3);
greedy with updates of rank one, as in BAIT: Ash, Goel, Krishnamurthy, Kakade (2021),
Gone fishing, NeurIPS, arXiv 2106.09675. One class against the others at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LEVEL = 1e-3  # precision of the intercept before any label: nearly free

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Guessed:
    """Cells as a model sees them.

    Parameters
    ----------
    points : float[n, k]
        Where they lie.
    chances : float[n, classes]
        Probabilities, rows sum to 1.
    """

    points: npt.NDArray[np.floating]
    chances: npt.NDArray[np.floating]

    def rows(self) -> Floats:
        """Return float64[n, k + 1]: the points, and a one for the intercept."""
        return np.column_stack([self.points, np.ones(len(self.points))])

    def doubt(self) -> Floats:
        """Return float64[n, classes]: the variance of belonging or not."""
        chances = self.chances.astype(np.float64)
        return chances * (1 - chances)


def steadying(
    candidates: Guessed, labelled: Guessed, audience: Guessed, n: int, *, ridge: float
) -> tuple[Numbers, Floats]:
    """Choose cells whose labels would take most variance from the audience.

    Parameters
    ----------
    candidates : Guessed
        To choose from.
    labelled : Guessed
        What the model was fitted on.
    audience : Guessed
        Cells of the pool, of which each class weighs the same in all.
    n : int
        How many, at most as many as candidates.
    ridge : float
        Precision of the coefficients before any label, > 0.

    Returns
    -------
    chosen : intp[n]
        Positions among the candidates.
    gains : float64[n]
        Variance that each took away; falls along the list.
    """
    state = _State.of(candidates, labelled, audience, ridge)
    chosen, gains = np.empty(n, np.intp), np.empty(n)
    for i in range(n):
        gain = state.gains()
        gain[chosen[:i]] = -1.0
        chosen[i] = best = int(gain.argmax())
        gains[i] = gain[best]
        state.take(best)
    return chosen, np.minimum.accumulate(gains)


@dataclass(slots=True)
class _State:
    """What is known so far, one class against the others at a time.

    ``spread`` is the covariance of the coefficients, float64[classes, k, k], and
    ``felt`` what of it the audience feels: ``spread @ audience @ spread``. ``own`` and
    ``everyone`` are their quadratic forms at each candidate, float64[m, classes].
    """

    rows: Floats
    weights: Floats
    spread: Floats
    felt: Floats
    own: Floats
    everyone: Floats

    @classmethod
    def of(
        cls, candidates: Guessed, labelled: Guessed, audience: Guessed, ridge: float
    ) -> _State:
        rows, known, seen = candidates.rows(), labelled.rows(), audience.rows()
        before = np.full(rows.shape[1], ridge)
        before[-1] = _LEVEL
        even = 1 / np.maximum(audience.chances.sum(axis=0, dtype=np.float64), 1.0)
        weight = audience.doubt() * (audience.chances @ even)[:, None]
        precision = np.diag(before) + _forms(known, labelled.doubt())
        spread = np.asarray(np.linalg.inv(precision), np.float64)
        felt = spread @ _forms(seen, weight) @ spread
        own, everyone = (
            np.einsum("md,kde,me->mk", rows, forms, rows, optimize=True)
            for forms in (spread, felt)
        )
        return cls(rows, candidates.doubt(), spread, felt, own, everyone)

    def gains(self) -> Floats:
        """Return float64[m]: the variance that a label of each would take away."""
        gains: Floats = (
            self.weights * self.everyone / (1 + self.weights * self.own)
        ).sum(axis=1)
        return gains

    def take(self, best: int) -> None:
        """Count a candidate as labelled."""
        row, weight = self.rows[best], self.weights[best]
        shrunk = weight / (1 + weight * self.own[best])
        towards, heard = self.spread @ row, self.felt @ row
        along, by = self.rows @ towards.T, self.rows @ heard.T
        extra = shrunk**2 * self.everyone[best]
        self.own -= shrunk * along**2
        self.everyone += extra * along**2 - 2 * shrunk * along * by
        np.maximum(self.everyone, 0, out=self.everyone)
        outer = towards[:, :, None] * towards[:, None, :]
        cross = towards[:, :, None] * heard[:, None, :]
        scale, extra = shrunk[:, None, None], extra[:, None, None]
        self.spread -= scale * outer
        self.felt += extra * outer - scale * (cross + cross.transpose(0, 2, 1))


def _forms(rows: Floats, weights: Floats) -> Floats:
    """Return float64[classes, k, k]: sums of weighted outer products."""
    return np.stack([(rows * w[:, None]).T @ rows for w in weights.T])
