"""Nothing synthetic without its origin, and never as a real cell."""

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import ProvenanceError
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
    SyntheticVector,
    refuse_synthetic,
)

ORIGIN = Provenance(
    "latent", "ab" * 32, {"steps": 20}, 7, (1, 2), "0.1", "2026-01-01T00:00:00+00:00"
)
PIXELS = np.zeros((96, 96, 3), np.uint8)
GOOD = Assessment("agreement", 0.9, passed=True, reason="0.90 over 0.5")
VETO = Assessment("copy", 0.1, passed=False, reason="0.10 under 0.3")


def test_json_round_trip() -> None:
    text = json.dumps(ORIGIN.to_json())
    assert json.loads(text)["synthetic"] is True
    assert Provenance.from_json(json.loads(text)) == ORIGIN


@pytest.mark.parametrize(
    "change",
    [
        {"generator": ""},
        {"version": ""},
        {"time": ""},
        {"weights": "ab"},
        {"weights": "AB" * 32},
        {"weights": "zz" * 32},
    ],
)
def test_false_origins_are_refused(change: dict) -> None:
    with pytest.raises(ProvenanceError):
        replace(ORIGIN, **change)


@pytest.mark.parametrize("origin", [None, {}, "latent"])
def test_no_origin_no_cell(origin) -> None:
    with pytest.raises(ProvenanceError, match="cannot exist without one"):
        SyntheticCell(PIXELS, "BA", origin)
    with pytest.raises(ProvenanceError, match="cannot exist without one"):
        SyntheticVector("e", np.zeros(3, np.float32), "BA", origin)


def test_pixels_are_a_crop() -> None:
    for pixels in (PIXELS[:95], PIXELS.astype(np.float32), PIXELS[..., :1]):
        with pytest.raises(ProvenanceError, match="Give uint8"):
            SyntheticCell(pixels, "BA", ORIGIN)


def test_one_veto_is_enough() -> None:
    for thing in (
        SyntheticCell(PIXELS, "BA", ORIGIN),
        SyntheticVector("e", np.zeros(3, np.float32), "BA", ORIGIN),
    ):
        assert thing.passed
        assert thing.judged(GOOD).passed
        judged = thing.judged(GOOD).judged(VETO)
        assert not judged.passed
        assert judged.assessments == (GOOD, VETO)
        assert thing.assessments == ()


def test_cells_cannot_be_changed() -> None:
    cell = SyntheticCell(PIXELS, "BA", ORIGIN)
    with pytest.raises(FrozenInstanceError):
        cell.status = Status.ACCEPTED


def test_refused_by_type_wherever_they_stand() -> None:
    cell = SyntheticCell(PIXELS, "BA", ORIGIN)
    vector = SyntheticVector("e", np.zeros(3, np.float32), "BA", ORIGIN)
    for things in (cell, vector, [1, cell], (vector,)):
        with pytest.raises(ProvenanceError, match="passed to the audit"):
            refuse_synthetic(things, "the audit")
    refuse_synthetic([1, 2], "the audit")
    refuse_synthetic([], "the audit")
