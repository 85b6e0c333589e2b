import numpy as np
import pytest

from napari_cytosynth.bench._torch.runtimes import ONNX, PLAIN, runtimes
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.testing.tiny import tiny_crops


@pytest.fixture(scope="module")
def crops():
    taxonomy = built_in("pbc11")
    return tiny_crops(taxonomy, list(taxonomy.codes) * 7, np.random.default_rng(0))


@pytest.mark.parametrize("way", [PLAIN, ONNX])
def test_every_way_to_run_the_encoder_gives_its_vectors(crops, way):
    ways = runtimes()
    if way not in ways:
        pytest.skip(f"{way} is not installed: pip install napari-cytosynth[bench]")
    expected = StarterEmbedder().embed(crops)
    np.testing.assert_allclose(ways[way](crops), expected, atol=1e-4)
