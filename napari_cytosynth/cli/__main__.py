"""``python -m napari_cytosynth.cli``: the same as ``cytosynth``."""

from __future__ import annotations

import sys

from napari_cytosynth.cli import main

if __name__ == "__main__":
    sys.exit(main())
