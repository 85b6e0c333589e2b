"""Projects on disk and in memory. What is acknowledged is kept."""

from napari_cytosynth.store.memory import MemoryProject

__all__ = ["MemoryProject"]
