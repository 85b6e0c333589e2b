from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.smear import Calibration, MppSource, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.ingest import calibrate, classic, detect_cells, open_smear
from napari_cytosynth.ingest.classic import ClassicDetector
from napari_cytosynth.ingest.image import LevelPlan, PyramidImage, array_level
from napari_cytosynth.ingest.resample import WorkingGrid
from napari_cytosynth.ingest.tiles import Tiling, detect_at
from napari_cytosynth.testing.contracts_ingest import DetectorContract

GLASS, RED, CYTOPLASM, NUCLEUS = (
    (240, 232, 225),
    (205, 160, 160),
    (190, 165, 205),
    (90, 40, 140),
)


class TestClassic(DetectorContract):
    def make(self) -> Detector:
        return ClassicDetector()


def image_of(pixels: np.ndarray, mpp: float | None = None) -> SmearImage:
    height, width = pixels.shape[:2]
    smear = Smear("memory", width, height, mpp, "memory", "0")
    return PyramidImage(smear, [LevelPlan(array_level(pixels), 1.0)])


def paint(
    size: tuple[int, int], mpp: float, *, white: int, red: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paint a field and return it with the boxes of its white cells."""
    rng = np.random.default_rng(seed)
    height, width = size
    picture = np.empty((height, width, 3))
    picture[:] = GLASS
    y, x = np.mgrid[:height, :width] + 0.5
    for _ in range(red):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        away = np.hypot(y - cy, x - cx) * mpp
        picture[away < 3.75] = RED
        picture[away < 1.2] = (215, 175, 172)
    boxes: list[list[float]] = []
    for _ in range(50 * white):
        if len(boxes) == white:
            break
        radius = rng.uniform(5.5, 7.5)
        cy = rng.uniform(8 / mpp, height - 8 / mpp)
        cx = rng.uniform(8 / mpp, width - 8 / mpp)
        new = [cx - radius / mpp, cy - radius / mpp, 2 * radius / mpp, 2 * radius / mpp]
        if boxes and box_iou(np.array(boxes), np.array([new])).max() > 0:
            continue
        away = np.hypot(y - cy, x - cx) * mpp
        picture[away < radius] = CYTOPLASM
        picture[away < 0.65 * radius] = NUCLEUS
        boxes.append(new)
    noisy = picture + rng.normal(0, 4, picture.shape)
    return noisy.clip(0, 255).astype(np.uint8), np.array(boxes)


def found_in(
    image: SmearImage, calibration: Calibration, **options: object
) -> Detections:
    return run_to_end(detect_cells(image, ClassicDetector(), calibration, **options))


@pytest.mark.parametrize("mpp", [0.1, 0.25, 0.5])
def test_scale_is_read_off_red_cells(mpp: float) -> None:
    side = int(100 / mpp)
    pixels, _ = paint((side, side), mpp, white=2, red=60, seed=1)
    calibration = calibrate(image_of(pixels))
    assert calibration.mpp_source is MppSource.RED_CELLS
    assert calibration.mpp == pytest.approx(mpp, rel=0.25)
    assert calibration.confidence > 0.2
    np.testing.assert_allclose(calibration.background, GLASS, atol=4)


def test_scale_of_user_then_metadata() -> None:
    pixels, _ = paint((300, 300), 0.25, white=1, red=10, seed=1)
    stated = calibrate(image_of(pixels, 0.22))
    assert (stated.mpp, stated.mpp_source) == (0.22, MppSource.METADATA)
    told = calibrate(image_of(pixels, 0.22), 0.3)
    assert (told.mpp, told.mpp_source) == (0.3, MppSource.USER)


@pytest.mark.parametrize("mpp", [0.0, -1.0, np.nan, np.inf])
def test_impossible_scale(mpp: float) -> None:
    with pytest.raises(InputError, match="micrometres"):
        calibrate(image_of(np.full((9, 9, 3), 200, np.uint8)), mpp)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 3), (64, 64)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_hold_no_cells(shape: tuple[int, int], level: int) -> None:
    image = image_of(np.full((*shape, 3), level, np.uint8))
    calibration = calibrate(image)
    assert calibration.mpp_source is MppSource.FALLBACK
    assert calibration.confidence == 0
    assert len(found_in(image, calibration, objects="all")) == 0


def test_deep_red_cells_alone_are_no_nuclei() -> None:
    """Something is dyed most in any field; haemoglobin takes blue, no nucleus does."""
    mpp, side = 0.2, 480
    rng = np.random.default_rng(4)
    picture = np.empty((side, side, 3))
    picture[:] = (150, 155, 150)
    y, x = (np.mgrid[:side, :side] + 0.5) * mpp
    for cy in np.arange(6, 90, 11):
        for cx in np.arange(6, 90, 11):
            at = np.hypot(y - cy - rng.uniform(-1, 1), x - cx - rng.uniform(-1, 1))
            picture[at < 3.75] = (123, 96, 110)
    noisy = picture + rng.normal(0, 2, picture.shape)
    image = image_of(noisy.clip(0, 255).astype(np.uint8))
    calibration = calibrate(image)
    assert calibration.mpp_source is MppSource.RED_CELLS
    assert calibration.mpp == pytest.approx(mpp, rel=0.15)
    found = found_in(image, calibration, objects="all")
    kinds = np.bincount(found.kinds, minlength=3)
    assert kinds[ObjectKind.NUCLEATED] == 0
    assert kinds[ObjectKind.RED_CELL] == 64


@pytest.mark.data
def test_fields_of_red_cells_alone(developer_data: Path) -> None:
    """No white cell is in them, only a few deeply dyed specks."""
    for path in sorted((developer_data / "detection/chula_rbc12").rglob("*.jpg"))[1::6]:
        image = open_smear(path)
        assert len(found_in(image, calibrate(image))) <= 3
        image.close()


def test_calibration_survives_json() -> None:
    pixels, _ = paint((300, 300), 0.25, white=2, red=10, seed=1)
    calibration = calibrate(image_of(pixels))
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize("mpp", [0.12, 0.25, 0.5])
def test_painted_cells_are_found_whole(mpp: float) -> None:
    side = int(150 / mpp)
    pixels, truth = paint((side, side), mpp, white=8, red=40, seed=2)
    image = image_of(pixels)
    found = found_in(image, calibrate(image, mpp))
    overlap = box_iou(found.boxes, truth)
    assert len(found) == len(truth)
    assert (overlap.max(axis=0) > 0.7).all()


@pytest.mark.parametrize("mpp", [0.12, 0.25, 0.5])
def test_boxes_and_outlines_lie_where_the_cells_are(mpp: float) -> None:
    """To a fifth of a pixel of the detector's grid: no half pixel is lost."""
    side = int(150 / mpp)
    pixels, truth = paint((side, side), mpp, white=12, red=30, seed=2)
    image = image_of(pixels)
    calibration = calibrate(image, mpp)
    found = found_in(image, calibration)
    step = WorkingGrid.over(image, mpp, 0.4).step
    best = box_iou(found.boxes, truth).argmax(axis=0)
    boxes = found.boxes[best]
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    off = centres - truth[:, :2] - truth[:, 2:] / 2
    assert np.abs(np.median(off, axis=0)).max() < 0.2 * step
    for number, centre in zip(best.tolist(), centres, strict=True):
        outline = found.outlines[number]
        middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
        assert np.abs(middle - centre).max() < 0.2 * step


def test_touching_cells_are_parted() -> None:
    picture = np.empty((160, 200, 3), np.uint8)
    picture[:] = GLASS
    y, x = np.mgrid[:160, :200] + 0.5
    for cx in (75, 75 + 48):
        away = np.hypot(y - 80, x - cx) * 0.25
        picture[away < 6.2] = CYTOPLASM
    for cx in (75, 75 + 48):
        away = np.hypot(y - 80, x - cx) * 0.25
        picture[away < 4.6] = NUCLEUS
    image = image_of(picture)
    found = found_in(image, calibrate(image, 0.25))
    assert len(found) == 2


def test_lobes_make_one_cell() -> None:
    picture = np.empty((160, 160, 3), np.uint8)
    picture[:] = GLASS
    y, x = np.mgrid[:160, :160] + 0.5
    picture[np.hypot(y - 80, x - 80) * 0.25 < 7] = CYTOPLASM
    for cy, cx in ((66, 68), (80, 95), (97, 75)):
        picture[np.hypot(y - cy, x - cx) * 0.25 < 2.4] = NUCLEUS
    image = image_of(picture)
    found = found_in(image, calibrate(image, 0.25))
    assert len(found) == 1
    assert box_iou(found.boxes, np.array([[52, 52, 56, 56]])).max() > 0.7


def test_cells_cut_by_the_border_are_marked() -> None:
    pixels, _ = paint((400, 400), 0.25, white=4, red=10, seed=5)
    shifted = pixels[:, 150:]
    y, x = np.mgrid[:400, :250] + 0.5
    cut = shifted.copy()
    cut[np.hypot(y - 390, x - 60) * 0.25 < 6] = CYTOPLASM
    cut[np.hypot(y - 390, x - 60) * 0.25 < 4] = NUCLEUS
    image = image_of(cut)
    found = found_in(image, calibrate(image, 0.25))
    for box, edge in zip(found.boxes, found.edges, strict=True):
        x0, y0, width, height = box
        touches = x0 < 2 or y0 < 2 or x0 + width > 248 or y0 + height > 398
        assert edge == touches
    assert found.edges.any()


def test_red_cells_and_platelets_only_when_asked() -> None:
    pixels, _ = paint((600, 600), 0.25, white=3, red=25, seed=3)
    y, x = np.mgrid[:600, :600] + 0.5
    pixels[np.hypot(y - 300, x - 20) * 0.25 < 1.3] = (130, 80, 160)
    image = image_of(pixels)
    calibration = calibrate(image, 0.25)
    nucleated = found_in(image, calibration)
    everything = found_in(image, calibration, objects="all")
    assert set(nucleated.kinds) == {ObjectKind.NUCLEATED}
    assert (everything.kinds == ObjectKind.NUCLEATED).sum() == len(nucleated)
    assert (everything.kinds == ObjectKind.RED_CELL).sum() >= 12
    assert (everything.kinds == ObjectKind.PLATELET).sum() >= 1
    with pytest.raises(InputError, match="nucleated, all"):
        found_in(image, calibration, objects="red")


PIXELS, _ = paint((700, 900), 0.3, white=22, red=150, seed=4)
IMAGE = image_of(PIXELS)
CALIBRATION = calibrate(IMAGE, 0.3)
WHOLE = found_in(IMAGE, CALIBRATION, objects="all", tiling=Tiling(core=10_000))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    core=st.integers(90, 700),
    halo=st.floats(45.0, 90.0),
    order=st.randoms(use_true_random=False),
)
def test_any_tiling_finds_the_same_cells(core: int, halo: float, order) -> None:  # type: ignore[no-untyped-def]
    height, width = WorkingGrid.over(IMAGE, CALIBRATION.mpp, 0.4).shape
    tiles = list(range(-(-height // core) * -(-width // core)))
    order.shuffle(tiles)
    tiling = Tiling(core=core, halo_um=halo, order=tuple(tiles))
    found = found_in(IMAGE, CALIBRATION, objects="all", tiling=tiling)
    np.testing.assert_array_equal(found.boxes, WHOLE.boxes)
    np.testing.assert_array_equal(found.kinds, WHOLE.kinds)
    np.testing.assert_array_equal(found.edges, WHOLE.edges)
    np.testing.assert_allclose(found.scores, WHOLE.scores, rtol=1e-6)
    for outline, whole in zip(found.outlines, WHOLE.outlines, strict=True):
        np.testing.assert_array_equal(outline, whole)


def test_progress_shows_each_tile() -> None:
    steps: list[Progress] = []
    task = detect_cells(IMAGE, ClassicDetector(), CALIBRATION, tiling=Tiling(core=300))
    found = run_to_end(task, steps.append)
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].total == len(steps) > 1
    assert sum(len(s.payload) for s in steps) == len(found)  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "tiles"), [(700, 1), (900, 4)])
