"""The pixel size is read off painted smears of known ones, and its trust is earned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.smear import Calibration, MppSource, Trust
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.ingest import calibrate, detect_cells, open_smear
from napari_cytosynth.ingest.circles import Circles, count_circles
from napari_cytosynth.ingest.classic import ClassicDetector
from napari_cytosynth.ingest.stain import nuclear_dye
from napari_cytosynth.testing.painter import FieldSpec, PaintedField, paint_field
from tests.ingest.test_detection import GLASS, RED, image_of

SCALES = (0.1, 0.15, 0.25, 0.4, 0.6)


def painted(mpp: float, **options: float) -> PaintedField:
    """Paint a field of 80 um or more, with a few white cells."""
    side = max(round(80 / mpp), 420)
    cells = max(3, round((side * mpp) ** 2 / 2500))
    spec = FieldSpec(side, side, cells, mpp=mpp, **options)  # type: ignore[arg-type]
    return paint_field(spec, np.random.default_rng(3))


def measured(pixels: np.ndarray) -> Calibration:
    return calibrate(image_of(pixels))


def in_eyepiece(pixels: np.ndarray) -> np.ndarray:
    """Return the picture as through an eyepiece: a disc, black around it."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width] + 0.5
    outside = np.hypot((y - height / 2) / height, (x - width / 2) / width) > 0.48
    dark = np.random.default_rng(0).integers(0, 14, pixels.shape)
    return np.where(outside[..., None], dark, pixels).astype(np.uint8)


@pytest.mark.parametrize("mpp", SCALES)
def test_red_cells_tell_the_scale(mpp: float) -> None:
    calibration = measured(painted(mpp).pixels)
    assert calibration.mpp == pytest.approx(mpp, rel=0.15)
    assert calibration.mpp_source is MppSource.RED_CELLS
    assert calibration.trust is Trust.HIGH
    assert calibration.seen >= 8
    assert f"from {calibration.seen} red cells, confidence high" in calibration.words


@pytest.mark.parametrize("mpp", [0.8, 1.0])
def test_red_cells_of_few_pixels_tell_the_scale(mpp: float) -> None:
    """Discs in cells of eight pixels come out too large until they are enlarged."""
    assert measured(painted(mpp).pixels).mpp == pytest.approx(mpp, rel=0.15)


@pytest.mark.parametrize("mpp", SCALES)
def test_a_black_rim_all_around_is_no_nucleus(mpp: float) -> None:
    calibration = measured(in_eyepiece(painted(mpp).pixels))
    assert calibration.mpp == pytest.approx(mpp, rel=0.15)
    assert calibration.mpp_source is MppSource.RED_CELLS
    assert max(calibration.background) > 200


@pytest.mark.parametrize("falloff", [0.3, 0.6])
@pytest.mark.parametrize("mpp", SCALES)
def test_dark_corners_do_not_change_the_scale(mpp: float, falloff: float) -> None:
    assert measured(painted(mpp, falloff=falloff).pixels).mpp == pytest.approx(
        mpp, rel=0.15
    )


@pytest.mark.parametrize("mpp", SCALES)
def test_without_red_cells_the_scale_is_a_guess_and_says_so(mpp: float) -> None:
    calibration = measured(painted(mpp, red_cells=0.0).pixels)
    assert calibration.trust is Trust.LOW
    assert "no whole red cell: from" in calibration.words
    assert "check it with the scale bar" in calibration.words
    # A guess, but none that makes white cells of platelets.
    assert 1 / 3 < calibration.mpp / mpp < 3


