"""A smear in the stain of another one, painted and real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.ingest import calibrate, open_smear
from napari_cytosynth.ingest.normalise import NormalisedImage, StainLook, StainMap
from napari_cytosynth.testing.painter import FieldSpec, paint_field

Picture = npt.NDArray[np.uint8]
Smears = tuple[SmearImage, SmearImage]
_CAST = np.array([0.8, 1.25, 1.1])


def other_stain(pixels: Picture) -> Picture:
    """Return the picture with weaker, redder dyes on grey glass."""
    density = -np.log10((pixels.astype(np.float64) + 1) / 256)
    light = 256 * 10 ** -(density * _CAST * 0.7) - 1
    return np.asarray(np.clip(np.rint(light * 0.85), 0, 255), np.uint8)


@pytest.fixture(scope="module")
def smears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smears]:
    """Return two fields of other cells, the second in another stain."""
    folder = tmp_path_factory.mktemp("stain")
    images = []
    for seed in (1, 2):
        pixels = paint_field(
            FieldSpec(700, 600, 30), np.random.default_rng(seed)
        ).pixels
        shown = pixels if seed == 1 else other_stain(pixels)
        Image.fromarray(shown).save(folder / f"{seed}.png")
        images.append(open_smear(folder / f"{seed}.png"))
    yield images[0], images[1]
    for image in images:
        image.close()


def look(image: SmearImage) -> StainLook:
    return StainLook.of(image, calibrate(image, 0.25))


def colours(image: SmearImage) -> npt.NDArray[np.float64]:
    """Return the common colours of glass, red cells and nuclei."""
    pixels = np.asarray(image.levels[0][:])
    dark = np.quantile(pixels[..., 1], (0.02, 0.3, 0.9))
    return np.array(
        [
            np.median(pixels[np.abs(pixels[..., 1] - level) < 6], axis=0)
            for level in dark
        ]
    )


def test_another_stain_becomes_that_of_the_reference(smears: Smears) -> None:
    reference, other = smears
    stain = StainMap.between(look(other), look(reference))
    shown = NormalisedImage(other, stain)
    before = np.abs(colours(other) - colours(reference)).mean()
    after = np.abs(colours(shown) - colours(reference)).mean()
    assert before > 15
    assert after < before / 2


def test_a_smear_in_its_own_stain_stays_as_it_is(smears: Smears) -> None:
    own = look(smears[0])
    pixels = np.asarray(smears[0].levels[0][:])
    same = StainMap.between(own, own).apply(pixels)
    assert np.abs(same.astype(int) - pixels).max() <= 1


def test_the_picture_itself_is_left_alone(smears: Smears) -> None:
    reference, other = smears
    before = np.asarray(other.levels[0][:]).copy()
    shown = NormalisedImage(other, StainMap.between(look(other), look(reference)))
    part = shown.read(40, 30, 200, 100)
    assert part.shape == (100, 200, 3)
    assert part.dtype == np.uint8
    np.testing.assert_array_equal(shown.levels[0][30:130, 40:240], part)
    assert shown.levels[0].shape == other.levels[0].shape
    assert shown.smear is other.smear
    assert list(shown.downsamples) == list(other.downsamples)
    assert any("for looking only" in note for note in shown.notes)
    run_to_end(shown.kept_in_memory(most=10))
    assert not isinstance(shown.levels[0], np.ndarray)
    run_to_end(shown.kept_in_memory())
    assert isinstance(shown.levels[0], np.ndarray)
    np.testing.assert_array_equal(shown.levels[0][30:130, 40:240], part)
    np.testing.assert_array_equal(np.asarray(other.levels[0][:]), before)


def test_beyond_the_picture_is_white_in_any_stain(smears: Smears) -> None:
    reference, other = smears
    for own, wanted in ((other, reference), (reference, other)):
        stain = StainMap.between(look(own), look(wanted))
        shown = NormalisedImage(own, stain)
        part = shown.read(-20, -10, 50, 40)
        assert (part[:10] == 255).all()
        assert (part[:, :20] == 255).all()
        np.testing.assert_array_equal(part[10:, 20:], shown.levels[0][:30, :30])
        beyond = shown.read(shown.smear.width, 0, 5, 5)
        assert (beyond == 255).all()


def test_black_rims_stay_black(smears: Smears) -> None:
    stain = StainMap.between(look(smears[1]), look(smears[0]))
    black = np.zeros((4, 4, 3), np.uint8)
    np.testing.assert_array_equal(stain.apply(black), black)


def test_empty_pieces_are_taken(smears: Smears) -> None:
    stain = StainMap.between(look(smears[1]), look(smears[0]))
    assert stain.apply(np.zeros((0, 5, 3), np.uint8)).shape == (0, 5, 3)


def test_a_picture_that_tells_nothing_of_its_dyes_keeps_their_strength(
    smears: Smears, tmp_path: Path
) -> None:
    Image.fromarray(np.full((60, 60, 3), 240, np.uint8)).save(tmp_path / "a.png")
    glass = open_smear(tmp_path / "a.png")
    bare = look(glass)
    assert np.isnan(bare.strengths).all()
    shown = StainMap.between(bare, look(smears[0])).apply(
        np.asarray(glass.levels[0][:])
    )
    wanted = calibrate(smears[0], 0.25).background
    assert np.abs(shown.reshape(-1, 3).mean(axis=0) - wanted).max() < 4
    glass.close()


def test_calibrations_of_other_versions_lack_thresholds(smears: Smears) -> None:
    made = calibrate(smears[0], 0.25)
    bare = Calibration(
        made.mpp, made.mpp_source, made.background, made.stain_vectors, {}
    )
    assert np.isnan(StainLook.of(smears[0], bare).strengths).all()


def test_real_smears_come_nearer_to_the_reference(developer_data: Path) -> None:
    folder = developer_data / "detection"
    reference = open_smear(sorted((folder / "txl_pbc").rglob("*.jpg"))[3])
    wanted, target = look(reference), colours(reference)
    near = []
    for path in sorted((folder / "bccd" / "JPEGImages").glob("*.jpg"))[::60]:
        image = open_smear(path)
        shown = NormalisedImage(image, StainMap.between(look(image), wanted))
        before = np.abs(colours(image) - target).mean()
        near.append(np.abs(colours(shown) - target).mean() < before)
        image.close()
    reference.close()
    assert len(near) >= 5
    assert np.mean(near) >= 0.8
