import numpy as np
import pytest

from napari_cytosynth.bench._torch.runtimes import FUSED, PLAIN, runtimes
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.testing.tiny import tiny_crops


@pytest.fixture(scope="module")
def crops():
    taxonomy = built_in("pbc11")
    return tiny_crops(taxonomy, list(taxonomy.codes) * 7, np.random.default_rng(0))


@pytest.mark.parametrize("way", [PLAIN, FUSED])
def test_every_way_to_run_the_encoder_gives_its_vectors(crops, way):
    expected = StarterEmbedder().embed(crops)
    np.testing.assert_allclose(runtimes()[way](crops), expected, atol=1e-4)
