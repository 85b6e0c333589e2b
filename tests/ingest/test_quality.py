"""Sharpness, tears and crowding, on painted and on the developers' real pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.quality import Limits
from napari_cytosynth.ingest import open_smear
from napari_cytosynth.ingest.crowding import overlap_depths
from napari_cytosynth.ingest.quality import edge_width, measure_quality, torn
from napari_cytosynth.testing.painter import FieldSpec, paint_field

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def field() -> Picture:
    return paint_field(FieldSpec(400, 360, 12), np.random.default_rng(3)).pixels


def disc_crop(sigma: float) -> npt.NDArray[np.uint8]:
    """Return a round dark nucleus of 12 um, its edge a Gaussian of ``sigma`` um."""
    y, x = np.mgrid[:384, :384] / 4
    inside = (np.hypot(x - 48, y - 48) < 24).astype(np.float64)
    soft = ndimage.gaussian_filter(inside, sigma / 0.25 * 4)
    small = soft.reshape(96, 4, 96, 4).mean(axis=(1, 3))
    grey = (230 - 150 * small).astype(np.uint8)
    return np.repeat(grey[None, ..., None], 3, axis=3)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.8, 1.2])
def test_width_of_an_edge_is_told_in_micrometres(sigma: float) -> None:
    assert edge_width(disc_crop(sigma), (12.0, 12.0)) == pytest.approx(sigma, abs=0.08)


def test_what_lies_outside_the_box_is_not_looked_at() -> None:
    crop = disc_crop(0.9)
    crop[:, :, :6] = 255 * (np.arange(96)[None, :, None, None] % 2)
    assert edge_width(crop, (12.0, 12.0)) == pytest.approx(0.9, abs=0.1)


def test_an_empty_picture_has_the_softest_edges() -> None:
    assert edge_width(np.full((1, 96, 96, 3), 240, np.uint8), (10.0, 10.0)) == 3.0


def broken(picture: Picture, row: int, *, shift: int = 60) -> Picture:
    """Return what a decoder makes of a block that broke in this row of blocks."""
    torn_picture = picture.astype(np.int16)
    rest = np.roll(torn_picture[row:], 96, axis=1)
    rest += np.array([shift, -shift // 2, shift // 3], np.int16)
    torn_picture[row:] = rest
    return np.clip(torn_picture, 0, 255).astype(np.uint8)


def test_a_torn_picture_is_told_from_a_whole_one(field: Picture) -> None:
    assert torn(field) < 0.1
    assert torn(broken(field, 160)) > 0.5
    assert torn(broken(field.transpose(1, 0, 2), 160).transpose(1, 0, 2)) > 0.5


def test_tears_lie_where_blocks_of_the_smear_begin(field: Picture) -> None:
    hurt = broken(field, 160)
    assert torn(hurt[5:, 3:], (3, 5)) > 0.5
    assert torn(hurt[5:, 3:]) < Limits().torn


def test_grey_that_ends_a_short_file_is_damage_and_a_frame_is_none(
    field: Picture,
) -> None:
    ended, framed = field.copy(), field.copy()
    ended[200:] = 128
    framed[:64], framed[296:] = 208, 0
    assert torn(ended) > 0.5
    assert torn(framed) < 0.1


def test_a_painted_scale_bar_is_no_damage(field: Picture) -> None:
    barred = field.copy()
    barred[320:323, 40:300] = 0
    assert torn(barred) < 0.1


def test_a_coarsely_saved_picture_is_no_damage(field: Picture, tmp_path: Path) -> None:
    Image.fromarray(field).save(tmp_path / "a.jpg", quality=20)
    assert torn(np.asarray(Image.open(tmp_path / "a.jpg"))) < Limits().torn


def test_too_small_a_picture_tells_nothing() -> None:
    assert torn(np.zeros((20, 20, 3), np.uint8)) == 0.0


def test_cells_of_a_smear_are_measured_in_its_pixels(
    field: Picture, tmp_path: Path
) -> None:
    Image.fromarray(broken(field, 160)).save(tmp_path / "a.png")
    image = open_smear(tmp_path / "a.png")
    boxes = np.array([[30, 140, 40, 40], [350, 320, 40, 40]], np.float32)
    measures = measure_quality(image, boxes, 0.25)
    assert measures.shape == (2, 2)
    assert measures.dtype == np.float32
    assert measures[0, 1] > 0.5  # the tear lies within 24 um
    assert measures[1, 1] < 0.1
    assert measure_quality(image, np.zeros((0, 4)), 0.25).shape == (0, 2)
    with pytest.raises(InputError, match="micrometres wide"):
        measure_quality(image, boxes, 0.0)
    image.close()


def test_cells_are_measured_alike_alone_and_together(
    field: Picture, tmp_path: Path
) -> None:
    Image.fromarray(broken(field, 160)).save(tmp_path / "a.png")
    image = open_smear(tmp_path / "a.png")
    rng = np.random.default_rng(1)
    corners = rng.uniform(-10, 350, (12, 2))
    boxes = np.concatenate([corners, rng.uniform(20, 60, (12, 2))], axis=1)
    together = measure_quality(image, boxes, 0.25)
    alone = [measure_quality(image, box[None], 0.25)[0] for box in boxes]
    np.testing.assert_array_equal(together, np.stack(alone))
    image.close()


def disc(x: float, radius: float = 20.0) -> npt.NDArray[np.float32]:
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    return np.asarray(ring + np.array([x, 0]), np.float32)


def parted(apart: float) -> list[npt.NDArray[np.float32]]:
    """Return two discs, each cut off midway, as a detector parts them."""
    left, right = disc(0), disc(apart)
    left[:, 0] = np.minimum(left[:, 0], apart / 2)
    right[:, 0] = np.maximum(right[:, 0], apart / 2)
    return [left, right]


@pytest.mark.parametrize("apart", [20.0, 28.0, 34.0])
def test_how_deep_parted_cells_lie_in_one_another(apart: float) -> None:
    depths = overlap_depths(parted(apart), 1.0)
    np.testing.assert_allclose(depths, (40 - apart) / 40, atol=0.05)


def test_cells_that_touch_or_stand_apart_do_not_overlap() -> None:
    assert overlap_depths([disc(0), disc(41)], 1.5).max() < 0.05
    assert overlap_depths([disc(0), disc(60)], 1.0).tolist() == [0, 0]
    assert overlap_depths([disc(0)], 1.0).tolist() == [0]
    assert len(overlap_depths([], 1.0)) == 0


def test_outlines_that_cross_and_lie_within_others_overlap() -> None:
    assert overlap_depths([disc(0), disc(24)], 1.0).min() > 0.3
    assert overlap_depths([disc(0), disc(2, radius=8)], 1.0)[1] == 1.0


def test_lines_and_points_are_no_cells() -> None:
    odd = [disc(0), disc(10)[:2], np.zeros((0, 2), np.float32)]
    assert overlap_depths(odd, 1.0).tolist() == [0, 0, 0]


def test_the_developers_damaged_pictures(developer_data: Path) -> None:
    folder = developer_data / "bone_marrow" / "mll_crops"
    hurt = {p.name: torn(_pixels(p)) for p in (folder / "corrupted").glob("*.jpg")}
    whole = {p.name: torn(_pixels(p)) for p in (folder / "intact").glob("*.jpg")}
    assert len(hurt) == 4
    assert min(hurt.values()) > Limits().torn
    assert max(whole.values()) < Limits().torn


def test_the_developers_sharp_cells_stay_sharp_and_blurred_ones_do_not(
    developer_data: Path,
) -> None:
    folder = developer_data / "classification" / "pbc_barcelona"
    paths = sorted(p for p in folder.rglob("*.jpg") if _hash(p) >= 5)[::25]
    sharp = [_edge(_pixels(p)) for p in paths]
    soft = [_edge(_blurred(_pixels(p), 0.75)) for p in paths]
    limit = Limits().edge_um
    assert np.mean(np.array(sharp) < limit) > 0.95
    assert np.mean(np.array(soft) >= limit) > 0.95


def _pixels(path: Path) -> Picture:
    return np.asarray(Image.open(path).convert("RGB"))


def _hash(path: Path) -> int:
    return int(hashlib.sha1(path.name.encode()).hexdigest(), 16) % 10


def _blurred(picture: Picture, sigma_um: float) -> Picture:
    soft = ndimage.gaussian_filter(
        picture.astype(np.float32), (sigma_um / 0.1,) * 2 + (0,)
    )
    return np.clip(soft + 0.5, 0, 255).astype(np.uint8)


def _edge(picture: Picture) -> float:
    height, width = picture.shape[:2]
    box = (width / 2 - 120, height / 2 - 120, width / 2 + 120, height / 2 + 120)
    crop = Image.fromarray(picture).resize((96, 96), Image.Resampling.BICUBIC, box=box)
    return edge_width(np.asarray(crop)[None], (14.0, 14.0))
