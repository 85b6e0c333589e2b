from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import f1_score

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Embedder, TrainingSet
from napari_cytosynth.core.registry import load
from napari_cytosynth.features import MorphologyEmbedder
from napari_cytosynth.features.regions import find_regions
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.testing.contracts_features import EmbedderContract

Crop = npt.NDArray[np.uint8]


class TestMorphology(EmbedderContract):
    invariant = True

    def make(self) -> Embedder:
        return MorphologyEmbedder()


def test_registered_under_its_name() -> None:
    assert load("embedders", "morphology") is MorphologyEmbedder


def test_names_are_unique_and_one_a_column() -> None:
    made = MorphologyEmbedder()
    assert len(set(made.feature_names)) == made.dim
    assert made.key.startswith("morphology-")


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((2, 96, 96, 3), np.float32),
        np.zeros((96, 96, 3), np.uint8),
    ],
)
def test_refuses_other_shapes_and_types(bad: Crop) -> None:
    with pytest.raises(InputError, match=r"0\.25 um"):
        MorphologyEmbedder().embed(bad)


def _cell(lobes: int, radius: float = 26.0, nucleus: float = 7.0) -> Crop:
    """Paint a pale cell with as many dark round lobes."""
    y, x = np.mgrid[:96, :96] - 47.5
    picture = np.full((96, 96, 3), (240.0, 228.0, 232.0))
    picture[np.hypot(y, x) < radius] = (215, 180, 205)
    for angle in np.arange(lobes) * 2 * np.pi / lobes:
        away = 0.0 if lobes == 1 else 13.0
        cy, cx = away * np.sin(angle), away * np.cos(angle)
        picture[np.hypot(y - cy, x - cx) < nucleus] = (95, 50, 135)
    return ndimage.gaussian_filter(picture, (0.8, 0.8, 0)).round().astype(np.uint8)


def _feature(name: str, *crops: Crop) -> list[float]:
    made = MorphologyEmbedder()
    column = made.feature_names.index(name)
    return [float(v) for v in made.embed(np.stack(crops))[:, column]]


def test_counts_lobes() -> None:
    crops = [_cell(n) for n in (1, 2, 3, 4)]
    assert _feature("lobes.parts", *crops) == [1, 2, 3, 4]


def test_measures_size_and_nc_ratio_in_micrometres() -> None:
    small, large = _cell(1, 16.0, 12.0), _cell(1, 30.0, 12.0)
    areas = np.expm1(_feature("cell.log_area", small, large))
    truth = np.pi * (np.array([16.0, 30.0]) * 0.25) ** 2
    np.testing.assert_allclose(areas, truth, rtol=0.15)
    ratios = _feature("cell.nc_ratio", small, large)
    np.testing.assert_allclose(ratios, [(12 / 16) ** 2, (12 / 30) ** 2], atol=0.08)


def test_lamp_and_exposure_cancel_out() -> None:
    bright = _cell(3)
    dim = (bright * 0.8).round().astype(np.uint8)
    names = ("cell.nc_ratio", "nucleus.red.mean", "cytoplasm.green.mean")
    for name in names:
        one, other = _feature(name, bright, dim)
        assert one == pytest.approx(other, abs=0.05)


def test_a_neighbour_that_touches_is_cut_off() -> None:
    crop = _cell(1, 20.0, 12.0)
    beside = crop.copy()
    y, x = np.mgrid[:96, :96]
    red_cell = np.hypot(y - 47, x - 80) < 13
    beside[red_cell & (find_regions(crop[None]).cell[0] == 0)] = (222, 170, 165)
    alone, touched = find_regions(np.stack([crop, beside])).cell.sum(axis=(1, 2))
    assert touched < 1.15 * alone


def test_a_crop_without_a_cell_still_has_a_nucleus_mask() -> None:
    blank = np.full((1, 96, 96, 3), 250, np.uint8)
    assert find_regions(blank).nucleus.any()


@pytest.mark.data
@pytest.mark.slow
def test_tells_real_classes_apart(developer_data: Path) -> None:
    """Twenty labels a class, eleven classes, pictures kept for figures only."""
    crops, codes = _real_cells(developer_data / "pack_pbc128", 60)
    vectors = MorphologyEmbedder().embed(crops)
    rng = np.random.default_rng(0)
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(codes == c))[:20] for c in np.unique(codes)]
    )
    test = np.setdiff1d(np.arange(len(codes)), train)
    known = TrainingSet(vectors[train], tuple(codes[train]), np.ones(len(train)))
    guesses = fit_head(known).predict(vectors[test])
    assert f1_score(codes[test], guesses, average="macro") > 0.70


def _real_cells(folder: Path, each: int) -> tuple[Crop, npt.NDArray[np.str_]]:
    with (folder / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    taken: dict[str, list[str]] = {}
    for row in rows:
        name = Path(row["file"]).name
        share = int(hashlib.sha1(name.encode()).hexdigest(), 16) % 10
        if share >= 6 and row["class11"] not in ("IG", "NEUTROPHIL", ""):
            taken.setdefault(row["class11"], []).append(row["file"])
    chosen = [(f, code) for code in sorted(taken) for f in sorted(taken[code])[:each]]
    crops = [_central_24_um(folder / file) for file, _ in chosen]
    return np.stack(crops), np.array([code for _, code in chosen])


def _central_24_um(path: Path) -> Crop:
    """128 px span 36 um here."""
    side, wide = 128, 128 * 24 / 36
    edge = (side - wide) / 2
    with Image.open(path) as picture:
        square = picture.convert("RGB").resize(
            (96, 96), Image.Resampling.BICUBIC, (edge, edge, edge + wide, edge + wide)
        )
    return np.asarray(square)
