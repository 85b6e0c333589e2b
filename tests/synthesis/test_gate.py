import numpy as np
import pytest

from napari_cytosynth.core.protocols import Batch, Reference
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.critics.agreement import AgreementCritic
from napari_cytosynth.synthesis.critics.copy import CopyCritic
from napari_cytosynth.synthesis.gate import Gate, first_veto

ORIGIN = Provenance("toy", "0" * 64, {}, 0, (), "0", "now")


def batch(*numbers, code="MO"):
    """Cells whose pixels are their number."""
    pixels = [np.full((96, 96, 3), number, np.uint8) for number in numbers]
    return Batch(tuple(SyntheticCell(p, code, ORIGIN) for p in pixels), 0)


class EveryThird:
    key = "third"

    def assess(self, batch, reference):
        return [
            Assessment(self.key, n, passed=n % 3 == 0, reason=f"{n} over 3")
            for n in (int(item.pixels[0, 0, 0]) for item in batch.items)
        ]


class Never:
    key = "never"

    def assess(self, batch, reference):
        return [Assessment(self.key, 0, passed=False, reason="no") for _ in batch.items]


def reference_of(cells):
    return Reference(cells, describe(cells.crops), describe)


@pytest.fixture
def reference(cells):
    return reference_of(cells)


def test_what_passed_every_critic_is_proposed(reference):
    judged = Gate([EveryThird()], reference).judge(batch(0, 1, 2, 3))
    assert [c.status for c in judged] == [
        Status.PROPOSED,
        Status.DROPPED,
        Status.DROPPED,
        Status.PROPOSED,
    ]
    assert [first_veto(c) is None for c in judged] == [True, False, False, True]


def test_dropped_cells_keep_the_reasons_of_all_critics(reference):
    judged = Gate([EveryThird(), Never()], reference).judge(batch(0, 1))
    assert {c.status for c in judged} == {Status.DROPPED}
    assert [first_veto(c).critic for c in judged] == ["never", "third"]
    assert [a.reason for a in judged[1].assessments] == ["1 over 3", "no"]


def test_vectors_are_judged_too(reference):
    drawn = SyntheticVector("toy:1", reference.cells.vectors[0], "MO", ORIGIN)
    (judged,) = Gate([Never()], reference).judge(Batch((drawn,), 0))
    assert not judged.passed


@pytest.mark.parametrize(
    ("counts", "verified"),
    [
        ({"SNE": 40, "LY": 30, "MO": 6}, True),
        ({"SNE": 40, "LY": 30, "MO": 4}, False),
        ({"SNE": 40, "LY": 30}, False),
        # Enough monocytes, but no second class to tell them from.
        ({"SNE": 4, "LY": 4, "MO": 30}, False),
        ({}, False),
    ],
)
def test_a_cell_is_verified_only_by_critics_that_could_tell(cells_of, counts, verified):
    gate = Gate([AgreementCritic(), CopyCritic()], reference_of(cells_of(counts)))
    crops = cells_of({"SNE": 1, "LY": 1, "MO": 3}, seed=77).crops[2:]
    items = tuple(SyntheticCell(c, "MO", ORIGIN) for c in crops)
    judged = gate.judge(Batch(items, 0))
    assert {c.verified for c in judged} == {verified}
    said = [c.assessments[0] for c in judged]
    assert {a.abstained for a in said} == {not verified}
    assert all(a.passed and not a.calibrated for a in said if a.abstained)


def test_without_critics_nothing_is_verified(reference):
    assert not Gate([], reference).judge(batch(0))[0].verified
