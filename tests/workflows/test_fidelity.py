"""Inspect the synthetic cells of painted projects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import Cancelled
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.provenance import SyntheticVector
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.appendix import SHOWN, Sheet
from napari_cytosynth.evidence.findings import Kind
from napari_cytosynth.evidence.sections import sections_of
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FAKE_EMBEDDERS, FAKE_GENERATORS
from napari_cytosynth.testing.tiny import tiny_project, tiny_synthetic
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows import fidelity
from napari_cytosynth.workflows.appendix import gather_appendix
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.fidelity import (
    Source,
    inspect_synthetic,
    stored_inspection,
)
from napari_cytosynth.workflows.kept import keep_vectors
from napari_cytosynth.workflows.splitting import splits_of

TEACHER, AUDITOR = Author("reader"), Author("reader", Mode.AUDIT)
COMPUTE = InlineCompute(embedders=FAKE_EMBEDDERS, generators=FAKE_GENERATORS)


@pytest.fixture
def project():
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=24, cells_per_smear=22)
    run_to_end(embed_cells(project, COMPUTE))
    audit = splits_of(project).audit
    for ids, author in (
        (project.cells().ids[~audit], TEACHER),
        (project.cells().ids[audit], AUDITOR),
    ):
        cells = [CellId(int(i)) for i in ids]
        project.record(*(author.label(c, truth[c]) for c in cells))
    return project


@pytest.fixture
def key(project) -> str:
    return run_to_end(embed_cells(project, COMPUTE))


def _accept(project, code: str, n: int, parents: tuple[int, ...] = ()) -> None:
    made = [
        replace(cell, provenance=replace(cell.provenance, parents=parents))
        for cell in tiny_synthetic(project.taxonomy, code, n, seed=n)
    ]
    kept = project.add_synthetic(made)
    project.record(*(TEACHER.verdict(cell.id, True) for cell in kept))


def test_an_inspection_judges_each_class_and_is_kept(project, key) -> None:
    _accept(project, "BA", 14)
    _accept(project, "LY", 12)
    steps: list[Progress] = []
    found = run_to_end(inspect_synthetic(project, key, COMPUTE), steps.append)
    order = [c for c in project.taxonomy.cell_codes if c in ("BA", "LY")]
    assert [f.code for f in found.classes] == [*order, ""]
    assert [m.code for m in found.memorisation] == [f.code for f in found.classes]
    assert {f.code: f.synthetic for f in found.classes} == {"BA": 14, "LY": 12, "": 26}
    assert all(f["kd"].beside is not None for f in found.classes)
    assert stored_inspection(project) == found
    assert stored_inspection(project, Source.VECTORS) is None
    assert len(steps) > 50
    assert found.outdated(project.journal) == ""
    _accept(project, "BA", 3)
    assert "your last 3 verdicts" in found.outdated(project.journal)


def test_parts_of_the_same_cells_are_read_back(project, key, monkeypatch) -> None:
    _accept(project, "BA", 12)
    first = run_to_end(inspect_synthetic(project, key, COMPUTE))
    steps: list[Progress] = []
    again = run_to_end(inspect_synthetic(project, key, COMPUTE), steps.append)
    assert again.classes == first.classes
    assert again.memorisation == first.memorisation
    assert len(steps) == 1

    measured: list[str] = []
    real = fidelity.measure_fidelity

    def spy(sets, code):
        measured.append(code)
        return real(sets, code)

    monkeypatch.setattr(fidelity, "measure_fidelity", spy)
    _accept(project, "LY", 11)
    run_to_end(inspect_synthetic(project, key, COMPUTE))
    assert measured == ["LY", ""]
    run_to_end(inspect_synthetic(project, key, COMPUTE, seed=1))
    assert len(measured) == 5


def test_cancel_keeps_the_parts_that_were_done(project, key) -> None:
    _accept(project, "BA", 12)

    def stop(step: Progress) -> None:
        if "training cells" in step.note:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run_to_end(inspect_synthetic(project, key, COMPUTE), stop)
    assert stored_inspection(project) is None
    kept = [j.key for j in project.jobs(JobState.DONE) if "inspection" in j.key]
    assert sorted(kept) == [
        "inspection:cells:agreement",
        "inspection:cells:fidelity:",
        "inspection:cells:fidelity:BA",
    ]
    assert run_to_end(inspect_synthetic(project, key, COMPUTE)).memorisation


def test_vectors_are_inspected_apart(project, key) -> None:
    origin = tiny_synthetic(project.taxonomy, "BA", 1)[0].provenance
    ids = project.cells().ids[~splits_of(project).audit]
    made = [
        SyntheticVector(key, vector, "BA", origin)
        for vector in project.embeddings(key, ids[:12]) + np.float32(0.01)
    ]
    keep_vectors(project, "BA", made, {}, ids, generator="embedding")
    found = run_to_end(inspect_synthetic(project, key, COMPUTE, source=Source.VECTORS))
    assert found.source == "vectors"
    assert found.classes[0].code == "BA"
    assert stored_inspection(project, Source.VECTORS) == found
    assert stored_inspection(project) is None


def test_cells_tuned_to_held_out_cells_are_left_out(project, key) -> None:
    held = project.cells().ids[splits_of(project).audit]
    _accept(project, "BA", 12)
    _accept(project, "LY", 13, (int(held[0]),))
    found = run_to_end(inspect_synthetic(project, key, COMPUTE))
    assert [f.code for f in found.classes] == ["BA", ""]


def test_held_out_and_training_cells_stand_on_their_sides(project, key) -> None:
    _accept(project, "BA", 12)
    found = run_to_end(inspect_synthetic(project, key, COMPUTE))
    audit = splits_of(project).audit
    labels = project.journal.labels()
    codes = np.array([labels[CellId(int(i))].code for i in project.cells().ids])
    own = found.memorisation[0]
    assert own.train == int((codes[~audit] == "BA").sum())
    assert own.held_out == int((codes[audit] == "BA").sum())
    assert found.classes[0].real == own.train + own.held_out
    train = set(project.cells().ids[~audit].tolist())
    assert {pair.real for pair in own.pairs} <= train
    accepted = {int(cell.id) for cell in project.synthetic()}
    assert {pair.synthetic for pair in own.pairs} <= accepted


def test_without_synthetic_or_real_cells_a_caveat_says_so(project, key) -> None:
    found = run_to_end(inspect_synthetic(project, key, COMPUTE))
    assert found.classes == ()
    assert "no synthetic cell was accepted" in found.caveats[-1]
    empty = MemoryProject(built_in("pbc11"))
    tiny_project(empty, smears=1, cells_per_smear=5)
    key = run_to_end(embed_cells(empty, COMPUTE))
    _accept(empty, "BA", 3)
    found = run_to_end(inspect_synthetic(empty, key, COMPUTE))
    assert "no real cell has a label" in " ".join(found.caveats)


def test_few_cells_are_called_unknown(project, key) -> None:
    _accept(project, "BA", 4)
    found = run_to_end(inspect_synthetic(project, key, COMPUTE))
    assert {finding.kind for finding in found.findings} == {Kind.UNKNOWN}


def test_a_contact_sheet_shows_cells_drawn_at_random_and_says_so(project, key) -> None:
    _accept(project, "BA", 40)
    pixels = [c.pixels.tobytes() for c in project.synthetic()]

    def shown(seed: int) -> tuple[list[int], Sheet]:
        task = gather_appendix(project, key, COMPUTE, seed=seed)
        (sheet,) = run_to_end(task).sheets
        return [pixels.index(crop.tobytes()) for crop in sheet.synthetic], sheet

    rows, sheet = shown(0)
    assert len(set(rows)) == len(sheet.real) == SHOWN
    assert max(rows) >= SHOWN, "not the first ones"
    assert rows == shown(0)[0]
    assert rows != shown(1)[0]
    assert sheet.of == (project_count(project, "BA"), 40)
    (html,) = [
        body
        for anchor, _, body in sections_of(
            run_to_end(gather_appendix(project, key, COMPUTE, seed=3))
        )
        if anchor == "cells"
    ]
    assert f"drawn at random from {sheet.of[0]} and 40 (seed 3)" in html


def project_count(project, code: str) -> int:
    return sum(label.code == code for label in project.journal.labels().values())
