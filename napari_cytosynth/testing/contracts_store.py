"""What every project must do, wherever it keeps its data. Inherit and give ``make``."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.core.errors import (
    InputError,
    ProjectError,
    ProvenanceError,
    UnknownClassError,
)
from napari_cytosynth.core.ids import CellId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.provenance import Assessment, Status
from napari_cytosynth.testing.contracts_cells import (
    ANN,
    JournalContract,
    SmearAndCellContract,
)
from napari_cytosynth.testing.contracts_scale import ScaleContract
from napari_cytosynth.testing.tiny import (
    tiny_crops,
    tiny_detections,
    tiny_synthetic,
)


class ProjectContract(SmearAndCellContract, JournalContract, ScaleContract):
    """Tests of a :class:`~napari_cytosynth.core.project.Project`.

    Subclasses implement ``make``, and ``again`` where data outlives closing.
    """

    def test_synthetic_cells_survive_with_their_origin(self, project: Project) -> None:
        said = Assessment("copy", 0.25, passed=False, reason="0.25 under 0.3")
        cells = [
            replace(
                cell.judged(said),
                verified=False,
                provenance=replace(cell.provenance, seed=2**70, parents=(3, 4)),
            )
            for cell in tiny_synthetic(project.taxonomy, "BA", 2)
        ]
        stored = project.add_synthetic(cells)
        assert [c.id for c in stored] == [1, 2]
        found = self.again(project).synthetic()
        assert [c.id for c in found] == [1, 2]
        for was, now in zip(cells, found, strict=True):
            np.testing.assert_array_equal(was.pixels, now.pixels)
            assert now.provenance == was.provenance
            assert now.assessments == (said,)
            assert (now.code, now.verified, now.status) == (
                "BA",
                False,
                Status.PROPOSED,
            )

    def test_synthetic_by_class_and_status(self, project: Project) -> None:
        basophils = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 3))
        project.add_synthetic(tiny_synthetic(project.taxonomy, "MO", 1))
        project.set_synthetic_status([basophils[2].id], Status.DROPPED)
        project.record(
            ANN.verdict(basophils[0].id, accept=True),
            ANN.verdict(basophils[1].id, accept=False),
        )
        project = self.again(project)
        states = [c.status for c in project.synthetic("BA")]
        assert states == [Status.ACCEPTED, Status.REJECTED, Status.DROPPED]
        assert len(project.synthetic(status=Status.PROPOSED)) == 1
        assert project.synthetic("BA", Status.PROPOSED) == ()
        assert project.synthetic("EO") == ()
        (event,) = project.journal.undo_step("ann")
        project.record(ANN.undo(event.id))
        assert project.synthetic("BA")[1].status is Status.PROPOSED

    def test_only_synthetic_cells_are_stored_as_such(self, filled: Project) -> None:
        with pytest.raises(ProvenanceError):
            filled.add_synthetic([filled.crops([1])[0]])
        (cell,) = tiny_synthetic(filled.taxonomy, "BA", 1)
        with pytest.raises(UnknownClassError):
            filled.add_synthetic([replace(cell, code="NOPE")])
        with pytest.raises(InputError, match="Synthetic cell 1"):
            filled.set_synthetic_status([SyntheticId(1)], Status.DROPPED)
        assert filled.add_synthetic([]) == ()
        assert self.again(filled).synthetic() == ()

    def test_synthetic_cells_are_no_cells(self, filled: Project) -> None:
        filled.add_synthetic(tiny_synthetic(filled.taxonomy, "BA", 3))
        assert len(filled.cells()) == 10

    def test_models(self, project: Project) -> None:
        tensors: dict[str, npt.NDArray[Any]] = {
            "w": np.arange(6, dtype=np.float32).reshape(2, 3),
            "n": np.array([3, 4], np.int64),
            "h": np.ones((2, 2), np.float16),
        }
        weights = Weights(tensors, {"classes": ["BA", "EO"], "α": 0.5})
        assert project.put_model("head", weights) == weights.sha256
        project.put_model("latent:BA/../x", Weights({"w": np.zeros(3)}))
        project = self.again(project)
        found = project.model("head")
        assert found is not None
        assert found.meta == weights.meta
        assert found.sha256 == weights.sha256
        assert {k: v.dtype for k, v in found.tensors.items()} == {
            k: v.dtype for k, v in tensors.items()
        }
        newer = Weights({"w": np.ones(2, np.float32)}, {})
        project.put_model("head", newer)
        again = self.again(project).model("head")
        assert again is not None
        assert again.sha256 == newer.sha256

    def test_jobs(self, project: Project) -> None:
        project.put_job(Job("b", JobState.RUNNING, {"done": 1}))
        project.put_job(Job("a", JobState.RUNNING))
        project.put_job(Job("b", JobState.DONE, {"done": 2}))
        project = self.again(project)
        assert project.jobs() == [
            Job("b", JobState.DONE, {"done": 2}),
            Job("a", JobState.RUNNING),
        ]
        assert [j.key for j in project.jobs(JobState.RUNNING)] == ["a"]
        with pytest.raises(InputError):
            project.put_job(Job("c", JobState.DONE, {"x": object()}))
        assert len(self.again(project).jobs()) == 2

    def test_threads_label_and_add_at_once(self, filled: Project) -> None:
        errors: list[BaseException] = []

        def label(annotator: str) -> None:
            author = Author(annotator)
            try:
                for cell in range(1, 11):
                    filled.record(author.label(CellId(cell), "BA"))
            except BaseException as error:  # noqa: BLE001 - shown by the test
                errors.append(error)

        def add(seed: int) -> None:
            rng = np.random.default_rng(seed)
            try:
                for _ in range(3):
                    crops = tiny_crops(filled.taxonomy, ["EO"] * 2, rng)
                    crops[:] = seed
                    ids = filled.add_cells(SmearId(1), tiny_detections(2, rng), crops)
                    assert (filled.crops(ids) == seed).all()
                    vectors = np.full((2, 4), seed, np.float32)
                    filled.put_embeddings("e", ids, vectors)
                    assert (filled.embeddings("e", ids) == seed).all()
            except BaseException as error:  # noqa: BLE001 - shown by the test
                errors.append(error)

        threads = [threading.Thread(target=label, args=(f"a{i}",)) for i in range(3)]
        threads += [threading.Thread(target=add, args=(i,)) for i in range(1, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        project = self.again(filled)
        assert [e.id for e in project.journal.events()] == list(range(1, 31))
        assert len(project.cells()) == 28
        assert len(project.journal.labels()) == 10

    def test_closed_project_says_so(self, filled: Project) -> None:
        filled.close()
        filled.close()
        with pytest.raises(ProjectError, match="closed"):
            filled.record(ANN.label(CellId(1), "BA"))
        with pytest.raises(ProjectError, match="closed"):
            filled.cells()
        with pytest.raises(ProjectError, match="closed"):
            filled.put_model("head", Weights({"w": np.zeros(1)}))
