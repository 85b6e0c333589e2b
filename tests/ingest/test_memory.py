from __future__ import annotations

from napari_cytosynth.bench.memory import peak_of, repeated


def test_a_repeated_smear_is_the_same_everywhere() -> None:
    image = repeated(2300)
    assert image.levels[0].shape == (2300, 2300, 3)
    first = image.read(100, 200, 50, 60)
    assert (image.read(1100, 1200, 50, 60) == first).all()
    assert (image.read(950, 200, 100, 60)[:, :50] == image.read(950, 200, 50, 60)).all()
    assert first.std() > 0


def test_a_larger_smear_has_more_cells_and_takes_hardly_more_memory() -> None:
    small, few = peak_of(700)
    large, many = peak_of(2100)
    assert many > 4 * few > 0
    assert large < small + 300
