"""Lay all cells out on a plane, for the map in the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.layout import SAMPLE, Layout
from napari_cytosynth.workflows.embed import known_vectors

_GROWN = 2
"""A layout is looked at again once there are so many times the cells that it was made
of."""

_STRANGE = 0.25
"""Share of new cells that lie far from all landmarks, from which it is made anew."""

_BLOCK = 8192

_Ids = npt.NDArray[np.int64]
_Places = npt.NDArray[np.float32]


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
        Cells when the layout was made, or was found to serve more.
    vectors : float32[m, dim]
        What the places rest on; the very matrix, so that a change is known at once.
    pictures : int64[n]
        Which picture of each cell that was.
    """

    key: str
    ids: _Ids
    places: _Places
    layout: Layout
    made_of: int
    vectors: Vectors
    pictures: _Ids

    def places_of(
        self, ids: _Ids, pictures: _Ids
    ) -> tuple[_Places, npt.NDArray[np.bool_]]:
        """Return float32[m, 2], and of which cells the place stands: bool[m]."""
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        stands = (self.ids[rows] == ids) & (self.pictures[rows] == pictures)
        return self.places[rows], stands


def lay_out(
    project: Project, key: str, old: CellMap | None = None, *, seed: int = 0
) -> Task[CellMap | None]:
    """Return the map of all cells that have a vector; None while none has.

    Cells that were on it stay where they are, and new ones come to lie among those that
    they resemble. All are laid out anew when the cells have doubled, and either there
    were too few of them for all landmarks, or a quarter of the new ones are like none.

    Parameters
    ----------
    project : Project
        Gives cells and vectors.
    key : str
        Fingerprint of the embedder.
    old : CellMap, optional
        Returned as it is where nothing changed; else its places stand.
    seed : int
        Chooses the landmarks.
    """
    yield Progress(0, 0, "reading vectors")
    table = project.cells()
    vectors, known = known_vectors(project, key, table)
    if old is not None and old.key == key and old.vectors is vectors:
        return old
    rows = np.flatnonzero(known)
    if not len(rows):
        return None
    ids = table.ids[rows]
    pictures, rng = project.pictures_changed(ids), np.random.default_rng(seed)
    if old is not None and old.key == key:
        places, stand = old.places_of(ids, pictures)
        layout, made_of = old.layout, old.made_of
        if len(ids) >= _GROWN * made_of:
            new = rng.permutation(rows[~stand])[:SAMPLE]
            made_of = len(ids) if _serves(layout, vectors[np.sort(new)]) else 0
    else:
        made_of = 0
    if not made_of:
        yield Progress(0, len(ids), "laying out landmarks")
        some = np.sort(rng.permutation(rows)[:SAMPLE])
        layout, made_of = Layout.fit(vectors[some], rng), len(ids)
        places, stand = np.empty((len(ids), 2), np.float32), np.zeros(len(ids), bool)
    waiting = np.flatnonzero(~stand)
    for at in range(0, len(waiting), _BLOCK):
        part = waiting[at : at + _BLOCK]
        places[part] = np.concatenate(list(layout.place(vectors[rows[part]])))
        yield Progress(at + len(part), len(waiting), "placing cells")
    return CellMap(key, ids, places, layout, made_of, vectors, pictures)


def _serves(layout: Layout, new: Vectors) -> bool:
    """Tell whether a layout has landmarks for new cells, too."""
    return layout.complete and layout.strangers(new) < _STRANGE * len(new)
