"""Lay all cells out on a plane, for the map in the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.layout import Layout
from napari_cytosynth.workflows.embed import vectors_of

_GROWN = 2
"""A layout is made anew once there are so many times the cells that it was made of."""


@dataclass(frozen=True, slots=True, eq=False)
class CellMap:
    """Cells on a plane.

    Parameters
    ----------
    key : str
        Fingerprint of the embedder.
    ids : int64[n]
        Cells that have a vector, ascending.
    places : float32[n, 2]
        Where each lies: x, y, within 0..1.
    layout : Layout
        Places what comes later.
    made_of : int
        Cells when the layout was made.
    vectors : float32[m, dim]
        What the places rest on; the very matrix, so that a change is known at once.
    """

    key: str
    ids: npt.NDArray[np.int64]
    places: npt.NDArray[np.float32]
    layout: Layout
    made_of: int
    vectors: Vectors


def lay_out(
    project: Project, key: str, old: CellMap | None = None, *, seed: int = 0
) -> Task[CellMap | None]:
    """Return the map of all cells that have a vector; None while none has.

    Parameters
    ----------
    project : Project
        Gives cells and vectors.
    key : str
        Fingerprint of the embedder.
    old : CellMap, optional
        Returned as it is where nothing changed; else its layout serves, while it is of
        the same embedder and the cells did not double.
    seed : int
        Chooses the landmarks.
    """
    yield Progress(0, 0, "reading vectors")
    table = project.cells()
    vectors = vectors_of(project, key, table)
    if old is not None and old.key == key and old.vectors is vectors:
        return old
    known = np.isfinite(vectors[:, :1]).all(axis=1)
    if not vectors.shape[1] or not known.any():
        return None
    ids, rows = table.ids[known], vectors if known.all() else vectors[known]
    if old is not None and old.key == key and len(ids) < _GROWN * old.made_of:
        layout, made_of = old.layout, old.made_of
    else:
        yield Progress(0, len(ids), "laying out landmarks")
        layout, made_of = Layout.fit(rows, np.random.default_rng(seed)), len(ids)
    places = np.empty((len(ids), 2), np.float32)
    done = 0
    for block in layout.place(rows):
        places[done : done + len(block)] = block
        done += len(block)
        yield Progress(done, len(ids), "placing cells")
    return CellMap(key, ids, places, layout, made_of, vectors)
