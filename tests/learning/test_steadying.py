from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.learning.steadying import Guessed, steadying


def _guessed(n: int, seed: int, classes: int = 3) -> Guessed:
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.ones(classes), n)
    return Guessed(rng.normal(size=(n, 4)), chances)


def _variance(labelled: list[Guessed], audience: Guessed, ridge: float) -> float:
    """Return what the audience feels of the coefficients' covariance, in full."""
    seen = audience.rows()
    even = 1 / np.maximum(audience.chances.sum(axis=0), 1)
    weight = audience.doubt() * (audience.chances @ even)[:, None]
    total = 0.0
    for k in range(audience.chances.shape[1]):
        form = np.diag([ridge] * 4 + [1e-3])
        for part in labelled:
            rows, doubt = part.rows(), part.doubt()[:, k]
            form = form + (rows * doubt[:, None]).T @ rows
        spread = np.linalg.inv(form)
        total += float(np.einsum("n,nd,de,ne->", weight[:, k], seen, spread, seen))
    return total


def test_each_gain_is_the_variance_that_the_label_takes_away() -> None:
    pool, known, audience = _guessed(12, 0), _guessed(6, 1), _guessed(30, 2)
    chosen, gains = steadying(pool, known, audience, 5, ridge=0.5)
    steps = [[known]]
    for row in chosen:
        one = Guessed(pool.points[[row]], pool.chances[[row]])
        steps.append([*steps[-1], one])
    left = [_variance(step, audience, 0.5) for step in steps]
    np.testing.assert_allclose(gains, -np.diff(left), rtol=1e-6)


def test_the_first_is_the_best_of_all() -> None:
    pool, known, audience = _guessed(12, 3), _guessed(6, 4), _guessed(30, 5)
    chosen, _ = steadying(pool, known, audience, 1, ridge=0.5)
    left = [
        _variance([known, Guessed(pool.points[[i]], pool.chances[[i]])], audience, 0.5)
        for i in range(12)
    ]
    assert chosen[0] == int(np.argmin(left))


def test_twins_are_not_both_taken_while_others_are_left() -> None:
    points = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 2.5]])
    pool = Guessed(points, np.full((3, 2), 0.5))
    audience = Guessed(np.repeat(points[1:], 10, axis=0), np.full((20, 2), 0.5))
    known = Guessed(np.zeros((1, 2)), np.full((1, 2), 0.5))
    chosen, _ = steadying(pool, known, audience, 2, ridge=0.1)
    assert set(chosen.tolist()) in ({0, 2}, {1, 2})


def test_all_are_given_where_all_are_wanted() -> None:
    chosen, gains = steadying(
        _guessed(7, 0), _guessed(3, 1), _guessed(9, 2), 7, ridge=1.0
    )
    assert sorted(chosen.tolist()) == list(range(7))
    assert (gains >= 0).all()
    assert gains[0] == pytest.approx(gains.max())
