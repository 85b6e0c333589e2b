"""``python -m napari_cytosynth.worker``: what the viewer starts as its child.

People start ``cytosynth worker``; this module has no options on purpose.
"""

from __future__ import annotations

from napari_cytosynth.worker.serve import serve_child

if __name__ == "__main__":
    serve_child()
