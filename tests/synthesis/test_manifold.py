import numpy as np
import pytest

from napari_cytosynth.core.protocols import Batch, Reference
from napari_cytosynth.core.provenance import Provenance, SyntheticCell, SyntheticVector
from napari_cytosynth.features.morphology import MorphologyEmbedder
from napari_cytosynth.synthesis.critics.manifold import WIDENING, ManifoldCritic

ORIGIN = Provenance("toy", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")


def pixels(crops, code="SNE"):
    return Batch(tuple(SyntheticCell(c, code, ORIGIN) for c in crops), 0)


def vectors(rows, code="SNE"):
    items = (SyntheticVector("toy:1", np.float32(v), code, ORIGIN) for v in rows)
    return Batch(tuple(items), 0)


def reference_of(cells):
    embed = MorphologyEmbedder().embed
    return Reference(cells, embed(cells.crops), embed)


@pytest.fixture(scope="module")
def reference(cells_of):
    return reference_of(cells_of({"SNE": 30, "LY": 30, "MO": 12}))


def test_fresh_real_cells_pass_and_noise_does_not(reference, cells_of):
    fresh = cells_of({"SNE": 8, "LY": 8, "MO": 8}, seed=77)
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (6, 96, 96, 3)).astype(np.uint8)
    critic = ManifoldCritic()
    assert sum(a.passed for a in critic.assess(pixels(fresh.crops), reference)) >= 22
    for strange in (noise, 255 - fresh.crops[:6], np.full_like(noise, 120)):
        said = critic.assess(pixels(strange), reference)
        assert not any(a.passed for a in said)
        assert all(a.score > WIDENING and "Outside" in a.reason for a in said)


def test_the_reason_tells_the_number_and_how_many_real_cells_would_pass(reference):
    (said,) = ManifoldCritic().assess(pixels(reference.cells.crops[:1]), reference)
    assert said.passed
    assert f"{said.score:.2f} radii" in said.reason
    assert "of 72 real cells" in said.reason
    assert said.calibrated


def test_the_share_is_that_of_real_cells_left_out_one_by_one(cells_of):
    cells = cells_of({"SNE": 20, "LY": 18})
    reference = Reference(cells, cells.vectors, lambda crops: crops)
    (said,) = ManifoldCritic().assess(vectors(cells.vectors[:1]), reference)
    spread = cells.vectors.std(axis=0)
    passed = 0
    for row in range(len(cells)):
        rest = cells.take(np.arange(len(cells)) != row).vectors / spread
        between = np.linalg.norm(rest[:, None] - rest, axis=2)
        radius = np.sort(between, axis=1)[:, 5]
        reach = np.linalg.norm(rest - cells.vectors[row] / spread, axis=1) / radius
        # A ball that reached to the cell left out has grown, and may miss it by less.
        passed += reach.min() <= WIDENING
    told = float(said.reason.split(" of 38")[0].split("as ")[1].rstrip("%")) / 100
    assert told == pytest.approx(passed / len(cells), abs=0.03)


def test_vectors_are_judged_in_their_own_space(reference, cells_of):
    cells = reference.cells
    far = cells.vectors[:4] + 40
    critic = ManifoldCritic()
    assert not any(a.passed for a in critic.assess(vectors(far), reference))
    assert all(a.passed for a in critic.assess(vectors(cells.vectors[:4]), reference))


def test_a_class_that_no_real_cell_shows_is_let_through_unverified(reference):
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.uint8)
    (said,) = ManifoldCritic().assess(pixels(noise, "BA"), reference)
    assert said.passed
    assert said.abstained
    assert "Not calibrated (n = 0)" in said.reason


def test_repeats_of_one_real_cell_are_no_division_by_nothing(cells_of):
    cells = cells_of({"SNE": 1})
    same = cells.take(np.zeros(12, int))
    said = ManifoldCritic().assess(vectors(same.vectors[:2]), reference_of(same))
    assert all(a.passed for a in said)
