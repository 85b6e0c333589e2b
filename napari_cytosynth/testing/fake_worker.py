"""A real worker process with fake plug-ins, to be run by ``python -m``."""

from __future__ import annotations

from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.worker.serve import serve_child

if __name__ == "__main__":
    serve_child(FakeCompute())