@pytest.mark.parametrize("mpp", [0.1, 0.2])
def test_a_lone_white_cell_tells_the_scale_though_its_lobes_are_small(
    mpp: float,
) -> None:
    side = round(24 / mpp)
    y, x = (np.mgrid[:side, :side] + 0.5) * mpp
    picture = np.empty((side, side, 3))
    picture[:] = GLASS
    picture[np.hypot(y - 12, x - 12) < 6] = (205, 190, 215)
    for cy, cx in ((9.2, 10.5), (11.5, 14.8), (14.8, 10.8)):
        picture[np.hypot(y - cy, x - cx) < 1.9] = (90, 40, 140)
    noisy = picture + np.random.default_rng(0).normal(0, 3, picture.shape)
    calibration = measured(noisy.clip(0, 255).astype(np.uint8))
    assert calibration.mpp == pytest.approx(mpp, rel=0.35)
    assert calibration.trust is Trust.LOW


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_red_cells_in_one_mass_tell_the_scale(mpp: float) -> None:
    """Discs touch on a lattice and their gaps are stained: only edges are left."""
    side = round(110 / mpp)
    y, x = (np.mgrid[:side, :side] + 0.5) * mpp
    picture = np.empty((side, side, 3))
    picture[:] = GLASS
    rows = np.arange(8, 100, 7.2)
    for number, cy in enumerate(rows):
        for cx in np.arange(8 + 3.6 * (number % 2), 100, 7.2):
            away = np.hypot(y - cy, x - cx)
            picture[away < 4.2] = (222, 196, 192)
    for number, cy in enumerate(rows):
        for cx in np.arange(8 + 3.6 * (number % 2), 100, 7.2):
            picture[np.hypot(y - cy, x - cx) < 3.5] = RED
    noisy = picture + np.random.default_rng(0).normal(0, 3, picture.shape)
    calibration = measured(noisy.clip(0, 255).astype(np.uint8))
    assert calibration.mpp == pytest.approx(mpp, rel=0.2)


def test_a_stated_scale_is_held_against_the_cells() -> None:
    pixels = painted(0.25).pixels
    right = calibrate(image_of(pixels), 0.25)
    assert not right.told
    assert right.words == "0.25 um/px, as you gave it"
    slip = calibrate(image_of(pixels), 2.5)
    assert slip.mpp == 2.5
    assert slip.told == pytest.approx(0.25, rel=0.15)
    assert "though the cells in it tell 0.2" in slip.words
    assert Calibration.from_json(slip.to_json()) == slip
    # A person is believed; a file that says one micrometre, as many do, is not.
    assert slip.trust is Trust.HIGH
    assert calibrate(image_of(pixels, 1.0)).trust is Trust.LOW
    assert calibrate(image_of(pixels, 0.25)).trust is Trust.HIGH


def test_nothing_to_tell_contradicts_nothing() -> None:
    blank = np.full((300, 300, 3), 230, np.uint8)
    assert not calibrate(image_of(blank), 3.0).told


@pytest.mark.data
def test_scale_bars_agree(developer_data: Path) -> None:
    """Chula's bar is 20 um on 103.8 pixels, SegPC's 10 um on 61.2."""
    errors = []
    for folder, mpp, step in (
        ("detection/chula_rbc12", 20 / 103.8, 6),
        ("bone_marrow/segpc_myeloma/images", 10 / 61.2, 20),
    ):
        for path in sorted((developer_data / folder).rglob("*.jpg"))[::step]:
            image = open_smear(path)
            errors.append(np.log(calibrate(image).mpp / mpp))
            image.close()
    assert np.mean(np.abs(errors) < np.log(1.2)) >= 0.75


@pytest.mark.parametrize("radius", [6.0, 11.0, 23.0, 40.0])
def test_circles_of_one_size_are_counted_at_that_size(radius: float) -> None:
    side = 400
    y, x = np.mgrid[:side, :side] + 0.5
    density = np.zeros((side, side), np.float32)
    step = 3.4 * radius
    centres = np.arange(radius, side - radius, step)
    for cy in centres:
        for cx in centres:
            away = np.hypot(y - cy, x - cx)
            density[away < radius] = 0.3
    circles = count_circles(density, np.ones(density.shape, bool), 0.15)
    near = np.abs(np.log(circles.radii / radius)) < 0.12
    assert circles.clear[near].max() == pytest.approx(len(centres) ** 2, rel=0.3)
    assert circles.clear[circles.radii > 1.6 * radius].max() < 0.3 * len(centres) ** 2
    assert (np.diff(circles.radii) > 0).all()


