"""True boxes of the developers' real smears. The data stays where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import defusedxml.ElementTree
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from napari_cytosynth.core.errors import InputError

_SMALLEST_REGION = 50  # pixels of a plasma-cell mask; below are specks of JPEG
_YOLO = ("white cell", "red cell", "platelet")
_VOC = {"WBC": "white cell", "RBC": "red cell", "Platelets": "platelet"}


@dataclass(frozen=True, slots=True)
class Truth:
    """One picture and its true boxes.

    Parameters
    ----------
    path : Path
        The picture.
    boxes : mapping of class to float64[n, 4]
        x, y, width, height; pixels, corner-based.
    """

    path: Path
    boxes: Mapping[str, npt.NDArray[np.float64]]


def demand_data(data: Path, part: str) -> None:
    """Raise InputError where the developer data, or this folder of it, is not there."""
    if not (data / part).is_dir():
        raise InputError(
            f"There is no developer data at '{data}'. Give its folder with --data or "
            "in CYTOSYNTH_DATA."
        )


def bccd(data: Path) -> Iterator[Truth]:
    """Yield BCCD; its white cells are all marked, its red cells are not."""
    folder = data / "detection" / "bccd"
    for path in sorted((folder / "JPEGImages").glob("*.jpg")):
        annotation = folder / "Annotations" / f"{path.stem}.xml"
        found: dict[str, list[list[float]]] = {name: [] for name in _YOLO}
        for item in defusedxml.ElementTree.parse(annotation).iter("object"):
            x0, y0, x1, y1 = (
                float(item.findtext(f"bndbox/{side}", "nan"))
                for side in ("xmin", "ymin", "xmax", "ymax")
            )
            # Corners count from 1 and belong to the box.
            if x1 > x0 and y1 > y0:
                box = [x0 - 1, y0 - 1, x1 - x0 + 1, y1 - y0 + 1]
                found[_VOC[item.findtext("name", "")]].append(box)
        yield Truth(path, _arrays(found))


def bccd_red(data: Path) -> Iterator[Truth]:
    """Yield those BCCD pictures whose red cells were all marked later."""
    folder = data / "detection" / "bccd"
    for label in sorted((folder / "txl_relabels").rglob("*.txt")):
        path = folder / "JPEGImages" / f"{label.stem}.jpg"
        if path.exists():
            yield Truth(path, _yolo(path, label, _YOLO))


def txl_pbc(data: Path) -> Iterator[Truth]:
    """Yield TXL-PBC."""
    yield from _yolo_folder(data / "detection" / "txl_pbc", _YOLO)


def pig_wbc(data: Path) -> Iterator[Truth]:
    """Yield the eyepiece fields of a pig's blood; white cells only."""
    yield from _yolo_folder(data / "detection" / "pig_wbc", _YOLO[:1])


def segpc(data: Path) -> Iterator[Truth]:
    """Yield marrow fields; of their cells only plasma cells are marked, as regions."""
    folder = data / "bone_marrow" / "segpc_myeloma"
    for path in sorted((folder / "images").glob("*.jpg")):
        mask = np.asarray(Image.open(folder / "masks" / path.name).convert("L")) > 127
        labels, _ = ndimage.label(mask)
        areas = np.bincount(labels.ravel())
        boxes = [
            [x.start, y.start, x.stop - x.start, y.stop - y.start]
            for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
            if areas[number] >= _SMALLEST_REGION
        ]
        yield Truth(path, _arrays({"plasma cell": boxes}))


def _yolo_folder(folder: Path, names: Sequence[str]) -> Iterator[Truth]:
    for path in sorted((folder / "images").rglob("*.jpg")):
        label = folder / "labels" / path.relative_to(folder / "images")
        yield Truth(path, _yolo(path, label.with_suffix(".txt"), names))


def _yolo(
    path: Path, label: Path, names: Sequence[str]
) -> dict[str, npt.NDArray[np.float64]]:
    with Image.open(path) as picture:
        width, height = picture.size
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for line in label.read_text().splitlines() if label.exists() else ():
        number, *shares = line.split()
        x, y, w, h = (float(v) for v in shares[:4])
        box = [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]
        found[names[int(number)]].append(box)
    return _arrays(found)


def _arrays(
    found: Mapping[str, Sequence[Sequence[float]]],
) -> dict[str, npt.NDArray[np.float64]]:
    return {
        name: np.array(boxes, np.float64).reshape(-1, 4)
        for name, boxes in found.items()
    }
