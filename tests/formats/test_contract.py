"""Every format keeps the contract, and loses no coordinate."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cytosynth.core.protocols import (
    Format,
    ImageRecord,
    ObjectRecord,
    Records,
)
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.formats.coco import Coco
from napari_cytosynth.formats.csv import Csv
from napari_cytosynth.formats.voc import Voc
from napari_cytosynth.formats.yolo import Yolo
from napari_cytosynth.testing.contracts_format import FormatContract

_SIDE = 5000
_starts = st.floats(-20, _SIDE - 30, allow_nan=False, width=32)
_sizes = st.floats(2.5, 300, allow_nan=False, width=32)
_boxes = st.lists(st.tuples(_starts, _starts, _sizes, _sizes), min_size=1, max_size=5)
_whole = st.integers(-20, _SIDE - 300)
_whole_boxes = st.lists(
    st.tuples(_whole, _whole, st.integers(2, 300), st.integers(2, 300)),
    min_size=1,
    max_size=5,
)
_labels = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8
)


class TestVoc(FormatContract):
    tolerance = 0.0
    keeps = frozenset({"score", "edge", "synthetic", "mpp", "classes"})

    def make(self) -> Format:
        return Voc()

    def place_junk(self, folder: Path, junk: bytes) -> Path:
        (folder / "junk.xml").write_bytes(junk)
        return folder


class TestCoco(FormatContract):
    suffix = ".json"
    keeps = frozenset({"score", "edge", "outline", "synthetic", "mpp", "classes"})

    def make(self) -> Format:
        return Coco()


class TestCsv(FormatContract):
    suffix = ".csv"
    keeps = frozenset({"score", "edge", "outline", "synthetic", "mpp"})

    def make(self) -> Format:
        return Csv()


class TestYolo(FormatContract):
    tolerance = 1e-5
    keeps = frozenset({"synthetic", "mpp", "classes"})

    def make(self) -> Format:
        return Yolo()

    def place_junk(self, folder: Path, junk: bytes) -> Path:
        (folder / "data.yaml").write_bytes(junk or b"\xff")
        (folder / "a.txt").write_text("0 0.5 0.5 1 1")
        return folder


def test_registry_finds_them_all() -> None:
    assert names("formats") == ("coco", "csv", "voc", "yolo")
    assert {load("formats", name)().key for name in names("formats")} == {
        "coco",
        "csv",
        "voc",
        "yolo",
    }


def _round_trip(form: Format, boxes, label: str, name: str) -> Records:
    image = ImageRecord("a.png", _SIDE, _SIDE)
    objects = tuple(ObjectRecord("a.png", box, label) for box in boxes)
    with tempfile.TemporaryDirectory() as folder:
        form.write(Records((image,), objects), Path(folder) / name)
        return form.read(Path(folder) / name)


_FORMS = [
    (Csv(), "l.csv", 0.0),
    (Coco(), "l.json", 0.0),
    (Yolo(), "l", 2e-6),
    (Voc(), "l", 1.0),
]


@pytest.mark.parametrize(("form", "name", "tolerance"), _FORMS)
@settings(max_examples=25, deadline=None)
@given(boxes=_boxes, label=_labels)
def test_coordinates_and_labels_survive(
    form: Format, name: str, tolerance: float, boxes, label: str
) -> None:
    found = _round_trip(form, boxes, label, name)
    assert [o.label for o in found.objects] == [label] * len(boxes)
    now = np.array([o.box for o in found.objects])
    np.testing.assert_allclose(now, np.array(boxes), atol=tolerance, rtol=0)


@settings(max_examples=25, deadline=None)
@given(boxes=_whole_boxes)
def test_whole_pixels_survive_voc_exactly(boxes) -> None:
    found = _round_trip(Voc(), boxes, "x", "l")
    assert [o.box for o in found.objects] == [tuple(map(float, b)) for b in boxes]


@pytest.mark.parametrize(("form", "name", "tolerance"), _FORMS[:3])
@settings(max_examples=25, deadline=None)
@given(boxes=_boxes)
def test_a_second_round_trip_changes_nothing(
    form: Format, name: str, tolerance: float, boxes
) -> None:
    once = _round_trip(form, boxes, "x", name)
    twice = _round_trip(form, [o.box for o in once.objects], "x", name)
    for a, b in zip(once.objects, twice.objects, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=2 * tolerance, rtol=0)
