import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.shipped import share_of
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features._torch.augment import augmented, plain
from napari_cytosynth.features._torch.encode import Readout
from napari_cytosynth.features._torch.encoder import CellEncoder, EncoderSize
from napari_cytosynth.features._torch.export_starter import export
from napari_cytosynth.features._torch.train_starter import Recipe, Trainer, run
from napari_cytosynth.features._torch.training_cells import (
    ATTRIBUTES,
    CONCEPTS,
    SPAN,
    Cells,
    read_cells,
)
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.testing.contracts_features import EmbedderContract
from napari_cytosynth.testing.tiny import tiny_crops

SMALL = EncoderSize((8, 8, 8, 12, 16), (1, 1, 1, 1))
TINY = Recipe(batch=22, unlabelled=3, size=SMALL, rate=1e-2, ema=0.9)


def _cells(each: int = 6) -> Cells:
    """Paint cells of every class, shares 0 to 5 in turn, half with attributes."""
    codes = list(CONCEPTS) * each
    crops = tiny_crops(built_in("pbc11"), codes, np.random.default_rng(0))
    pictures = np.full((len(codes), 3, 128, 128), 240, np.uint8)
    pictures[:, :, 16:112, 16:112] = crops.transpose(0, 3, 1, 2)
    attributes = np.full((len(codes), len(ATTRIBUTES)), -1, np.int64)
    attributes[::2] = 0
    attributes[::4, 0] = 1
    return Cells(
        pictures,
        np.arange(len(codes)) % len(CONCEPTS),
        attributes,
        (("big", "small"), *((("only",),) * 10)),
        np.arange(len(codes)) // len(CONCEPTS) % 6,
    )


