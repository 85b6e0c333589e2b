import numpy as np

from napari_cytosynth.synthesis.centre import centre_masks


def scene(radius, offset=0):
    """Paint a violet cell with a dark nucleus, and a red cell that touches it."""
    axis = np.arange(96) - 47.5
    crop = np.full((96, 96, 3), (250, 230, 205), np.uint8)
    red = np.hypot(axis[:, None] - radius - 22, axis[None, :]) < 13
    crop[red] = (190, 165, 160)
    cell = np.hypot(axis[:, None], axis[None, :] - offset) < radius
    crop[cell] = (200, 170, 215)
    crop[np.hypot(axis[:, None], axis[None, :] - offset) < 0.7 * radius] = (80, 40, 130)
    return crop, cell, red


def test_the_cell_is_marked_and_the_red_cell_beside_it_is_not():
    for radius in (14, 24):
        crop, cell, red = scene(radius)
        mask = centre_masks(crop[None])[0]
        assert mask.dtype == np.float32
        assert mask[cell].min() > 0.9
        assert mask[red].mean() < 0.25
        assert mask[:6].max() == 0


def test_without_a_nucleus_a_disc_stands_for_the_cell():
    mask = centre_masks(np.full((1, 96, 96, 3), 240, np.uint8))[0]
    assert mask[48, 48] == 1
    assert mask[0, 0] == 0
    assert 0.15 < mask.mean() < 0.35


def test_no_crops_give_no_masks():
    assert centre_masks(np.zeros((0, 96, 96, 3), np.uint8)).shape == (0, 96, 96)
