from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from napari_cytosynth.bench.few_shots import (
    REPEATS,
    few_shot_scores,
    interval,
    neighbour_hits,
)
from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.bench.stains import other_stains, with_enough

CODES = np.array(["a", "b", "c"] * 12)


def _vectors(gap: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    middle = np.eye(3, 5, dtype=np.float32)[np.arange(len(CODES)) % 3] * gap
    return (middle + rng.normal(size=(len(CODES), 5))).astype(np.float32)


def test_clear_classes_score_one_and_noise_scores_chance() -> None:
    clear = few_shot_scores(_vectors(40), CODES, 4, 3)
    assert clear.shape == (3, REPEATS + 1, 4)
    assert np.nanmin(clear) == 1
    noise, *_ = interval(few_shot_scores(_vectors(0), CODES, 4, 6)[..., 0])
    assert 0.1 < noise < 0.55


def test_two_embedders_meet_the_same_draws() -> None:
    first, again = (few_shot_scores(_vectors(2), CODES, 4, 2) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_neighbours_are_other_cells() -> None:
    assert neighbour_hits(_vectors(40), CODES)[0, 0] == 1
    alone = np.array(["x", *CODES[1:]])
    assert neighbour_hits(_vectors(40), alone)[0, 0] == 1 - 1 / len(CODES)


def test_the_interval_holds_the_value_and_widens_with_the_seeds() -> None:
    rng = np.random.default_rng(0)
    even = np.full((5, REPEATS + 1), 0.5) + rng.normal(0, 0.01, (5, REPEATS + 1))
    value, low, high = interval(even)
    assert low < value < high
    spread = even + np.linspace(-0.2, 0.2, 5)[:, None]
    _, lower, higher = interval(spread)
    assert higher - lower > 3 * (high - low)


def test_classes_of_few_cells_are_left_out() -> None:
    pack = Pack(np.zeros((5, 96, 96, 3), np.uint8), np.array([*"aaabb"]))
    assert with_enough(pack, 3).codes.tolist() == ["a", "a", "a"]


def test_other_stains_are_cut_where_they_are_there(tmp_path: Path) -> None:
    assert other_stains(tmp_path) == {}
    folder = tmp_path / "classification" / "aml_lmu"
    folder.mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerows([["file", "class15"], ["a.png", "EOS"], ["b.png", "LYT"]])
    for name, shade in (("a.png", 90), ("b.png", 200)):
        Image.new("RGB", (300, 300), (shade, shade, shade)).save(folder / name)
    pack = other_stains(tmp_path)["aml_lmu"]
    assert pack.codes.tolist() == ["EOS", "LYT"]
    assert [int(c[48, 48, 0]) for c in pack.crops] == [90, 200]
