import json

import numpy as np
import pytest
import torch

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features._torch.augment import plain
from napari_cytosynth.features._torch.export_attributes import HeadRecipe, fit, write
from napari_cytosynth.features._torch.training_cells import (
    ATTRIBUTES,
    CONCEPTS,
    SPAN,
    Cells,
)
from napari_cytosynth.features.attributes import AttributeReader
from napari_cytosynth.testing.tiny import tiny_crops

RECIPE = HeadRecipe(views=1, looks=1, each=30, axes=4, strength=1.0, fitting=2)
FAMILIAR = ("EO", "BA", "LY")


def _embed(crops):
    """Take mean colours of the middle and the rim for a vector."""
    whole = crops.astype(np.float32) / 255
    parts = [whole[:, 40:56, 40:56], whole[:, 24:72, 24:72], whole]
    return 10 * np.concatenate([p.mean(axis=(1, 2)) for p in parts], axis=1)


def _paint(codes, seed):
    """Return uint8[n, 3, 128, 128]."""
    crops = tiny_crops(built_in("pbc11"), list(codes), np.random.default_rng(seed))
    pictures = np.full((len(crops), 3, 128, 128), 235, np.uint8)
    pictures[:, :, 16:112, 16:112] = crops.transpose(0, 3, 1, 2)
    return pictures


def _vectors(codes):
    """Embed other cells of the classes, cut as those were that trained."""
    pictures = plain(torch.from_numpy(_paint(codes, 9)), SPAN)
    crops = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return _embed(crops.numpy())


def _cells(each: int = 24) -> Cells:
    """Paint cells, those of three classes with attributes that follow the class."""
    codes = list(CONCEPTS) * each
    attributes = np.full((len(codes), len(ATTRIBUTES)), -1, np.int64)
    for value, code in enumerate(FAMILIAR):
        attributes[np.array(codes) == code] = value
    return Cells(
        _paint(codes, 0),
        np.arange(len(codes)) % len(CONCEPTS),
        attributes,
        (("a", "b", "c"),) * len(ATTRIBUTES),
        np.arange(len(codes)) // len(CONCEPTS) % 6,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("heads")
    encoder = {"key": "tiny-1", "source": {"data": "paint"}}
    write(fit(_cells(), _embed, RECIPE), encoder, where)
    return where


def test_heads_learn_what_is_painted_and_know_how_sure_they_are(folder):
    reader = AttributeReader(folder)
    for table in reader.chances(_vectors(FAMILIAR * 8)).values():
        assert (table.argmax(axis=1) == np.tile([0, 1, 2], 8)).mean() > 0.9
        assert 0.5 < table.max(axis=1).mean() <= 1


def test_other_kinds_of_cell_and_other_pictures_are_strange(folder):
    reader = AttributeReader(folder)
    others = sorted(set(CONCEPTS) - set(FAMILIAR)) * 3
    rng = np.random.default_rng(9)
    noise = rng.integers(0, 255, (10, 96, 96, 3)).astype(np.uint8)
    assert reader.strange(_vectors(FAMILIAR * 8)).mean() < 0.2
    assert reader.strange(_vectors(others)).mean() > 0.8
    assert reader.strange(_embed(noise)).all()


def test_the_card_says_what_was_fitted_on_what(folder):
    card = json.loads((folder / "attributes.json").read_text(encoding="utf-8"))
    assert card["encoder"] == "tiny-1"
    # Shares 0 to 4 of three classes are fitted on, share 5 calibrates.
    assert card["counts"] == {"fitted": 60, "calibrated": 12}
    assert card["source"] == {"data": "paint"}
    assert len(card["sha256"]) == 64


def test_the_same_cells_give_the_same_heads(folder, tmp_path):
    write(fit(_cells(), _embed, RECIPE), {"key": "k", "source": {}}, tmp_path)
    one = (folder / "attributes.safetensors").read_bytes()
    assert (tmp_path / "attributes.safetensors").read_bytes() == one
