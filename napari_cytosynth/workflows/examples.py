"""Synthetic examples of classes, beside the real ones: they tell what to look for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute, LabelledCells, SyntheticVectors
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.workflows.drawn import fit_source
from napari_cytosynth.workflows.embed import embed_synthetic, embedded_synthetic
from napari_cytosynth.workflows.kept import accepted_cells, kept_vectors
from napari_cytosynth.workflows.splitting import held_out_cells

DRAWN = 40
"""Vectors that are drawn of a class without synthetic examples."""


def synthetic_examples(
    project: Project, embedder_key: str, dim: int
) -> SyntheticVectors:
    """Return accepted synthetic cells that have a vector, and kept vectors.

    Parameters
    ----------
    project : Project
        Keeps them.
    embedder_key : str
        Fingerprint of the embedder in whose space they lie.
    dim : int
        Length of its vectors.
    """
    measure = held_out_cells(project)
    vectors, codes = kept_vectors(project, embedder_key, dim, measure)
    known = embedded_synthetic(project, embedder_key)
    cells = [c for c in accepted_cells(project, measure) if int(c.id) in known]
    ids = [int(cell.id) for cell in cells] + [0] * len(codes)
    rows = [known[int(cell.id)][None] for cell in cells]
    return SyntheticVectors(
        np.array(ids, np.int64),
        (*(cell.code for cell in cells), *codes),
        np.concatenate([*rows, vectors]).astype(np.float32),
    )


def examples_of(
    project: Project,
    compute: Compute,
    code: str,
    real: LabelledCells,
    *,
    seed: int = 0,
) -> Task[SyntheticVectors]:
    """Return the synthetic examples of all classes, with some of ``code`` drawn anew.

    Vectors are drawn where none of the class was accepted or kept. They are not stored,
    and train no head.

    Parameters
    ----------
    project : Project
        Keeps what was accepted.
    compute : Compute
        Embeds accepted cells that have no vector yet, and draws.
    code : str
        Class that is looked for.
    real : LabelledCells
        Training cells with vectors.
    seed : int
        Decides the draws.

    Raises
    ------
    InputError
        If vectors are drawn and the real cells are too few to learn a spread from.
    """
    accepted = accepted_cells(project, held_out_cells(project), code)
    yield from embed_synthetic(project, real.embedder, accepted, compute)
    known = synthetic_examples(project, real.embedder, real.vectors.shape[1])
    if code in known.codes or not real.count(code):
        return known
    source = yield from fit_source(real, project.taxonomy, compute, seed=seed)
    drawn = yield from source.draw({code: DRAWN}, seed)
    vectors = drawn.vectors(real.vectors.shape[1])
    return replace(
        known,
        ids=np.append(known.ids, np.zeros(len(vectors), np.int64)),
        codes=(*known.codes, *drawn.codes),
        vectors=np.concatenate([known.vectors, vectors]),
    )
