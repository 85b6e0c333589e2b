"""Foundation models through the registry, the backends and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import Dinov2Config, Dinov2Model

from napari_cytosynth.cli import doctor, main
from napari_cytosynth.core.errors import RegistryError, WeightsError
from napari_cytosynth.core.protocols import Crops, NeedsWeights
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.features.dinobloom import dinov2
from napari_cytosynth.features.dinobloom_files import VARIANTS
from napari_cytosynth.worker import WorkerProcess
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.workflows.embed import (
    at_hand,
    embed_folder,
    fingerprint_of,
    name_of,
)

SIZES = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}


def write_weights(path: Path) -> Path:
    """Write a random model as transformers itself publishes one."""
    model = Dinov2Model(Dinov2Config(**SIZES, image_size=224, patch_size=14))
    model.save_pretrained(path.parent / "saved")
    (path.parent / "saved" / "model.safetensors").replace(path)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "small.safetensors")


@pytest.fixture(autouse=True)
def _away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep out the user's own weights, and the network."""
    monkeypatch.setenv("CYTOSYNTH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("CYTOSYNTH_OFFLINE", "1")


@pytest.fixture
def crops() -> Crops:
    return np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "cells"
    pictures.mkdir()
    for i in range(3):
        grey = np.full((96, 96, 3), 60 * (i + 1), np.uint8)
        Image.fromarray(grey).save(pictures / f"{i}.png")
    return pictures


def test_all_sizes_are_registered() -> None:
    assert set(VARIANTS) | {"dinov2"} <= set(names("embedders"))
    for name, variant in VARIANTS.items():
        made = load("embedders", name)()
        assert made.dim == variant.dim
        assert made.key.startswith(f"{name}-")
        assert isinstance(made, NeedsWeights)
        assert not at_hand(name)
    assert at_hand("morphology")


def test_a_name_carries_a_file(weights: Path) -> None:
    made = load("embedders", f"dinov2:{weights}")()
    assert made.path == weights
    assert at_hand(f"dinov2:{weights}")
    with pytest.raises(RegistryError, match="nothing after a colon"):
        load("embedders", f"morphology:{weights}")


def test_a_fingerprint_leads_back_to_its_file(weights: Path) -> None:
    name = f"dinov2:{weights}"
    key = fingerprint_of(name)
    assert name_of(key) == name
    assert name_of(fingerprint_of("dinobloom-l")) == "dinobloom-l"
    write_weights(weights)
    with pytest.raises(RegistryError, match="weight file"):
        name_of(key)


def test_the_backend_loads_embeds_in_batches_and_tells(
    weights: Path, crops: Crops
) -> None:
    steps: list[Progress] = []
    task = InlineCompute().embed(f"dinov2:{weights}", crops)
    vectors = run_to_end(task, steps.append)
    assert [s.done for s in steps if s.note == "embedding"] == [16, 32, 40]
    assert any(s.note == "loading small.safetensors" for s in steps)
    np.testing.assert_array_equal(vectors, dinov2(str(weights)).embed(crops))


def test_a_worker_process_embeds_with_it(weights: Path, crops: Crops) -> None:
    worker = WorkerProcess()
    try:
        vectors = run_to_end(worker.embed(f"dinov2:{weights}", crops[:4]))
        with pytest.raises(WeightsError, match="switched off"):
            run_to_end(worker.embed("dinobloom-s", crops[:4]))
    finally:
        worker.close()
    wanted = dinov2(str(weights)).embed(crops[:4])
    np.testing.assert_allclose(vectors, wanted, rtol=0, atol=1e-2)


def test_embed_folder_keeps_the_order_of_files(weights: Path, folder: Path) -> None:
    files, vectors = run_to_end(
        embed_folder(folder, embedder=f"dinov2:{weights}", mpp=0.25)
    )
    assert files == ["0.png", "1.png", "2.png"]
    assert vectors.shape == (3, 64)


def test_on_the_command_line(
    weights: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cells.npz"
    told = ["embed", str(folder), "--mpp", "0.25", "--out", str(out), "--json"]
    named = ["--embedder", "dinov2", "--weights", str(weights)]
    assert main([*told, *named]) == 0
    assert json.loads(capsys.readouterr().out)["dim"] == 64
    with np.load(out) as arrays:
        assert arrays["embeddings"].shape == (3, 64)
    assert main([*told, *named, "--sha256", "0" * 64]) == 1
    assert "SHA-256" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main([*told, "--embedder", "dinov2"]) == 1
    assert "--weights" in capsys.readouterr().err
    assert main([*told, "--embedder", "dinobloom-s"]) == 1
    assert "switched off" in capsys.readouterr().err
    assert main([*told, "--sha256", "0" * 64]) == 2


def test_the_doctor_tells_which_weights_are_here(tmp_path: Path) -> None:
    found = doctor._foundation()
    assert found.state == "warn"
    assert found.text.startswith("transformers ")
    assert "dinobloom-g (4,540 MB)" in found.text
    kept = tmp_path / "weights" / "dinobloom-b.safetensors"
    kept.parent.mkdir()
    kept.write_bytes(b"x")
    found = doctor._foundation()
    assert found.state == "warn"
    assert "of another size than published, remove: dinobloom-b" in found.text
    with kept.open("wb") as file:
        file.truncate(343_000_000)  # a hole, which takes no room on the disk
    found = doctor._foundation()
    assert found.state == "ok"
    assert "weights' dinobloom-b;" in found.text
