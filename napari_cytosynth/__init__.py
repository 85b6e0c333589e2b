"""napari-cytosynth: label the smear cells that matter, fill in the rare ones.

Research use only; not a medical device. Importing this package loads no heavy library.
"""

from __future__ import annotations

__version__ = "0.1.0.dev0"
