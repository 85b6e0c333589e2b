"""COCO: one JSON file; ``bbox`` is x, y, width, height, the first pixel spans 0..1.

That is the project's own system (cocodataset/cocoapi issue 5). Beyond COCO, pictures
carry ``mpp`` (micrometres a pixel) and ``mpp_source``, annotations ``score`` and
``edge``; other tools ignore these. Kinds of object always are categories 1, 2 and 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_cytosynth.core.errors import FormatError
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.formats.files import (
    demand_listed,
    number,
    read_text,
    safe_name,
    write_text,
)

KINDS = ("nucleated cell", "red cell", "platelet")
"""Names of the categories 1, 2 and 3 where labels are kinds of object."""

UNLABELLED = "unlabelled"
"""Category of objects without a label, because COCO demands one."""

Json = Mapping[str, Any]


class Coco:
    """Reads and writes a COCO instances file."""

    key = "coco"

    def read(self, path: Path) -> Records:
        """Read a file. Run-length masks are left out: a cell keeps its box.

        Raises
        ------
        FormatError
            Naming file, entry and rule.
        """
        document = _document(path)
        names = _categories(document, path)
        images = _images(document, path)
        notes: list[str] = []
        objects = []
        for place, entry in enumerate(_entries(document, "annotations", path), 1):
            where = f"'{path}', annotation {place}"
            found = _object(entry, (images, names), where, notes)
            if found is not None:
                objects.append(found)
        classes = tuple(name for name in names.values() if name)
        return Records(tuple(images.values()), tuple(objects), classes, tuple(notes))

    def write(self, records: Records, path: Path) -> None:
        """Write a file; what stood there is replaced at once or not."""
        numbers = {i.file_name: n for n, i in enumerate(records.images, 1)}
        names = {name: n for n, name in enumerate(category_names(records), 1)}
        demand_listed(records, path)
        painted = {o.image for o in records.objects if o.synthetic}
        document = {
            "info": {"description": "napari-cytosynth", "version": "1"},
            "images": [
                _image_entry(i, numbers[i.file_name], i.file_name in painted)
                for i in records.images
            ],
            "annotations": [
                _object_entry(o, n, (numbers, names))
                for n, o in enumerate(records.objects, 1)
            ],
            "categories": [{"id": n, "name": name} for name, n in names.items()],
        }
        write_text(
            path, json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
        )


def category_names(records: Records) -> tuple[str, ...]:
    """Return the names of the categories, in order of their ids."""
    used = {o.label for o in records.objects}
    labels = sorted((used | set(records.classes)) - {""})
    names = records.classes or tuple(labels)
    if labels and set(labels) <= set(KINDS):
        names = KINDS
    names = (*names, *(name for name in labels if name not in names))
    return (*names, UNLABELLED) if "" in used else names


def _document(path: Path) -> Json:
    try:
        document = json.loads(read_text(path), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"'{path}' is not JSON ({str(error)[:80]}). It may be cut short; get it "
            "again."
        ) from error
    if not isinstance(document, dict):
        raise FormatError(
            f"'{path}' holds a {type(document).__name__}. A COCO file is one object "
            "with images, annotations and categories."
        )
    return document


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _entries(document: Json, key: str, path: Path) -> list[Json]:
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise FormatError(
            f"'{path}' lacks a list of objects '{key}'. A COCO file has images, "
            "annotations and categories."
        )
    return entries


def _categories(document: Json, path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for place, entry in enumerate(_entries(document, "categories", path), 1):
        where = f"'{path}', category {place}"
        name = str(_get(entry, "name", where))
        names[_id(entry, "id", where)] = "" if name == UNLABELLED else name
    return names


def _images(document: Json, path: Path) -> dict[int, ImageRecord]:
    images: dict[int, ImageRecord] = {}
    for place, entry in enumerate(_entries(document, "images", path), 1):
        where = f"'{path}', image {place}"
        key = _id(entry, "id", where)
        if key in images:
            raise FormatError(f"{where}: id {key} stands twice. Ids are unique.")
        mpp = entry.get("mpp")
        images[key] = ImageRecord(
            safe_name(str(_get(entry, "file_name", where)), where),
            int(number(entry.get("width", 0), f"{where}, width")),
            int(number(entry.get("height", 0), f"{where}, height")),
            None if mpp is None else number(mpp, f"{where}, mpp"),
            str(entry.get("mpp_source") or ""),
        )
    return images


def _object(
    entry: Json,
    tables: tuple[dict[int, ImageRecord], dict[int, str]],
    where: str,
    notes: list[str],
) -> ObjectRecord | None:
    images, names = tables
    image, category = _id(entry, "image_id", where), _id(entry, "category_id", where)
    if image not in images or category not in names:
        raise FormatError(
            f"{where} names image {image} and category {category}. Both must be listed "
            "in the file; add them or remove the annotation."
        )
    box = _get(entry, "bbox", where)
    if not isinstance(box, list) or len(box) != 4:
        raise FormatError(f"{where}: bbox is not [x, y, width, height]. Correct it.")
    x, y, width, height = (number(v, f"{where}, bbox") for v in box)
    if width <= 0 or height <= 0:
        notes.append(f"{where}: box {box} has no area and was left out")
        return None
    score = entry.get("score")
    return ObjectRecord(
        images[image].file_name,
        (x, y, width, height),
        names[category],
        None if score is None else number(score, f"{where}, score"),
        _outline(entry.get("segmentation"), where, notes),
        bool(entry.get("edge", False)),
        bool(entry.get("synthetic", False)),
        {str(k): str(v) for k, v in dict(entry.get("attributes") or {}).items()},
    )


def _outline(
    value: object, where: str, notes: list[str]
) -> tuple[tuple[float, float], ...]:
    if isinstance(value, dict):
        notes.append(f"{where}: run-length mask left out, box kept")
        return ()
    polygons = (
        [p for p in value if isinstance(p, list)] if isinstance(value, list) else []
    )
    if not polygons:
        return ()
    longest = max(polygons, key=len)
    if len(longest) % 2 or len(longest) < 6:
        raise FormatError(
            f"{where}: a segmentation of {len(longest)} numbers. A polygon is "
            "[x, y, x, y, ...] with three points or more."
        )
    values = [number(v, f"{where}, segmentation") for v in longest]
    return tuple(zip(values[::2], values[1::2], strict=True))


def _get(entry: Json, key: str, where: str) -> Any:
    if key not in entry:
        raise FormatError(f"{where} lacks '{key}'. COCO demands it; add it.")
    return entry[key]


def _id(entry: Json, key: str, where: str) -> int:
    value = number(_get(entry, key, where), f"{where}, {key}")
    if value != int(value):
        raise FormatError(f"{where}: {key} {value} is no whole number. Ids are.")
    return int(value)


def _image_entry(image: ImageRecord, number: int, synthetic: bool) -> Json:
    return {
        "id": number,
        "file_name": safe_name(image.file_name, "export"),
        "width": int(image.width),
        "height": int(image.height),
        "mpp": None if image.mpp is None else float(image.mpp),
        "mpp_source": image.mpp_source,
        "synthetic": synthetic,
    }


def _object_entry(
    found: ObjectRecord,
    place: int,
    tables: tuple[Mapping[str, int], Mapping[str, int]],
) -> Json:
    numbers, names = tables
    box = [float(v) for v in found.box]
    entry: dict[str, Any] = {
        "id": place,
        "image_id": numbers[found.image],
        "category_id": names[found.label or UNLABELLED],
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        "segmentation": [],
        "edge": bool(found.edge),
        "synthetic": bool(found.synthetic),
    }
    if found.score is not None:
        entry["score"] = float(found.score)
    if found.outline:
        points = [(float(x), float(y)) for x, y in found.outline]
        entry["segmentation"] = [[v for point in points for v in point]]
        entry["area"] = _area(points)
    if found.attributes:
        entry["attributes"] = dict(found.attributes)
    return entry


def _area(points: list[tuple[float, float]]) -> float:
    """Area of a polygon by the shoelace formula."""
    following = [*points[1:], points[0]]
    pairs = zip(points, following, strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2
