from collections import Counter

import numpy as np
import pytest
import zarr
from skimage.draw import polygon2mask

from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.painter import FieldSpec, paint_field, paint_smear
from napari_cytosynth.testing.painter.layout import apportion
from napari_cytosynth.testing.painter.looks import LOOKS, PROPORTIONS
from napari_cytosynth.testing.painter.omezarr import Writing, write_omezarr

SPEC = FieldSpec(420, 360, cells=16)


@pytest.fixture(scope="module")
def field():
    return paint_field(SPEC, np.random.default_rng(1))


def _mask(cell, shape):
    return polygon2mask(shape, cell.outline[:, ::-1] - 0.5)


def test_same_seed_same_field(field):
    again = paint_field(SPEC, np.random.default_rng(1))
    other = paint_field(SPEC, np.random.default_rng(2))
    assert np.array_equal(field.pixels, again.pixels)
    assert [c.box for c in field.cells] == [c.box for c in again.cells]
    assert not np.array_equal(field.pixels, other.pixels)


def test_field_has_the_size_and_cells_that_were_asked_for(field):
    assert field.pixels.shape == (360, 420, 3)
    assert field.pixels.dtype == np.uint8
    assert 12 <= len(field.cells) <= SPEC.cells


def test_boxes_fit_their_outlines_and_the_picture(field):
    for cell in field.cells:
        low, high = cell.outline.min(axis=0), cell.outline.max(axis=0)
        assert cell.box.x == pytest.approx(low[0], abs=0.02)
        assert cell.box.y + cell.box.height == pytest.approx(high[1], abs=0.02)
        assert low.min() >= 0
        assert high[0] <= 420
        assert high[1] <= 360


def test_outlines_enclose_the_stained_pixels(field):
    darkness = 255.0 - field.pixels[..., 1]
    for cell in field.cells:
        if cell.concept in {"smudge", "artefact"} or cell.edge or cell.defocus:
            continue
        inside = darkness[_mask(cell, darkness.shape)]
        x, y = (round(v) for v in cell.box.centre)
        # A shifted or transposed truth would mix glass into the cell.
        assert np.median(inside) > 1.5 * np.median(darkness), cell.concept
        assert (inside > np.median(darkness) + 12).mean() > 0.85, cell.concept
        assert 0 <= x < 420
        assert 0 <= y < 360


def test_edge_is_told_of_cells_that_the_border_cuts(field):
    for cell in field.cells:
        box = cell.box
        touches = (
            box.x == 0
            or box.y == 0
            or box.x + box.width == 420
            or box.y + box.height == 360
        )
        assert cell.edge == touches


def test_neighbours_press_and_do_not_lie_on_each_other(field):
    boxes = np.array(
        [[c.box.x, c.box.y, c.box.width, c.box.height] for c in field.cells]
    )
    overlap = box_iou(boxes, boxes)
    np.fill_diagonal(overlap, 0)
    assert overlap.max() < 0.45


def test_proportions_are_those_of_marrow():
    counts = apportion(PROPORTIONS, 1000)
    assert sum(counts.values()) == 1000
    assert sum(PROPORTIONS.values()) == pytest.approx(1)
    assert counts["neutrophil.segmented"] > counts["promyelocyte"] > counts["basophil"]
    assert counts["basophil"] == 7


def test_apportion_gives_each_remainder_once():
    assert apportion({"a": 1.0, "b": 1.0, "c": 1.0}, 4) == {"a": 2, "b": 1, "c": 1}


def test_every_look_is_a_class_of_the_taxonomy():
    concepts = {kind.concept for kind in built_in("marrow21").classes}
    assert set(PROPORTIONS) <= concepts
    assert set(LOOKS) <= set(PROPORTIONS)


@pytest.mark.parametrize("concept", sorted(PROPORTIONS))
def test_each_class_can_be_painted_alone(concept):
    spec = FieldSpec(200, 200, cells=2, mix={concept: 1.0}, fat=0.0)
    painted = paint_field(spec, np.random.default_rng(4))
    assert {c.concept for c in painted.cells} == {concept}


def test_size_follows_the_scale():
    def median_width(mpp):
        spec = FieldSpec(int(100 / mpp), int(100 / mpp), 12, mpp, clumping=0.0)
        painted = paint_field(spec, np.random.default_rng(6))
        return np.median([c.box.width for c in painted.cells if not c.edge])

    assert median_width(0.25) == pytest.approx(2 * median_width(0.5), rel=0.15)


def test_eosinophils_are_redder_than_proerythroblasts():
    def colour(concept):
        spec = FieldSpec(240, 240, 4, mix={concept: 1.0}, red_cells=0, unsharp=0.0)
        painted = paint_field(spec, np.random.default_rng(3))
        masks = [_mask(c, (240, 240)) for c in painted.cells]
        return painted.pixels[np.any(masks, axis=0)].mean(axis=0)

    eosinophil, young = colour("eosinophil"), colour("proerythroblast")
    assert eosinophil[0] - eosinophil[2] > 15
    assert young[2] - young[0] > 25


@pytest.mark.parametrize("variety", [0, 2])
def test_smear_is_the_same_however_far_it_is_read(variety):
    spec = FieldSpec(600, 520, cells=24)
    first = list(paint_smear(spec, 5, tile=256, variety=variety))
    again = next(iter(paint_smear(spec, 5, tile=256, variety=variety)))
    assert [t.origin for t in first[:4]] == [(0, 0), (256, 0), (512, 0), (0, 256)]
    assert np.array_equal(first[0].pixels, again.pixels)
    assert first[-1].pixels.shape == (8, 88, 3)


def test_smear_tiles_meet_without_a_seam():
    spec = FieldSpec(512, 256, cells=14)
    left, right = paint_smear(spec, 9, tile=256)
    joined = np.concatenate([left.pixels, right.pixels], axis=1).astype(float)
    steps = np.abs(np.diff(joined, axis=1)).mean(axis=(0, 2))
    assert steps[255] < 3 * np.median(steps)


def test_smear_names_every_cell_once():
    spec = FieldSpec(768, 512, cells=40)
    tiles = list(paint_smear(spec, 11, tile=256))
    boxes = Counter(cell.box for tile in tiles for cell in tile.cells)
    assert set(boxes.values()) == {1}
    assert 20 <= len(boxes) <= 60


def test_large_smears_are_written_tile_by_tile(tmp_path):
    spec = FieldSpec(700, 520, cells=20)
    tiles = list(paint_smear(spec, 2, tile=512, variety=2))
    how = Writing(levels=3, shard=512)
    cells = write_omezarr(tmp_path / "smear.ome.zarr", spec, tiles, how)
    group = zarr.open_group(tmp_path / "smear.ome.zarr", mode="r")
    assert len(cells) == sum(len(t.cells) for t in tiles)
    assert [group[str(k)].shape[1:] for k in range(3)] == [
        (520, 700),
        (260, 350),
        (130, 175),
    ]
    corner = np.moveaxis(group["0"][:, 512:, 512:], 0, 2)
    assert np.array_equal(corner, tiles[-1].pixels)
    mean = group["0"][:, :520, 2:4].reshape(3, 260, 2, 1, 2).mean((2, 4))
    assert np.abs(group["1"][:, :, 1:2] - mean).max() <= 0.5
