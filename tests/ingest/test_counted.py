from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.bench.marrow import FOLDER, count_rows, counted_fields, holds
from napari_cytosynth.bench.truth import segpc

NONE = np.zeros((0, 4))


def around(points: np.ndarray, side: float = 4) -> np.ndarray:
    return np.hstack([points - side / 2, np.full_like(points, side)])


def test_the_count_holds_twenty_fields() -> None:
    fields = counted_fields()
    assert len(fields) == 20
    assert sum(len(f.nucleated) for f in fields.values()) == 379
    assert sum(len(f.smudged) for f in fields.values()) == 6
    for field in fields.values():
        assert field.low <= len(field.nucleated) <= field.high
        marks = np.vstack([field.nucleated, field.smudged])
        assert len(np.unique(marks, axis=0)) == len(marks)


def test_a_count_without_its_points_is_refused(tmp_path: Path) -> None:
    for name in ("segpc_nucleated.csv", "segpc_points.csv"):
        lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
        end = -1 if name == "segpc_points.csv" else None
        (tmp_path / name).write_text("\n".join(lines[:end]), encoding="utf-8")
    with pytest.raises(ValueError, match="35 nucleated points and a count of 36"):
        counted_fields(tmp_path)


def test_a_box_holds_what_lies_in_it_and_on_its_edge() -> None:
    points = np.array([[1, 1], [3, 2], [3.5, 2]], float)
    boxes = np.array([[0, 0, 3, 2], [3, 1, 1, 1]], float)
    assert holds(boxes, points).tolist() == [[True, True, False], [False, True, True]]


def test_a_box_for_each_cell_is_full_marks() -> None:
    found = {k: around(f.nucleated) for k, f in counted_fields().items()}
    ratio, seen, own = count_rows(found)
    assert (ratio["value"], seen["value"], own["value"]) == (1, 1, 1)
    assert ratio["low"] < 1 < ratio["high"]
    assert ratio["n"] == 379


def test_one_box_around_all_is_no_box_of_ones_own() -> None:
    ratio, seen, own = count_rows({"9471": np.array([[0, 0, 512, 512]], float)})
    assert ratio["value"] == own["value"] == pytest.approx(1 / 3)
    assert seen["value"] == 1


def test_nothing_found_and_nothing_counted() -> None:
    assert [row["value"] for row in count_rows({"9471": NONE})] == [0, 0, 0]
    assert count_rows({"another": NONE}) == []


@pytest.mark.data
def test_the_fields_follow_their_rule(developer_data: Path) -> None:
    folder = developer_data / "bone_marrow" / "segpc_myeloma"
    paths = sorted(
        (folder / "images").glob("*.jpg"),
        key=lambda path: hashlib.sha256(path.name.encode()).hexdigest(),
    )
    assert list(counted_fields()) == [path.stem for path in paths[:20]]


@pytest.mark.data
def test_every_annotated_plasma_cell_was_counted(developer_data: Path) -> None:
    fields = counted_fields()
    for truth in segpc(developer_data):
        if truth.path.stem in fields:
            boxes = truth.boxes["plasma cell"]
            counted = fields[truth.path.stem].nucleated
            assert holds(boxes, counted).any(axis=1).all(), truth.path.name
            with Image.open(truth.path) as picture:
                assert (counted < picture.size).all()
