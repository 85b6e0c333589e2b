"""Write the developers' real cells as folders of single cells, a folder a class.

    python docs/figure_cells.py FOLDER [pack_pbc128 | bccd | wbc_dataset1]

Cells of the PBC pack are those whose name hashes to 6 to 9: no shipped weights were
trained on them. The folder is for ``cytosynth evaluate FOLDER --study ...``; it holds
other people's pictures, so it stays out of this repository.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from PIL import Image

from napari_cytosynth.bench.pack import figure_cells
from napari_cytosynth.bench.stains import other_stains

ALL = 10_000
PACK = "pack_pbc128"
SETS = (PACK, "bccd", "wbc_dataset1")


def main() -> None:
    """Write one set."""
    asked = argparse.ArgumentParser(description="Write one set of single cells.")
    asked.add_argument("folder", type=Path)
    asked.add_argument("set", nargs="?", default=PACK, choices=SETS)
    arguments = asked.parse_args()
    folder, name = arguments.folder, arguments.set
    data = Path(os.environ.get("CYTOSYNTH_DATA", "../shared/data"))
    whole = name == PACK
    pack = figure_cells(data, each=ALL) if whole else other_stains(data)[name]
    for number, (crop, code) in enumerate(zip(pack.crops, pack.codes, strict=True)):
        own = folder / str(code)
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(own / f"{number:05}.png")
    sys.stdout.write(f"{len(pack.codes)} cells in {folder}\n")


if __name__ == "__main__":
    main()
