"""What a head says of every cell: one pass over the vectors, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.learning.head import Head


@dataclass(frozen=True, slots=True)
class _Scored:
    """Probabilities, and the head and the very matrix that they come from."""

    head: Head
    vectors: Vectors
    probabilities: npt.NDArray[np.float32]


_KEPT: WeakKeyDictionary[Project, _Scored] = WeakKeyDictionary()


def scores_of(
    project: Project, head: Head, vectors: Vectors
) -> npt.NDArray[np.float32]:
    """Return float32[n, classes] of all cells; a round of learning asks three times.

    Kept in memory until there is another head or another matrix, also of a pool whose
    vectors lie on the disk: probabilities take a hundredth of their room.

    Parameters
    ----------
    project : Project
        Whose cells they are.
    head : Head
        Of the same embedder.
    vectors : float32[n, dim]
        As :func:`~napari_cytosynth.workflows.embed.vectors_of` gives them: while
        nothing changes, one and the same matrix.

    Returns
    -------
    float32[n, classes]
        Rows sum to 1, NaN where a cell has no vector. Read only.
    """
    kept = _KEPT.get(project)
    if kept is None or kept.vectors is not vectors or kept.head.version != head.version:
        found = head.predict_proba(vectors)
        found.flags.writeable = False
        kept = _KEPT[project] = _Scored(head, vectors, found)
    return kept.probabilities
