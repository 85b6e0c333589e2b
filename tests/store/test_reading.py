"""Projects where nothing can be written: read, and left as they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import (
    ProjectError,
    ProjectLockedError,
    StorageError,
)
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project, read_project
from napari_cytosynth.testing.tiny import tiny_project

ANN = Author("ann")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = create_project(tmp_path / "p.cytosynth", built_in("pbc11"))
    tiny_project(made, smears=2, cells_per_smear=5, seed=1)
    made.record(ANN.label(CellId(1), "EO"))
    made.close()
    return tmp_path / "p.cytosynth"


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_all_is_read_and_nothing_is_written(path: Path) -> None:
    before = content(path)
    project = read_project(path)
    assert len(project.cells()) == 10
    assert project.journal.label(CellId(1)).code == "EO"
    assert project.crops([1, 2]).any()
    assert content(path) == before
    with pytest.raises(StorageError, match=r"read only.*Copy"):
        project.record(ANN.label(CellId(2), "EO"))
    assert project.journal.label(CellId(2)) is None
    with pytest.raises(StorageError, match="read only"):
        project.put_model("head", Weights({"a": np.ones(2, np.float32)}, {}))
    project.close()
    assert content(path) == before


def test_computed_vectors_live_in_memory(path: Path) -> None:
    before = content(path)
    project = read_project(path)
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    project.put_embeddings("e", [2, 4], vectors)
    got = project.embeddings("e", [4, 3, 2])
    np.testing.assert_array_equal(got[[2, 0]], vectors)
    assert np.isnan(got[1]).all()
    project.close()
    assert content(path) == before


def test_one_that_is_held_or_was_cut_off_is_refused(path: Path) -> None:
    held = open_project(path)
    with pytest.raises(ProjectLockedError, match="open elsewhere"):
        read_project(path)
    held.close()
    (path / "project.sqlite-journal").write_bytes(b"half a change")
    with pytest.raises(ProjectError, match="must recover"):
        read_project(path)
