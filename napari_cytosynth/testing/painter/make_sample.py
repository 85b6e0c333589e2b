"""Makes the sample smear.

Run ``python -m napari_cytosynth.testing.painter.make_sample --out sample_data``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.painter.field import paint_field
from napari_cytosynth.testing.painter.looks import ARTEFACT, SMUDGE
from napari_cytosynth.testing.painter.omezarr import Writing, write_omezarr
from napari_cytosynth.testing.painter.spec import FieldSpec, PaintedCell, PaintedField

SMEAR_NAME = "marrow.ome.zarr"
TRUTH_NAME = "marrow_truth.json"
SEED = 20250611
SPEC = FieldSpec(width=2560, height=2048, cells=520)
WRITING = Writing(levels=4, shard=2560, step=4, zstd=19)
"""One file a level; steps of four grey levels keep it small, and no eye sees them."""


def make_sample(folder: Path, spec: FieldSpec = SPEC, seed: int = SEED) -> PaintedField:
    """Paint the sample and write picture and truth.

    Parameters
    ----------
    folder : Path
        Where ``marrow.ome.zarr`` and ``marrow_truth.json`` go; older ones are replaced.
    spec : FieldSpec
        What to paint.
    seed : int
        Chance.

    Returns
    -------
    PaintedField
        What was painted.
    """
    painted = paint_field(spec, np.random.default_rng(seed))
    folder.mkdir(parents=True, exist_ok=True)
    write_omezarr(folder / SMEAR_NAME, spec, [painted], WRITING)
    truth = json.dumps(coco(painted), separators=(",", ":"))
    # One line an object, so that a change of one cell is a change of one line.
    text = truth.replace('},{"id"', '},\n{"id"') + "\n"
    (folder / TRUTH_NAME).write_text(text, encoding="utf-8")
    return painted


def coco(painted: PaintedField) -> dict[str, Any]:
    """Return the truth in COCO's form; categories are the classes of ``marrow21``."""
    classes = built_in("marrow21").classes
    number = {kind.concept: i for i, kind in enumerate(classes, start=1)}
    height, width = painted.pixels.shape[:2]
    image = {
        "id": 1,
        "file_name": SMEAR_NAME,
        "width": width,
        "height": height,
        "mpp": painted.mpp,
        "mpp_source": "metadata",
    }
    return {
        "info": {
            "description": "Truth of the painted marrow smear. No person's cells.",
            "version": "1",
        },
        "licenses": [
            {
                "id": 1,
                "name": "CC0 1.0",
                "url": "https://creativecommons.org/publicdomain/zero/1.0/",
            }
        ],
        "images": [image],
        "categories": [
            {
                "id": number[kind.concept],
                "name": kind.code,
                "supercategory": kind.lineage,
                "concept": kind.concept,
            }
            for kind in classes
        ],
        "annotations": [
            _annotation(i, cell, number[cell.concept])
            for i, cell in enumerate(painted.cells, start=1)
        ],
    }


def _annotation(number: int, cell: PaintedCell, category: int) -> dict[str, Any]:
    outline = np.round(cell.outline.astype(np.float64), 1)
    x, y = outline[:, 0], outline[:, 1]
    area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    box = cell.box
    return {
        "id": number,
        "image_id": 1,
        "category_id": category,
        "bbox": [box.x, box.y, box.width, box.height],
        "area": round(area, 1),
        "iscrowd": 0,
        "segmentation": [outline.ravel().tolist()],
        "edge": cell.edge,
        "attributes": {
            "concept": cell.concept,
            "nucleated": str(cell.concept not in {SMUDGE, ARTEFACT}).lower(),
            "defocus_um": f"{cell.defocus:.2f}",
        },
    }


def main(arguments: Sequence[str] | None = None) -> Counter[str]:
    """Write the sample into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("sample_data"))
    painted = make_sample(parser.parse_args(arguments).out)
    return Counter(cell.concept for cell in painted.cells)


if __name__ == "__main__":
    main()
