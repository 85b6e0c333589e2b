"""Makes the sample smear: ``python -m napari_cytosynth.testing.painter.make_sample``."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.painter.field import (
    FieldSpec,
    PaintedCell,
    PaintedField,
    paint_field,
)
from napari_cytosynth.testing.painter.looks import ARTEFACT, SMUDGE

SMEAR_NAME = "marrow.ome.zarr"
TRUTH_NAME = "marrow_truth.json"
SEED = 20250611
SPEC = FieldSpec(width=2560, height=2048, cells=460)
LEVELS = 4
CHUNK = 256
STEP = 4
"""Grey levels are rounded to multiples of this: the file stays small, unseen by the eye."""


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
    write_omezarr(folder / SMEAR_NAME, painted)
    truth = json.dumps(coco(painted), separators=(",", ":"))
    # One line an object, so that a change of one cell is a change of one line.
    text = truth.replace('},{"id"', '},\n{"id"') + "\n"
    (folder / TRUTH_NAME).write_text(text, encoding="utf-8")
    return painted


def write_omezarr(path: Path, painted: PaintedField) -> None:
    """Write an OME-Zarr 0.5 picture: channel, y, x; one shard a level."""
    if path.exists():
        shutil.rmtree(path)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    pixels = _rounded(painted.pixels)
    for level in range(LEVELS):
        _write_level(group, str(level), pixels)
        pixels = _halved(pixels)
    group.attrs["ome"] = _metadata(painted.mpp)


def _write_level(group: zarr.Group, name: str, pixels: npt.NDArray[np.uint8]) -> None:
    planes = np.moveaxis(pixels, 2, 0)
    shard = (3, *(-(-size // CHUNK) * CHUNK for size in planes.shape[1:]))
    array = group.create_array(
        name,
        shape=planes.shape,
        dtype=np.uint8,
        chunks=(3, CHUNK, CHUNK),
        shards=shard,
        compressors=ZstdCodec(level=19),
        dimension_names=("c", "y", "x"),
        fill_value=255,
    )
    array[:] = planes


def _rounded(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    steps = np.rint(pixels.astype(np.float32) / STEP) * STEP
    return np.asarray(np.clip(steps, 0, 255), dtype=np.uint8)


def _halved(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average 2 x 2 pixels, so that level 1 has the same corners as level 0."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return _rounded(np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8))


def _metadata(mpp: float) -> dict[str, Any]:
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": "marrow",
                "axes": [{"name": "c", "type": "channel"}, *space],
                "datasets": [_dataset(level, mpp) for level in range(LEVELS)],
            }
        ],
        "omero": {
            "channels": [
                {
                    "label": label,
                    "color": colour,
                    "active": True,
                    "window": {"min": 0, "max": 255, "start": 0, "end": 255},
                }
                for label, colour in (
                    ("red", "FF0000"),
                    ("green", "00FF00"),
                    ("blue", "0000FF"),
                )
            ]
        },
    }


def _dataset(level: int, mpp: float) -> dict[str, Any]:
    size = mpp * 2**level
    # The centre of a coarse pixel lies half a pixel of each scale further in.
    shift = (size - mpp) / 2
    return {
        "path": str(level),
        "coordinateTransformations": [
            {"type": "scale", "scale": [1.0, size, size]},
            {"type": "translation", "translation": [0.0, shift, shift]},
        ],
    }


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
