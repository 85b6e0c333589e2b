"""What a project keeps to train its head beside real cells.

That is its accepted synthetic cells, and synthetic vectors, class by class. The latter
are stored as a model of the project, with provenance and the critics' scores, and not
among synthetic cells: they have no picture, and stand in no count of cells. Imports
nothing heavy, so that a window can ask while it opens.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors, Weights
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
    SyntheticVector,
)

_NAME = "vectors:{}"
_VERDICTS = "verdicts"


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
        All that were judged, of that class, one embedder and one fit: those that passed
        first. They are kept; of the others the verdicts are.
    tally : mapping
        JSON-able: how many were drawn, passed and refused.
    cells : int64[k]
        Ids of all real cells that their generator was fitted on, of any class.
    generator : str
        Name under which it was asked.
    """
    tensors: dict[str, npt.NDArray[Any]] = {_VERDICTS: _packed(items)} if items else {}
    meta: dict[str, Any] = {"code": code, "generator": generator, "tally": dict(tally)}
    if items:
        meta["provenance"] = items[0].provenance.to_json()
    passed = [item for item in items if item.passed]
    if passed:
        meta |= {
            "embedder": passed[0].embedder,
            "critics": [a.critic for a in passed[0].assessments],
        }
        scores = np.array([[a.score for a in i.assessments] for i in passed])
        tensors |= {
            "vectors": np.stack([i.vector for i in passed]).astype(np.float32),
            "scores": scores.astype(np.float32),
            "cells": np.asarray(cells, np.int64),
        }
    project.put_model(_NAME.format(code), Weights(tensors, meta))


@dataclass(frozen=True, slots=True)
class JudgedVector:
    """What the critics said of one drawn vector, kept or refused.

    Parameters
    ----------
    id : int
        Number among the vectors of its class that were judged: those kept come first.
    code : str
        Class.
    provenance : Provenance
        How it was made.
    assessments : tuple of Assessment
        One a critic.
    """

    id: int
    code: str
    provenance: Provenance
    assessments: tuple[Assessment, ...]

    @property
    def status(self) -> Status:
        """Dropped, or proposed: the use gate decides whether it trains."""
        passed = all(a.passed for a in self.assessments)
        return Status.PROPOSED if passed else Status.DROPPED

    @property
    def verified(self) -> bool:
        """False where real cells were too few for a critic to judge it."""
        return not any(a.abstained for a in self.assessments)


def judged_vectors(project: Project) -> tuple[JudgedVector, ...]:
    """Return the verdicts on all vectors of the last fill of each class."""
    found: list[JudgedVector] = []
    for code in project.taxonomy.cell_codes:
        kept = project.model(_NAME.format(code))
        if kept is not None and _VERDICTS in kept.tensors:
            told = json.loads(zlib.decompress(kept.tensors[_VERDICTS].tobytes()))
            made = Provenance.from_json(kept.meta["provenance"])
            found += [
                JudgedVector(i, code, made, tuple(Assessment(**a) for a in said))
                for i, said in enumerate(told)
            ]
    return tuple(found)


def _packed(items: Sequence[SyntheticVector]) -> npt.NDArray[np.uint8]:
    """Return the verdicts as compressed JSON: their sentences are much alike."""
    told = json.dumps([[asdict(a) for a in item.assessments] for item in items])
    return np.frombuffer(zlib.compress(told.encode()), np.uint8)


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
