import numpy as np
import pytest

from napari_cytosynth.core.protocols import Batch, Reference
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.critics.diversity import DiversityCritic

ORIGIN = Provenance("toy", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def reference(cells_of):
    cells = cells_of({"SNE": 40, "LY": 30, "MO": 40})
    return Reference(cells, describe(cells.crops), describe)


@pytest.fixture(scope="module")
def drawn(cells_of):
    return cells_of({"SNE": 1, "LY": 1, "MO": 1}, seed=77)


def cells_from(crops, start=0):
    return Batch(tuple(SyntheticCell(c, "SNE", ORIGIN) for c in crops), start)


def vectors_from(rows):
    items = (SyntheticVector("toy:1", v, "SNE", ORIGIN) for v in rows)
    return Batch(tuple(items), 0)


def passed(said):
    return [a.passed for a in said]


def test_of_two_alike_the_first_stays(reference, drawn):
    first, second, third = drawn.crops
    turned = np.rot90(first)[:, ::-1]
    batch = cells_from([first, second, turned, third], start=4)
    said = DiversityCritic().assess(batch, reference)
    assert passed(said) == [True, True, False, True]
    assert "repeats none" in said[0].reason
    assert "draw 4 lies nearest" in said[2].reason
    assert said[2].score < 1


def test_what_another_critic_refused_repeats_nothing(reference, drawn):
    veto = Assessment("copy", 0.1, passed=False, reason="A copy of cell 3.")
    first = SyntheticCell(drawn.crops[0], "SNE", ORIGIN)
    batch = Batch((first.judged(veto), first, first), 0)
    assert passed(DiversityCritic().assess(batch, reference)) == [True, True, False]


def test_what_was_stored_before_counts(reference, drawn):
    critic = DiversityCritic()
    (kept,) = cells_from(drawn.crops[:1]).items
    critic.remember([kept])
    said = critic.assess(cells_from(drawn.crops), reference)
    assert passed(said) == [False, True, True]
    assert "synthetic cell 0" in said[0].reason
    critic.forget()
    assert all(passed(critic.assess(cells_from(drawn.crops), reference)))


def test_vectors_repeat_each_other_too(reference, drawn):
    rows = drawn.vectors[[0, 1, 0]] + np.float32([[0], [0], [1e-3]])
    assert passed(DiversityCritic().assess(vectors_from(rows), reference)) == [
        True,
        True,
        False,
    ]


def test_without_real_cells_only_the_same_picture_is_a_repeat(cells_of, drawn):
    cells = cells_of({})
    reference = Reference(cells, describe(cells.crops), describe)
    nearly = np.clip(drawn.crops[:1].astype(int) + 3, 0, 255).astype(np.uint8)
    nearly[0, 40:56, 40:56] //= 2
    batch = cells_from([drawn.crops[0], nearly[0], drawn.crops[0]])
    said = DiversityCritic().assess(batch, reference)
    assert passed(said) == [True, True, False]
    assert not any(a.calibrated for a in said)
