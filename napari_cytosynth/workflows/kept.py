"""What a project keeps to train its head beside real cells.

That is its accepted synthetic cells, and synthetic vectors, class by class. The latter
are stored as a model of the project, with provenance and the critics' scores, and not
among synthetic cells: they have no picture, and stand in no count of cells. Imports
nothing heavy, so that a window can ask while it opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors, Weights
from napari_cytosynth.core.provenance import (
    Status,
    SyntheticCell,
    SyntheticVector,
)

_NAME = "vectors:{}"


def accepted_cells(
    project: Project, held_out: npt.NDArray[np.int64], code: str | None = None
) -> tuple[SyntheticCell, ...]:
    """Return the accepted synthetic cells that may train.

    Parameters
    ----------
    project : Project
        Keeps them.
    held_out : int64[h]
        Ids of the cells that measure. A synthetic cell whose generator was tuned to one
        of them is left out: cells change sides once, when the fifth group joins a
        project, and where the pixel size of a smear is corrected before.
    code : str, optional
        Of this class only.
    """
    measure = frozenset(held_out.tolist())
    accepted = project.synthetic(code, Status.ACCEPTED)
    return tuple(c for c in accepted if measure.isdisjoint(c.provenance.parents))


def keep_vectors(
    project: Project,
    code: str,
    items: Sequence[SyntheticVector],
    tally: Mapping[str, Any],
    cells: npt.NDArray[np.int64],
    *,
    generator: str,
) -> None:
    """Store the vectors of a class in place of those before.

    Parameters
    ----------
    project : Project
        Keeps them.
    code : str
        Class.
    items : sequence of SyntheticVector
        Of that class, one embedder and one fit.
    tally : mapping
        JSON-able: how many were drawn, passed and refused.
    cells : int64[k]
        Ids of all real cells that their generator was fitted on, of any class.
    generator : str
        Name under which it was asked.
    """
    if not items:
        project.put_model(_NAME.format(code), Weights({}, {"tally": dict(tally)}))
        return
    scores = np.array([[a.score for a in item.assessments] for item in items])
    meta = {
        "embedder": items[0].embedder,
        "code": code,
        "generator": generator,
        "provenance": items[0].provenance.to_json(),
        "critics": [a.critic for a in items[0].assessments],
        "tally": dict(tally),
    }
    vectors = np.stack([item.vector for item in items]).astype(np.float32)
    tensors: dict[str, npt.NDArray[Any]] = {
        "vectors": vectors,
        "scores": scores.astype(np.float32),
        "cells": np.asarray(cells, np.int64),
    }
    project.put_model(_NAME.format(code), Weights(tensors, meta))


def forget_vectors(project: Project, code: str) -> None:
    """Remove the vectors of a class; no head is trained on them from here on."""
    project.put_model(_NAME.format(code), Weights({}, {"tally": {}}))


def kept_vectors(
    project: Project, embedder_key: str, dim: int, held_out: npt.NDArray[np.int64]
) -> tuple[Vectors, tuple[str, ...]]:
    """Return the vectors that lie in an embedder's space, and the class of each.

    Parameters
    ----------
    project : Project
        Keeps them.
    embedder_key : str
        Fingerprint of the embedder.
    dim : int
        Length of its vectors.
    held_out : int64[h]
        Ids of the cells that measure. Vectors whose generator saw one of them are left
        out: the split changes once, when the fifth group joins a project.

    Returns
    -------
    float32[m, dim], tuple of str
    """
    vectors: list[Vectors] = [np.zeros((0, dim), np.float32)]
    codes: list[str] = []
    for code in project.taxonomy.cell_codes:
        kept = project.model(_NAME.format(code))
        if kept is None or kept.meta.get("embedder") != embedder_key:
            continue
        if not np.isin(kept.tensors["cells"], held_out).any():
            vectors.append(kept.tensors["vectors"])
            codes += [code] * len(kept.tensors["vectors"])
    return np.concatenate(vectors), tuple(codes)


def vector_counts(project: Project) -> dict[str, int]:
    """Return how many vectors are kept for each class that has some."""
    counts = {}
    for code in project.taxonomy.cell_codes:
        kept = project.model(_NAME.format(code))
        if kept is not None and "vectors" in kept.tensors:
            counts[code] = len(kept.tensors["vectors"])
    return counts


def kept_fills(project: Project, embedder_key: str) -> dict[str, dict[str, int]]:
    """Return how many vectors of each class each generator left, by its name.

    Parameters
    ----------
    project : Project
        Keeps them.
    embedder_key : str
        Fingerprint of the embedder in whose space they lie.
    """
    found: dict[str, dict[str, int]] = {}
    for code in project.taxonomy.cell_codes:
        kept = project.model(_NAME.format(code))
        if kept is not None and kept.meta.get("embedder") == embedder_key:
            made_by = kept.meta["provenance"]["generator"]
            generator = str(kept.meta.get("generator", made_by))
            found.setdefault(generator, {})[code] = len(kept.tensors["vectors"])
    return found
