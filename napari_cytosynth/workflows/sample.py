"""The sample smear that comes with the package, and its truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import napari_cytosynth
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.records import ImageRecord, ObjectRecord, Records

_SMEAR = "marrow.ome.zarr"
_TRUTH = "marrow_truth.json"


def sample_smear_path() -> Path:
    """Return the sample smear: a multiscale OME-Zarr folder, painted, 0.25 um a pixel.

    Raises
    ------
    InputError
        If the installation lacks it.
    """
    return _sample(_SMEAR)


def sample_truth() -> Records:
    """Return what was painted into the sample smear.

    Returns
    -------
    Records
        One picture; one object for each nucleated cell, smudge and artefact, labelled
        with its ``marrow21`` code. ``attributes`` holds ``concept``, ``nucleated``
        ("true", "false") and ``defocus_um``.

    Raises
    ------
    InputError
        If the installation lacks it.
    """
    document = json.loads(_sample(_TRUTH).read_text(encoding="utf-8"))
    codes = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
    files = {entry["id"]: str(entry["file_name"]) for entry in document["images"]}
    return Records(
        images=tuple(_picture(entry) for entry in document["images"]),
        objects=tuple(
            _object(entry, files[entry["image_id"]], codes[entry["category_id"]])
            for entry in document["annotations"]
        ),
        classes=tuple(codes.values()),
    )


def _sample(name: str) -> Path:
    """Find a file of the sample: in the installed package, or beside a checkout's."""
    package = Path(napari_cytosynth.__file__).parent
    for folder in (package / "sample_data", package.parent / "sample_data"):
        if (folder / name).exists():
            return folder / name
    raise InputError(
        f"The sample '{name}' is not part of this installation. Wheels and checkouts "
        "hold it; reinstall napari-cytosynth, or paint it anew with "
        "'python -m napari_cytosynth.testing.painter.make_sample --out sample_data'."
    )


def _picture(entry: Mapping[str, Any]) -> ImageRecord:
    return ImageRecord(
        str(entry["file_name"]),
        int(entry["width"]),
        int(entry["height"]),
        float(entry["mpp"]),
        str(entry["mpp_source"]),
    )


def _object(entry: Mapping[str, Any], image: str, code: str) -> ObjectRecord:
    x, y, width, height = (float(v) for v in entry["bbox"])
    flat = entry["segmentation"][0]
    return ObjectRecord(
        image=image,
        box=(x, y, width, height),
        label=code,
        outline=tuple(zip(flat[::2], flat[1::2], strict=True)),
        edge=bool(entry["edge"]),
        attributes=dict(entry["attributes"]),
    )