def _trainer(recipe: Recipe = TINY) -> Trainer:
    return Trainer(_cells(), torch.full((5, 3, 96, 96), 200, dtype=torch.uint8), recipe)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a short run and what was exported of it."""
    folder = tmp_path_factory.mktemp("run")
    trainer = _trainer()
    for _ in range(90):
        trainer.advance(0.3)
    trainer.save(folder)
    export(folder, _cells(), folder, TINY)
    return folder


class TestSmallEncoder(EmbedderContract):
    @pytest.fixture(autouse=True)
    def _folder(self, trained):
        self.folder = trained

    def make(self):
        return StarterEmbedder(self.folder)


def test_training_learns_painted_cells(trained):
    card = json.loads((trained / "starter.json").read_text())
    assert card["training"]["step"] == 90
    assert card["validation"]["macro recall"] > 3 / len(CONCEPTS)
    assert card["counts"]["LY"] == 5
    assert card["validation"]["cells"] == 11


def test_features_are_brought_to_the_same_scale(trained):
    embedder = StarterEmbedder(trained)
    pictures = torch.from_numpy(_cells().of((0, 1, 2, 3, 4)).pictures)
    crops = (plain(pictures, SPAN) * 255).round().to(torch.uint8)
    vectors = embedder.embed(crops.permute(0, 2, 3, 1).contiguous().numpy())
    assert np.abs(vectors.mean(0)).max() < 0.1
    live = vectors.std(0) > 0.1
    assert live.mean() > 0.5
    np.testing.assert_allclose(vectors.std(0)[live], 1, atol=0.1)


def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path):
    whole, first = _trainer(), _trainer()
    for _ in range(4):
        whole.advance(0.5)
    for _ in range(2):
        first.advance(0.5)
    first.save(tmp_path)
    second = _trainer()
    second.resume(tmp_path)
    assert second.step == 2
    for _ in range(2):
        second.advance(0.5)
    for key, value in whole.average.items():
        torch.testing.assert_close(second.average[key], value)


def test_a_run_ends_with_its_time(tmp_path):
    trainer = _trainer()
    trainer.seconds = 59.999
    run(trainer, tmp_path, minutes=1)
    assert trainer.step == 1
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_cells_whose_class_is_open_train_as_unlabelled():
    cells = _cells()
    cells.classes[:7] = -1
    trainer = Trainer(cells, torch.zeros((0, 3, 96, 96), dtype=torch.uint8), TINY)
    assert trainer.unlabelled.shape == (7, 3, 96, 96)
    assert trainer.odds[:7].sum() == 0
    trainer.advance(0.1)
    assert np.isfinite(trainer.loss)


def test_augmented_crops_are_crops_and_repeat_with_the_seed():
    pictures = torch.from_numpy(_cells(2).pictures)
    made = [
        augmented(pictures, SPAN, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert made[0].shape == (len(pictures), 3, 96, 96)
    assert made[0].min() >= 0
    assert made[0].max() <= 1
    torch.testing.assert_close(made[0], made[1], rtol=0, atol=0)
    assert (made[0] - made[2]).abs().mean() > 0.02


def test_plain_crops_are_the_middle_24_um():
    picture = torch.zeros((1, 3, 96, 96), dtype=torch.uint8)
    picture[:, :, 16:80, 16:80] = 255
    crop = plain(picture, 64 / 96)
    assert crop[:, :, 2:-2, 2:-2].min() > 0.999


def test_only_shares_0_to_5_are_read_and_attributes_joined_by_name(tmp_path):
    files = [f"LY_{i}.jpg" for i in range(30)]
    rows = [f"{name},{'LY' if i else 'IG'}" for i, name in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class11", *rows]))
    for name in files:
        Image.new("RGB", (130, 128), (200, 150, 180)).save(tmp_path / name)
    known = [name for name in files if share_of(name) <= 5]
    table = tmp_path / "attributes.csv"
    with table.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["img_name", *ATTRIBUTES])
        writer.writerow([known[1], "big", *["no"] * 10])
        writer.writerow([next(n for n in files if share_of(n) > 5), *["x"] * 11])
    cells = read_cells(tmp_path, table)
    assert cells.pictures.shape == (len(known), 3, 128, 128)
    assert 0 < len(known) < 30
    assert cells.values[0] == ("big",)
    assert cells.attributes[:, 0].tolist() == [
        0 if name == known[1] else -1 for name in known
    ]


def test_classes_left_out_of_training_take_cells_of_open_class_along(tmp_path):
    named = [n for n in (f"c_{i}.jpg" for i in range(60)) if share_of(n) <= 5][:12]
    codes = ["BA", "LY", "IG", "EO"] * 3
    rows = [f"{n},{c}" for n, c in zip(named, codes, strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class11", *rows]))
    for name in named:
        Image.new("RGB", (128, 128)).save(tmp_path / name)
    assert sorted(set(read_cells(tmp_path).classes)) == [
        -1,
        *sorted(list(CONCEPTS).index(c) for c in ("BA", "LY", "EO")),
    ]
    left = read_cells(tmp_path, without=("BA",))
    assert sorted(set(left.classes)) == sorted(
        list(CONCEPTS).index(c) for c in ("LY", "EO")
    )
    assert len(left.classes) == 6


def test_folding_normalisation_changes_nothing(trained):
    arrays = load_file(trained / "starter.safetensors")
    readout = Readout(arrays, SMALL.to_json())
    net = CellEncoder(SMALL)
    net.load_state_dict(
        {
            k.removeprefix("encoder."): torch.from_numpy(v).float()
            for k, v in arrays.items()
            if k.startswith("encoder.")
        }
    )
    crops = tiny_crops(built_in("pbc11"), ["LY", "EO"], np.random.default_rng(1))
    with torch.no_grad():
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        features = net.eval()(x).numpy()
    scaled = (features - arrays["readout.mean"]) / arrays["readout.spread"]
    np.testing.assert_allclose(readout(crops), scaled, atol=1e-3)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_that_do_not_fit_are_refused(trained, tmp_path, change):
    arrays = dict(load_file(trained / "starter.safetensors"))
    if change == "missing":
        del arrays["encoder.deep_pool.weight"]
    elif change == "unknown":
        arrays["encoder.more"] = np.zeros(1, np.float32)
    else:
        arrays["encoder.deep_pool.weight"] = np.zeros(3, np.float32)
    with pytest.raises(WeightsError, match="do not fit"):
        Readout(arrays, SMALL.to_json())


def test_another_file_than_the_card_names_is_refused(trained, tmp_path):
    card = json.loads((trained / "starter.json").read_text())
    crops = np.zeros((1, 96, 96, 3), np.uint8)
    (tmp_path / "starter.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="cannot be read"):
        StarterEmbedder(tmp_path).embed(crops)
    save_file({"x": np.zeros(2, np.float32)}, tmp_path / card["file"])
    with pytest.raises(WeightsError, match="SHA-256"):
        StarterEmbedder(tmp_path).embed(crops)
    (tmp_path / "starter.json").write_text("{")
    with pytest.raises(WeightsError, match="card"):
        _ = StarterEmbedder(tmp_path).key


def test_the_fingerprint_follows_the_weights(trained, tmp_path):
    card = json.loads((trained / "starter.json").read_text())
    other = {**card, "sha256": "0" * 64}
    (tmp_path / "starter.json").write_text(json.dumps(other))
    assert StarterEmbedder(trained).key == f"starter-1-{card['sha256'][:12]}"
    assert StarterEmbedder(tmp_path).key != StarterEmbedder(trained).key
