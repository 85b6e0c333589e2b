"""Makes the picture of the sample that the documentation shows.

Run ``python -m napari_cytosynth.testing.painter.make_picture docs/images/sample.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr
from PIL import Image

from napari_cytosynth.workflows.sample import sample_smear_path

LEFT, TOP, WIDTH, HEIGHT = 430, 1180, 900, 600
"""The part that is shown, level-0 pixels."""


def make_picture(path: Path) -> None:
    """Write a part of the sample, at full resolution, as PNG."""
    finest = zarr.open_array(sample_smear_path() / "0", mode="r")
    part = finest[:, TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.moveaxis(np.asarray(part), 0, 2)).save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture to the path named on the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("path", type=Path)
    make_picture(parser.parse_args(arguments).path)


if __name__ == "__main__":
    main()