def test_small_pictures_are_not_cut(side: int, tiles: int) -> None:
    pixels, _ = paint((side, side), 0.4, white=4, red=20, seed=6)
    image = image_of(pixels)
    calibration = calibrate(image, 0.4)
    steps: list[Progress] = []
    whole = run_to_end(
        detect_cells(image, ClassicDetector(), calibration), steps.append
    )
    assert len(steps) == tiles
    cut = found_in(image, calibration, tiling=Tiling(core=250))
    np.testing.assert_array_equal(whole.boxes, cut.boxes)


def test_looking_at_a_point_finds_the_same_cell() -> None:
    white = WHOLE.take(WHOLE.kinds == ObjectKind.NUCLEATED)
    for box in white.boxes[:5]:
        x, y = box[:2] + box[2:] / 2
        near = detect_at(
            IMAGE, ClassicDetector(), CALIBRATION, (float(x), float(y)), 40
        )
        assert (near.boxes == box).all(axis=1).any()


@settings(max_examples=60, deadline=None)
@given(
    step=st.floats(0.3, 6.0),
    y0=st.integers(0, 20),
    x0=st.integers(0, 20),
    size=st.integers(1, 15),
)
def test_grid_does_not_depend_on_the_window(
    step: float, y0: int, x0: int, size: int
) -> None:
    rng = np.random.default_rng(0)
    image = image_of(rng.integers(0, 255, (240, 250, 3), np.uint8))
    grid = WorkingGrid.over(image, 1.0, step)
    height, width = grid.shape
    whole = grid.read(0, height, 0, width)
    y0, x0 = min(y0, height - 1), min(x0, width - 1)
    y1, x1 = min(y0 + size, height), min(x0 + size, width)
    np.testing.assert_array_equal(grid.read(y0, y1, x0, x1), whole[y0:y1, x0:x1])


