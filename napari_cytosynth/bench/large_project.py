"""A project of very many cells on the disk, and a round of learning in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_cytosynth.bench.key_latency import fill_cells
from napari_cytosynth.bench.made_up import LABELS, centres_of
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.head import Head
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.suggest import Suggestion, suggest
from napari_cytosynth.workflows.summary import class_summary

KEY = "bench:1"
"""Fingerprint under which the vectors stand."""

CARDS = 200
"""Cells in a ranking, as the queue asks for them."""

_BLOCK = 16_384


def write_project(path: Path, cells: int, dim: int) -> None:
    """Write a project of made-up cells with vectors, 400 of them labelled.

    The vectors are one draw of noise, turned from block to block, around the middles
    of eleven classes.

    Parameters
    ----------
    path : Path
        Of the project.
    cells, dim : int
        How many, and numbers a vector.
    """
    from napari_cytosynth.store import create_project

    taxonomy, rng = built_in("pbc11"), np.random.default_rng(0)
    project = create_project(path, taxonomy)
    fill_cells(project, cells, rng)
    ids, centres = project.cells().ids, centres_of(rng, dim)
    kinds = rng.integers(len(centres), size=cells)
    noise = rng.standard_normal((min(_BLOCK, cells), dim), dtype=np.float32)
    for at in range(0, cells, _BLOCK):
        own = kinds[at : at + _BLOCK]
        turned = np.roll(noise, at // _BLOCK, axis=1)[: len(own)] + centres[own]
        project.put_embeddings(KEY, ids[at : at + _BLOCK], turned)
    author, codes = Author("bench"), taxonomy.cell_codes
    teach = np.flatnonzero(~splits_of(project).audit)[:LABELS]
    project.record(*(author.label(CellId(int(ids[i])), codes[kinds[i]]) for i in teach))
    project.close()


def round_of(project: Project, head: Head, strategy: str, seed: int) -> Suggestion:
    """Do what follows a fit in the program: predict all cells, count, rank.

    Parameters
    ----------
    project : Project
        As :func:`write_project` left it.
    head : Head
        Of its vectors.
    strategy : str
        Name in the registry.
    seed : int
        Decides chance.
    """
    from napari_cytosynth.app.learner import predict

    run_to_end(predict(project, KEY, head))
    class_summary(project, head, KEY)
    return suggest(project, KEY, head=head, strategy=strategy, n=CARDS, seed=seed)
