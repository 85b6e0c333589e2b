import numpy as np
from skimage.color import rgb2lab

from napari_cytosynth.synthesis.appearance import (
    DESCRIPTOR_SIZE,
    Stain,
    StainShift,
    describe,
    lab_to_rgb,
    rgb_to_lab,
)
from napari_cytosynth.synthesis.thumbnails import thumbnails, turned_distances


def test_lab_matches_scikit_image_and_comes_back():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    np.testing.assert_allclose(rgb_to_lab(rgb), rgb2lab(rgb), atol=0.02)
    np.testing.assert_array_equal(lab_to_rgb(rgb_to_lab(rgb)), rgb)


def test_descriptors_do_not_change_when_a_cell_is_turned(cells):
    crops = cells.crops[:4]
    turned = np.rot90(crops, axes=(1, 2))[:, :, ::-1]
    assert describe(crops).shape == (4, DESCRIPTOR_SIZE)
    np.testing.assert_allclose(describe(crops), describe(turned), atol=0.6)
    assert describe(crops[:0]).shape == (0, DESCRIPTOR_SIZE)
    assert np.isfinite(describe(np.full((1, 96, 96, 3), 255, np.uint8))).all()


def test_a_mixture_of_stains_is_the_stain_of_all(cells):
    parts = [Stain.of(cells.crops[:10]), Stain.of(cells.crops[10:40])]
    mixed, whole = Stain.mix(parts, [10, 30]), Stain.of(cells.crops[:40])
    np.testing.assert_allclose(mixed.mean, whole.mean)
    np.testing.assert_allclose(mixed.spread, whole.spread)


def test_stain_shift_trusts_few_cells_less(cells):
    source = Stain.of(cells.crops)
    target = Stain(source.mean + np.array([-6, 3, -4]), source.spread * 1.1)
    crops = cells.crops[:20]
    for n, share in ((5, 0.5), (10_000, 1.0)):
        moved = StainShift.between(source, target, n).apply(crops)
        change = Stain.of(moved).mean - Stain.of(crops).mean
        assert abs(change[0] + 6 * share) < 1.5
    told = StainShift.between(source, target, 10_000).to_json()
    np.testing.assert_allclose(told["moved"], [-6, 3, -4], atol=0.01)
    shift = StainShift.between(source, target, 100)
    back = shift.inverse().apply(shift.apply(crops))
    assert np.abs(back.astype(int) - crops).mean() < 1.5
    assert StainShift.none().apply(crops) is crops


def test_thumbnails_find_turned_copies_in_another_stain(cells):
    small = thumbnails(cells.crops)
    copy = np.rot90(cells.crops[3], 1)[::-1] * np.array([0.9, 0.95, 1.0])
    distances = turned_distances(thumbnails(copy[None].astype(np.uint8)), small)[0]
    assert distances.argmin() == 3
    assert distances[3] < np.sort(distances)[1] / 3