def test_bare_glass_is_passed_by_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slide is mostly glass: its tiles are not measured, and cells stay the same."""
    field, _ = paint((200, 240), 0.25, white=3, red=10, seed=2)
    rng = np.random.default_rng(0)
    glass = np.array(GLASS) + rng.normal(0, 2, (900, 900, 3))
    glass[350:550, 350:590] = field
    image = image_of(glass.clip(0, 255).astype(np.uint8))
    calibration = calibrate(image, 0.25)
    looked: list[int] = []
    seen = classic._Seen.of

    def counted(tile: np.ndarray, of: Calibration) -> object:
        looked.append(1)
        return seen(tile, of)

    monkeypatch.setattr(classic._Seen, "of", counted)
    cut = Tiling(core=128)
    quick = found_in(image, calibration, tiling=cut)
    few = len(looked)
    monkeypatch.setattr(classic, "_is_bare", lambda *_: False)
    slow = found_in(image, calibration, tiling=cut)
    assert len(quick) == 3
    np.testing.assert_array_equal(quick.boxes, slow.boxes)
    assert few < len(looked) - few


def test_a_coarse_picture_is_not_blown_up() -> None:
    """A slip of the pen would else cost a hundred times the memory."""
    image = image_of(np.full((100, 80, 3), 200, np.uint8))
    grid = WorkingGrid.over(image, 4.9, 0.4)
    assert grid.shape == (400, 320)
    assert grid.mpp == pytest.approx(4.9 / 4)
    assert WorkingGrid.over(image, 1.2, 0.4).shape == (304, 243)


def test_grid_averages_exactly() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 90, 3), np.uint8)
    got = WorkingGrid.over(image_of(pixels), 1.0, 3.0).read(0, 20, 0, 30)
    mean = pixels.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    assert np.abs(got - mean).max() <= 0.5 + 1e-9


def test_scaled_pictures_give_the_same_cells(developer_data: Path) -> None:
    folder = developer_data / "detection" / "bccd" / "JPEGImages"
    same, total = 0, 0
    for path in sorted(folder.glob("*.jpg"))[:12]:
        image = open_smear(path)
        picture = Image.open(path).convert("RGB")
        half = picture.resize((320, 240), Image.Resampling.BOX)
        one = found_in(image, calibrate(image, 0.08))
        other_image = image_of(np.asarray(half))
        other = found_in(other_image, calibrate(other_image, 0.16))
        same += int((box_iou(one.boxes, other.boxes * 2) > 0.5).sum())
        total += max(len(one), len(other))
    assert same >= 0.9 * total > 0
