from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Embedder
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, load
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features import StarterEmbedder
from napari_cytosynth.features.starter import FOLDER
from napari_cytosynth.testing.contracts_features import EmbedderContract
from napari_cytosynth.testing.tiny import tiny_crops

Crops = npt.NDArray[np.uint8]


class TestStarter(EmbedderContract):
    told_apart = 0.5  # it was trained to look past hue

    def make(self) -> Embedder:
        return StarterEmbedder()


def test_it_is_the_default() -> None:
    assert load("embedders", DEFAULT_EMBEDDER) is StarterEmbedder


def test_the_card_tells_what_ships() -> None:
    card = json.loads((FOLDER / "starter.json").read_text())
    data = (FOLDER / card["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == card["sha256"]
    assert len(data) <= 12_000_000
    assert card["source"]["licence"] == "CC BY 4.0"
    assert "6..9 were never seen" in card["source"]["split"]
    assert len(card["validation"]["recall"]) == len(card["counts"]) - 2 == 11
    assert card["limits"]


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((2, 96, 96, 3), np.float32),
        np.zeros((96, 96, 3), np.uint8),
    ],
)
def test_refuses_other_shapes_and_types(bad: Crops) -> None:
    with pytest.raises(InputError, match=r"0\.25 um"):
        StarterEmbedder().embed(bad)


def test_many_crops_are_what_few_are() -> None:
    crops = tiny_crops(built_in("pbc11"), ["LY", "EO", "BA"], np.random.default_rng(0))
    many = StarterEmbedder().embed(np.tile(crops, (50, 1, 1, 1)))
    few = StarterEmbedder().embed(crops)
    np.testing.assert_allclose(many, np.tile(few, (50, 1)), rtol=1e-3, atol=1e-4)


def _warmer(crops: Crops) -> Crops:
    return (crops * np.array([1.0, 0.95, 0.8])).astype(np.uint8)


def _paler(crops: Crops) -> Crops:
    return (255 - (255 - crops.astype(float)) * 0.75).astype(np.uint8)


def _compressed(crops: Crops) -> Crops:
    return np.stack([_through_jpeg(crop) for crop in crops])


def _through_jpeg(crop: Crops) -> Crops:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer))


def _blurred(crops: Crops) -> Crops:
    blur = ImageFilter.GaussianBlur(1)
    return np.stack([np.asarray(Image.fromarray(c).filter(blur)) for c in crops])


def _turned(crops: Crops) -> Crops:
    return np.ascontiguousarray(np.rot90(crops, axes=(1, 2)))


def _found_again(crops: Crops, changed: Crops) -> float:
    plain, other = (StarterEmbedder().embed(c) for c in (crops, changed))
    plain, other = (
        v / np.linalg.norm(v, axis=1, keepdims=True) for v in (plain, other)
    )
    hits = (other @ plain.T).argmax(axis=1) == np.arange(len(crops))
    return float(hits.mean())


@pytest.mark.parametrize("change", [_warmer, _paler, _compressed, _blurred, _turned])
def test_a_cell_stays_nearest_to_itself(change: Callable[[Crops], Crops]) -> None:
    """Stain, blur, compression and turns move a cell less than another class does."""
    codes = list(built_in("pbc11").cell_codes)
    draws = [np.random.default_rng(seed) for seed in range(4)]
    crops = np.stack([tiny_crops(built_in("pbc11"), codes, draw) for draw in draws])
    assert np.mean([_found_again(own, change(own)) for own in crops]) > 0.7
