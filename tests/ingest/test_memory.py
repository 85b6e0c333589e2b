from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_cytosynth.bench.memory import most_held, peak_apart, repeated


def test_a_repeated_smear_is_the_same_everywhere() -> None:
    image = repeated(2300)
    assert image.levels[0].shape == (2300, 2300, 3)
    first = image.read(100, 200, 50, 60)
    assert (image.read(1100, 1200, 50, 60) == first).all()
    assert (image.read(950, 200, 100, 60)[:, :50] == image.read(950, 200, 50, 60)).all()
    assert first.std() > 0


def test_a_larger_smear_has_more_cells_and_takes_hardly_more_memory() -> None:
    small, few = peak_apart(700)
    large, many = peak_apart(2100)
    assert many > 4 * few > 0
    assert 50 < large < small + 200


def test_the_most_memory_is_told_after_it_was_given_back() -> None:
    held = np.ones(300 << 20, np.uint8)
    del held
    assert most_held() > 300 << 20


def test_without_a_record_what_is_held_now_is_told(tmp_path: Path) -> None:
    assert most_held(tmp_path / "none") > 20 << 20
