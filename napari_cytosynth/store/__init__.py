"""Projects on disk and in memory. What is acknowledged is kept."""

from napari_cytosynth.store.backup import backup
from napari_cytosynth.store.memory import MemoryProject
from napari_cytosynth.store.project import (
    CellProject,
    create_project,
    open_project,
    read_project,
)

__all__ = [
    "CellProject",
    "MemoryProject",
    "backup",
    "create_project",
    "open_project",
    "read_project",
]
