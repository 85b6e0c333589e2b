"""Labels worth a second look, because the model doubts them.

Audit labels are never doubted: whoever is told what the model makes of them, and then
changes them, measures the model by itself.
"""

from __future__ import annotations

from dataclasses import replace

from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import is_settled
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.doubts import Doubts, find_doubts
from napari_cytosynth.learning.head import HeadFitter, fitter_here
from napari_cytosynth.workflows.splitting import labelled_cells


def doubted_labels(
    project: Project,
    embedder_key: str,
    *,
    fit: HeadFitter | None = None,
    seed: int = 0,
) -> Task[Doubts]:
    """Find the labels of the training split that the model doubts.

    Those that a reader kept on a second look are left out: see
    :func:`napari_cytosynth.core.rereading.is_confirmed`.

    Parameters
    ----------
    project : Project
        Gives labels and vectors; nothing is written.
    embedder_key : str
        Fingerprint of the embedder.
    fit : callable, optional
        Fits heads; by default this process does.
    seed : int
        Decides the folds.
    """
    yield Progress(0, 1, "gathering labels")
    cells = labelled_cells(project, embedder_key, Split.TRAIN, abstain=True)
    doubts = yield from find_doubts(cells, fit or fitter_here(), seed=seed)
    journal = project.journal
    open_ = [
        d for d in doubts.found if not is_settled(journal, CellId(d.cell), d.given)
    ]
    return replace(doubts, found=tuple(open_))
