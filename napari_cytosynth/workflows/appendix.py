"""Gather what a report shows beside its figures from a project."""

from __future__ import annotations

from collections import Counter

import numpy as np

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute, Crops
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.evidence.appendix import (
    SHOWN,
    Appendix,
    Made,
    PairSheet,
    Sheet,
)
from napari_cytosynth.evidence.memorisation import Memorisation
from napari_cytosynth.workflows.fidelity import inspect_synthetic
from napari_cytosynth.workflows.model_card import cards_of
from napari_cytosynth.workflows.reader_test import results

_KEPT = frozenset({Status.PROPOSED, Status.ACCEPTED})


def gather_appendix(
    project: Project, embedder_key: str, compute: Compute, *, seed: int = 0
) -> Task[Appendix]:
    """Inspect the synthetic cells, and gather pictures, provenance and cards.

    Parameters
    ----------
    project : Project
        Gives all of it.
    embedder_key : str
        Fingerprint of the embedder in whose space is measured.
    compute : Compute
        Embeds synthetic pictures.
    seed : int
        Decides which cells are shown.
    """
    inspection = yield from inspect_synthetic(project, embedder_key, compute, seed=seed)
    cells = project.synthetic()
    pairs = (_pairs(project, cells, m) for m in inspection.memorisation if m.code)
    return Appendix(
        smears=len(project.smears()),
        labels=len(project.journal.labels()),
        made=_made(cells),
        inspection=inspection,
        sheets=_sheets(project, cells, seed),
        pairs=tuple(sheet for sheet in pairs if sheet.pairs),
        cards=tuple(
            cards_of(project, {c.provenance.generator for c in cells}).values()
        ),
        readers=results(project),
    )


def _made(cells: tuple[SyntheticCell, ...]) -> tuple[Made, ...]:
    counts = Counter((c.provenance.generator, c.code, c.status) for c in cells)
    kinds = sorted({(generator, code) for generator, code, _ in counts})
    return tuple(
        Made(
            *kind,
            counts[(*kind, Status.ACCEPTED)],
            counts[(*kind, Status.PROPOSED)],
            counts[(*kind, Status.REJECTED)] + counts[(*kind, Status.DROPPED)],
        )
        for kind in kinds
    )


def _sheets(
    project: Project, cells: tuple[SyntheticCell, ...], seed: int
) -> tuple[Sheet, ...]:
    rng = np.random.default_rng(seed)
    labels = project.journal.labels()
    made = {c.code for c in cells if c.status in _KEPT}
    sheets = []
    for kind in project.taxonomy:
        own = sorted(cell for cell, label in labels.items() if label.code == kind.code)
        if kind.code not in made or not own:
            continue
        fakes = [c for c in cells if c.code == kind.code and c.status in _KEPT]
        real = project.crops(np.sort(rng.permutation(own)[:SHOWN]))
        drawn = np.sort(rng.permutation(len(fakes))[:SHOWN])
        fake = np.stack([fakes[row].pixels for row in drawn])
        of = len(own), len(fakes)
        sheets.append(Sheet(kind.code, kind.name, real, fake, of, seed))
    return tuple(sheets)


def _pairs(
    project: Project, cells: tuple[SyntheticCell, ...], found: Memorisation
) -> PairSheet:
    pixels = {int(c.id): c.pixels for c in cells if c.id is not None}
    pairs = tuple(pair for pair in found.pairs if pair.synthetic in pixels)
    none: Crops = np.zeros((0, 96, 96, 3), np.uint8)
    made = np.stack([pixels[p.synthetic] for p in pairs]) if pairs else none
    real = project.crops([p.real for p in pairs]) if pairs else none
    return PairSheet(found.code, pairs, made, real)
