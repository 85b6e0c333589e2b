"""The compute backend: a worker process that holds torch, and the ways to reach it.

``InlineCompute`` computes here, ``WorkerClient`` calls a worker by its address, and
``WorkerProcess`` starts one of its own and keeps it alive. All are
:class:`napari_cytosynth.core.protocols.Compute`.
"""

from __future__ import annotations

from napari_cytosynth.worker.client import WorkerClient
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.worker.process import WorkerProcess

__all__ = ["InlineCompute", "WorkerClient", "WorkerProcess"]
