from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.protocols import Batch, Critic, Reference
from napari_cytosynth.core.provenance import Provenance, SyntheticCell, SyntheticVector
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.critics.agreement import AgreementCritic
from napari_cytosynth.synthesis.critics.copy import CopyCritic
from napari_cytosynth.synthesis.starter import load_training_thumbnails

ORIGIN = Provenance("toy", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")


def pixels(crops, code):
    return Batch(tuple(SyntheticCell(c, code, ORIGIN) for c in crops), 0)


def vectors(rows, code):
    return Batch(tuple(SyntheticVector("toy:1", v, code, ORIGIN) for v in rows), 0)


def reference_of(cells):
    return Reference(cells, describe(cells.crops), describe)


@pytest.fixture(scope="module")
def reference(cells_of):
    return reference_of(cells_of({"SNE": 40, "LY": 30, "MO": 6}))


@pytest.fixture(scope="module")
def fresh(cells_of):
    return cells_of({"SNE": 10, "LY": 10, "MO": 10}, seed=77)


@pytest.mark.parametrize("critic", [AgreementCritic(), CopyCritic()])
def test_each_item_gets_a_number_and_a_reason(critic, reference, fresh):
    assert isinstance(critic, Critic)
    for batch in (pixels(fresh.crops[:3], "SNE"), vectors(fresh.vectors[:3], "SNE")):
        found = critic.assess(batch, reference)
        assert len(found) == 3
        assert all(np.isfinite(a.score) and len(a.reason) > 20 for a in found)
        assert {a.critic for a in found} == {critic.key}
    assert critic.assess(Batch((), 0), reference) == []


@pytest.mark.parametrize("make", [pixels, vectors])
def test_agreement_passes_the_right_class_and_vetoes_the_wrong(make, reference, fresh):
    rows = (fresh.crops if make is pixels else fresh.vectors)[:10]
    critic = AgreementCritic()
    right = [a.passed for a in critic.assess(make(rows, "SNE"), reference)]
    wrong = [a.passed for a in critic.assess(make(rows, "LY"), reference)]
    assert sum(right) >= 8
    assert sum(wrong) <= 1


def test_agreement_says_when_it_cannot_tell(cells_of, fresh):
    reference = reference_of(cells_of({"SNE": 20, "LY": 20, "MO": 2}))
    few = AgreementCritic().assess(pixels(fresh.crops[:1], "MO"), reference)[0]
    none = AgreementCritic().assess(pixels(fresh.crops[:1], "BA"), reference)[0]
    assert few.passed
    assert "Not calibrated (n = 2)" in few.reason
    assert "Not calibrated (n = 0)" in none.reason


def test_agreement_needs_two_classes(cells_of, fresh):
    reference = reference_of(cells_of({"SNE": 20}))
    found = AgreementCritic().assess(pixels(fresh.crops[:1], "SNE"), reference)[0]
    assert found.passed
    assert "nothing to tell it from" in found.reason


def test_agreement_survives_no_real_cells(cells_of, fresh):
    found = AgreementCritic().assess(
        pixels(fresh.crops[:1], "SNE"), reference_of(cells_of({}))
    )
    assert found[0].passed


def test_agreement_with_few_groups_deals_cells(cells_of, fresh):
    cells = cells_of({"SNE": 20, "LY": 20})
    cells = replace(cells, groups=np.full(40, "one slide"))
    found = AgreementCritic().assess(
        pixels(fresh.crops[:5], "SNE"), reference_of(cells)
    )
    assert sum(a.passed for a in found) >= 4


def test_copies_are_vetoed_however_turned(reference, fresh):
    turned = np.rot90(reference.cells.crops[:5], 3, axes=(1, 2))[:, :, ::-1]
    critic = CopyCritic()
    assert not any(a.passed for a in critic.assess(pixels(turned, "SNE"), reference))
    new = [a.passed for a in critic.assess(pixels(fresh.crops, "SNE"), reference)]
    assert sum(new) >= 27
    found = critic.assess(pixels(turned, "SNE"), reference)
    assert "(1)" in found[0].reason
    assert [a.nearest for a in found] == reference.cells.ids[:5].tolist()


def test_vectors_that_copy_are_vetoed(reference, fresh):
    near = reference.cells.vectors[:5] + np.float32(1e-3)
    critic = CopyCritic()
    assert not any(a.passed for a in critic.assess(vectors(near, "SNE"), reference))
    new = [a.passed for a in critic.assess(vectors(fresh.vectors, "SNE"), reference)]
    assert sum(new) >= 27


def test_without_real_cells_nothing_is_a_copy(cells_of, fresh):
    reference = reference_of(cells_of({}))
    for batch in (pixels(fresh.crops[:2], "SNE"), vectors(fresh.vectors[:2], "SNE")):
        found = CopyCritic().assess(batch, reference)
        assert all(a.passed and "n = 0" in a.reason for a in found)
        assert all(a.nearest is None for a in found)


def test_one_real_cell_is_copied_only_by_itself(cells_of, fresh):
    cells = cells_of({"SNE": 1})
    reference = reference_of(cells)
    critic = CopyCritic()
    assert not critic.assess(pixels(cells.crops, "SNE"), reference)[0].passed
    assert critic.assess(pixels(fresh.crops[:1], "SNE"), reference)[0].passed


def test_painted_cells_are_compared_with_the_training_cells(reference):
    trained, _ = load_training_thumbnails()
    crops = np.kron(trained[[10, 500]], np.ones((1, 6, 6), np.uint8))
    crops = np.repeat(crops[..., None], 3, axis=3)
    for generator, passes in (("latent", False), ("other", True)):
        origin = replace(ORIGIN, generator=generator)
        items = tuple(SyntheticCell(c, "SNE", origin) for c in crops)
        found = CopyCritic().assess(Batch(items, 0), reference)
        assert [a.passed for a in found] == [passes, passes]
        assert ("training cell" in found[0].reason) is not passes
