"""Hugging Face ``imagefolder``: pictures, and beside them what is known of each.

A folder for each part and split, ``synthetic/train`` for one, holds PNG pictures and a
``metadata.jsonl`` whose ``file_name`` names them. ``load_dataset("imagefolder",
data_dir="FOLDER/synthetic")`` reads it; so does ``load_dataset("FOLDER", "synthetic")``
by the configurations that the card names.
https://huggingface.co/docs/datasets/image_dataset
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from napari_cytosynth.formats.dataset import Card, Part, Sample
from napari_cytosynth.formats.painted import painted

METADATA = "metadata.jsonl"


def metadata_path(part: Part, split: str) -> str:
    """Return the table of a split, from the top of the data set."""
    return f"{part}/{split}/{METADATA}"


def imagefolder(card: Card) -> dict[str, str | bytes]:
    """Return the files of a data set: pictures and tables.

    A synthetic cell's picture says in itself what it is, and how it was made; a real
    one's holds pixels and nothing else, encoded anew.

    Parameters
    ----------
    card : Card
        Holds the cells.

    Returns
    -------
    mapping of relative POSIX name to text or bytes
    """
    files: dict[str, str | bytes] = {s.path: _picture(s) for s in card.samples}
    for part in card.parts:
        for split in card.splits(part):
            files[metadata_path(part, split)] = _table(card.of(part, split))
    return files


def header(card: Card) -> Mapping[str, Any]:
    """Return what the card's YAML says, by which the folder is loaded."""
    configs: list[dict[str, Any]] = []
    for part in card.parts:
        paths = [
            {"split": split, "path": f"{part}/{split}/**"}
            for split in card.splits(part)
        ]
        configs.append({"config_name": str(part), "data_files": paths})
    configs[0]["default"] = True
    return {
        "pretty_name": card.about.name,
        "license": "other",
        "license_name": "see-below",
        "license_link": card.about.licence,
        "task_categories": ["image-classification"],
        "tags": ["medical", "haematology", *map(str, card.parts)],
        "configs": configs,
    }


def _table(samples: Sequence[Sample]) -> str:
    rows = ({"file_name": f"{s.name}.png", **s.columns} for s in samples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _picture(sample: Sample) -> bytes:
    if sample.cell is not None:
        return painted(sample.cell, {**sample.columns}, "png")
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(sample.pixels).save(data, "PNG")
    return data.getvalue()