def test_circles_of_windows_of_different_sizes_add_up() -> None:
    large = Circles(np.array([4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    small = Circles(np.array([4.0, 5.0]), np.array([10.0, 10.0]))
    for both in (large.plus(small), small.plus(large)):
        assert both.radii.tolist() == [4.0, 5.0, 6.0]
        assert both.clear.tolist() == [11.0, 12.0, 3.0]
    assert large.clear.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("radius", [11.0, 23.0])
def test_large_circles_show_as_well_on_a_reduced_picture(radius: float) -> None:
    y, x = np.mgrid[:300, :300] + 0.5
    density = np.zeros((300, 300), np.float32)
    for cy, cx in ((60, 60), (60, 220), (220, 60), (220, 220)):
        density[np.hypot(y - cy, x - cx) < radius] = 0.3
    free = np.ones(density.shape, bool)
    circles = count_circles(density, free, 0.15, large=True)
    assert circles.radii[0] == 8
    near = np.abs(np.log(circles.radii / radius)) < 0.12
    assert circles.clear[near].max() == pytest.approx(4, rel=0.3)


def test_blank_glass_has_no_circles() -> None:
    density = np.zeros((64, 64), np.float32)
    circles = count_circles(density, np.ones(density.shape, bool), 0.04)
    assert not circles.clear.any()


def test_a_picture_without_colour_tells_its_scale_and_no_nonsense() -> None:
    gray = painted(0.25).pixels[..., 1:2].repeat(3, axis=2)
    calibration = measured(gray)
    assert calibration.mpp == pytest.approx(0.25, rel=0.2)
    assert 0 < calibration.thresholds["level"] < 5


@pytest.mark.parametrize("mpp", [0.25, 0.8, 5.0])
def test_coarse_pictures_are_not_enlarged_without_end(
    mpp: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []

    def noting(pixels: np.ndarray, *how: object) -> np.ndarray:
        looked_at.extend(pixels.shape[:2])
        return np.zeros(pixels.shape[:2], bool)

    for name in ("unusable", "painted"):
        monkeypatch.setattr(f"napari_cytosynth.ingest.calibration.{name}", noting)
    calibrate(image_of(painted(0.25).pixels), mpp)
    assert 100 < max(looked_at) <= 1536
    if mpp <= 0.8:
        assert max(looked_at) == round(420 * mpp / 0.4)


def test_two_stains_of_one_colour_are_not_parted() -> None:
    gray = (3**-0.5, 3**-0.5, 3**-0.5)
    nearly = (0.5774, 0.5773, 0.5774)
    density = np.full((4, 4, 3), 0.5, np.float32)
    assert np.abs(nuclear_dye(density, (gray, nearly))).max() < 1


@pytest.mark.parametrize("falloff", [0.0, 0.4])
def test_no_cell_is_lost_in_dark_corners(falloff: float) -> None:
    """Whole cells of a large field, those in its corners apart."""
    side, mpp = 1100, 0.25
    spec = FieldSpec(side, side, 60, mpp=mpp, falloff=falloff, clumping=0.0)
    field = paint_field(spec, np.random.default_rng(5))
    cells = [c for c in field.cells if not c.edge and c.defocus == 0]
    truth = np.array([(c.box.x, c.box.y, c.box.width, c.box.height) for c in cells])
    image = image_of(field.pixels)
    found = run_to_end(detect_cells(image, ClassicDetector(), calibrate(image)))
    centres = truth[:, :2] + truth[:, 2:] / 2
    away = np.hypot(*(centres / side - 0.5).T)
    hit = box_iou(found.boxes, truth).max(axis=0, initial=0) > 0.4
    corner = away > 0.5
    assert corner.sum() >= 8
    assert hit[corner].mean() >= 0.85
    assert hit[~corner].mean() >= 0.85
