"""The compute backend: a worker process that holds torch, and the ways to reach it.

``InlineCompute`` computes here, ``WorkerProcess`` starts a worker of its own and keeps
it alive, and ``FarWorker`` uses one on another machine over a line that may break; both
call theirs by a ``WorkerClient``. All are
:class:`napari_cytosynth.core.protocols.Compute`.
"""

from __future__ import annotations

from napari_cytosynth.worker.client import WorkerClient
from napari_cytosynth.worker.far import FarWorker
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.worker.process import WorkerProcess

__all__ = ["FarWorker", "InlineCompute", "WorkerClient", "WorkerProcess"]
