from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features import starter
from napari_cytosynth.features.starter import FOLDER, StarterEmbedder
from napari_cytosynth.features.starter_onnx import onnx_is_here
from napari_cytosynth.testing.tiny import tiny_crops

needs_onnx = pytest.mark.skipif(
    not onnx_is_here(), reason="onnxruntime is not installed; torch runs the encoder"
)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    taxonomy = built_in("pbc11")
    return tiny_crops(taxonomy, list(taxonomy.codes) * 2, np.random.default_rng(0))


@needs_onnx
def test_both_runtimes_give_the_same_vectors(
    crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = StarterEmbedder().embed(crops)
    monkeypatch.setattr(starter, "onnx_is_here", lambda: False)
    np.testing.assert_allclose(StarterEmbedder().embed(crops), quick, atol=1e-4)
    assert quick.dtype == np.float32
    assert quick.std(axis=0).max() > 0.5


@needs_onnx
def test_torch_is_not_loaded_to_embed() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_cytosynth.features.starter import StarterEmbedder\n"
        "StarterEmbedder().embed(np.zeros((1, 96, 96, 3), np.uint8))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_onnx
def test_a_graph_that_was_exchanged_is_not_run(
    crops: np.ndarray, tmp_path: Path
) -> None:
    for path in FOLDER.glob("starter.*"):
        shutil.copy(path, tmp_path / path.name)
    graph = tmp_path / "starter.onnx"
    graph.write_bytes(graph.read_bytes() + b"\x00")
    with pytest.raises(WeightsError, match="SHA-256"):
        StarterEmbedder(tmp_path).embed(crops)
    graph.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        StarterEmbedder(tmp_path).embed(crops)


def test_the_graph_holds_no_weights_and_no_paths() -> None:
    card = json.loads((FOLDER / "starter.json").read_text(encoding="utf-8"))
    data = (FOLDER / card["onnx"]["file"]).read_bytes()
    assert len(data) < 60_000
    assert b"/napari_cytosynth/" not in data
