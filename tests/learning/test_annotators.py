from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.bench.annotators import (
    BATCH,
    START,
    Board,
    Game,
    area,
    ceiling,
    fit_on,
    labels_to,
    ours,
    play,
)
from napari_cytosynth.bench.course import Course, Entrant
from napari_cytosynth.bench.labels import taxonomy_of
from napari_cytosynth.bench.rivals import rivals
from napari_cytosynth.core.registry import load, names


def _game(seed: int = 0, noise: float = 0.0) -> Game:
    rng = np.random.default_rng(0)
    kinds = np.array(["SNE", "EO", "PMY"])
    codes = kinds[rng.choice(3, 400, p=(0.6, 0.35, 0.05))]
    centres = dict(zip(kinds.tolist(), rng.normal(size=(3, 12)) * 0.6, strict=True))
    vectors = np.stack([centres[c] for c in codes.tolist()])
    vectors = (vectors + rng.normal(size=vectors.shape)).astype(np.float32)
    return Game.deal(vectors, codes, taxonomy_of(codes), seed, noise)


def test_labels_bring_the_score_towards_that_of_the_whole_pool() -> None:
    game = _game()
    played = play(game, ours(load("strategies", "margin")()), 120)
    curve = played.curve
    assert len(set(played.labelled.tolist())) == curve[-1, 0]
    assert curve[0, 0] == START
    assert (np.diff(curve[:, 0]) == BATCH).all()
    assert curve[-1, 1] > curve[0, 1]
    assert curve[-1, 1] == pytest.approx(ceiling(game)[0], abs=0.1)


def test_the_same_seed_plays_the_same_game() -> None:
    pick = ours(load("strategies", "balanced")())
    first, again = play(_game(), pick, 60), play(_game(), pick, 60)
    np.testing.assert_array_equal(first.curve, again.curve)
    np.testing.assert_array_equal(first.labelled, again.labelled)
    assert not np.array_equal(first.curve, play(_game(1), pick, 60).curve)


def test_noise_spoils_the_labels_and_not_the_cells_to_score_on() -> None:
    clean, noisy = _game(), _game(noise=0.2)
    share = float((clean.codes != noisy.codes).mean())
    assert 0.1 < share < 0.3
    np.testing.assert_array_equal(clean.truth, noisy.truth)


@pytest.mark.parametrize("name", names("strategies"))
def test_every_strategy_chooses_cells_without_a_label(name: str) -> None:
    game = _game()
    rows = game.start()
    board = Board(game, rows, fit_on(game, rows, None))
    chosen = ours(load("strategies", name)())(board, np.random.default_rng(0))
    assert len(set(chosen.tolist()) - set(rows.tolist())) == BATCH


def test_rivals_choose_cells_without_a_label() -> None:
    found = rivals()
    if not found:
        pytest.skip("neither modAL nor scikit-activeml is installed: extra [bench]")
    game = _game()
    rows = game.start()
    board = Board(game, rows, fit_on(game, rows, None))
    for pick in found.values():
        chosen = pick(board, np.random.default_rng(0))
        assert len(set(chosen.tolist()) - set(rows.tolist())) == BATCH


def test_reached_is_three_scores_in_a_row() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.9, 0.9, 0.9, 0.5])
    curve = np.column_stack([10 + 10 * np.arange(7), scores, scores])
    assert labels_to(curve, 0.9, pool=999) == 40
    assert labels_to(curve, 0.95, pool=999) == 999


def test_the_area_leaves_the_random_start_out() -> None:
    curve = np.array([[10, 0.0, 0.0], [20, 0.5, 0.5], [30, 0.7, 0.7]])
    assert area(curve) == pytest.approx(0.6)


def test_codes_of_another_set_make_a_plain_taxonomy() -> None:
    made = taxonomy_of(np.array(["Aa", "Bb"]))
    assert made.codes == ("Aa", "Bb")
    assert taxonomy_of(np.array(["SNE"])).name == "pbc11"


def test_a_game_that_was_kept_is_not_played_again(tmp_path: Path) -> None:
    game = _game()
    told = {"dataset": "made_up", "embedder": "none"}
    course = Course(told, game.vectors, game.codes, game.taxonomy, 40, tmp_path)
    entrant = Entrant(("ours", "margin"), ours(load("strategies", "margin")()))
    first = course.figures(entrant, [0, 1])
    assert len(list(tmp_path.iterdir())) == 2

    def refuse(board: Board, rng: np.random.Generator) -> np.ndarray:
        raise AssertionError("this game was played before")

    again = course.figures(Entrant(entrant.name, refuse), [0, 1])
    np.testing.assert_array_equal(first, again)
    with pytest.raises(AssertionError, match="played before"):
        course.figures(Entrant(entrant.name, refuse, 0.1), [0])


def test_a_game_ends_when_its_goal_is_reached_three_times() -> None:
    game, pick = _game(), ours(load("strategies", "margin")())
    whole = play(game, pick, 120).curve
    goal = float(whole[3:6, 1].min())
    early = play(game, pick, 120, until=goal).curve
    assert len(early) < len(whole)
    assert labels_to(early, goal, 999) == labels_to(whole, goal, 999)
