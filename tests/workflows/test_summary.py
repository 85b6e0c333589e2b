"""Figures on audit cells, and what they must say of the patients behind them."""

from __future__ import annotations

import numpy as np

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.splits import MIN_GROUPS, Split
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.metrics.shares import share_among
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of
from napari_cytosynth.workflows.summary import audit_accuracy, audit_caveat
from napari_cytosynth.workflows.train import train_head


def _read(smears: int) -> tuple[MemoryProject, str]:
    """Return a project of so many patients, each cell labelled as it may be."""
    project = MemoryProject(built_in("blood5"))
    truth = tiny_project(project, smears=smears, cells_per_smear=12)
    key = run_to_end(embed_cells(project, InlineCompute(), embedder="morphology"))
    held_out = splits_of(project).audit
    for cell, audit in zip(project.cells().ids.tolist(), held_out, strict=True):
        author = Author("tester", Mode.AUDIT if audit else Mode.TEACH)
        project.record(author.label(CellId(cell), truth[CellId(cell)]))
    return project, key


def test_few_patients_behind_the_audit_cells_are_told() -> None:
    project, key = _read(6)
    audit = labelled_cells(project, key, Split.AUDIT, abstain=True)
    patients = len(np.unique(audit.groups))
    assert len(audit) >= 10
    assert 0 < patients < MIN_GROUPS
    said = audit_caveat(project, key)
    assert f"come from {patients} patients" in said
    head = run_to_end(train_head(project, key))
    found = audit_accuracy(project, head, key)
    assert found == wilson(round(found.value * found.n), found.n)


def test_with_patients_enough_they_are_drawn_again() -> None:
    project, key = _read(24)
    audit = labelled_cells(project, key, Split.AUDIT, abstain=True)
    assert len(np.unique(audit.groups)) >= MIN_GROUPS
    assert "patients or places" not in audit_caveat(project, key)
    head = run_to_end(train_head(project, key))
    hits = np.array(head.predict(audit.vectors)) == np.array(audit.codes)
    every = np.ones(len(audit))
    assert audit_accuracy(project, head, key) == share_among(hits, every, audit.groups)
