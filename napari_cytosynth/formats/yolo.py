"""YOLO: a folder; a text file a picture, boxes as centre and size in shares of it.

A line is ``class cx cy width height`` (or a polygon ``class x y x y ...``), all shares
of the picture's size, so that size must be known: from ``images.csv``, which we write,
or from the picture itself. Class names stand in ``data.yaml`` or ``classes.txt``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from napari_cytosynth.core.errors import FormatError
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.formats.files import number, read_text, safe_name, write_folder

UNLABELLED = "unlabelled"
"""Class of objects without a label, because YOLO demands one."""

_SIZES = ("file_name", "width", "height", "mpp", "mpp_source", "synthetic")
_HEADER = ",".join(_SIZES).encode()
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
_NAME_FILES = ("classes.txt", "obj.names")
_MAX_YAML = 1 << 20


class Yolo:
    """Reads and writes a YOLO folder.

    Parameters
    ----------
    images : Path or None
        Where the pictures lie, if neither beside the labels nor in a folder ``images``
        in place of ``labels``.
    """

    key = "yolo"

    def __init__(self, images: Path | None = None) -> None:
        self._pictures = images

    def read(self, path: Path) -> Records:
        """Read a folder, or its ``data.yaml``.

        Raises
        ------
        FormatError
            Naming file, line and rule.
        """
        folder = path if path.is_dir() else path.parent
        classes = _class_names(folder)
        known, painted = _sizes(folder)
        images: list[ImageRecord] = []
        objects: list[ObjectRecord] = []
        for file in _label_files(folder, path):
            image = known.get(_stem(file, folder)) or self._measure(file, folder)
            images.append(image)
            synthetic = image.file_name in painted
            found = _objects(file, image, classes)
            objects.extend(replace(o, synthetic=synthetic) for o in found)
        names = classes or sorted({found.label for found in objects})
        return Records(
            tuple(images), tuple(objects), tuple(n for n in names if n != UNLABELLED)
        )

    def write(self, records: Records, path: Path) -> None:
        """Write a folder with ``data.yaml``, ``images.csv`` and ``labels/``."""
        names = _names_of(records)
        numbers = {name: n for n, name in enumerate(names)}
        lines: dict[str, list[str]] = {i.file_name: [] for i in records.images}
        sizes = {i.file_name: i for i in records.images}
        for found in records.objects:
            image = sizes.get(found.image)
            if image is None or image.width < 1 or image.height < 1:
                raise FormatError(
                    f"'{path}': the size of '{found.image}' is unknown. YOLO writes "
                    "shares of the picture; give its width and height."
                )
            lines[found.image].append(_line(found, image, numbers))
        files = {
            "data.yaml": yaml.safe_dump(
                {"path": ".", "nc": len(names), "names": dict(enumerate(names))},
                allow_unicode=True,
                sort_keys=False,
            ),
            "images.csv": _sizes_text(records),
        }
        for name, written in lines.items():
            label = (
                f"labels/{PurePosixPath(safe_name(name, f'{path}')).with_suffix('')}"
            )
            if f"{label}.txt" in files:
                raise FormatError(
                    f"'{path}': two pictures are called '{name}' but for their ending. "
                    "YOLO files are named after the picture; rename one."
                )
            files[f"{label}.txt"] = "".join(f"{line}\n" for line in written)
        write_folder(path, files, _ours)

    def _measure(self, file: Path, folder: Path) -> ImageRecord:
        """Find the picture of a label file and take its size."""
        stem = _stem(file, folder)
        places = [file.parent / file.stem, folder / "images" / stem]
        if self._pictures is not None:
            places.insert(0, self._pictures / stem)
        parts = [("images" if p == "labels" else p) for p in file.parts]
        places.append(Path(*parts).with_suffix(""))
        for place in places:
            for ending in (e for e in _PICTURES for e in (e, e.upper())):
                picture = place.with_name(place.name + ending)
                if picture.is_file():
                    return ImageRecord(f"{stem}{ending}", *_picture_size(picture))
        raise FormatError(
            f"'{file}' holds shares of a picture that was not found beside it nor in "
            "'images'. Put the pictures there, or an images.csv with their sizes."
        )


def _ours(folder: Path, name: str) -> bool:
    """Tell whether we wrote a file: labels of other tools come without our sizes."""
    sizes = folder / "images.csv"
    if not sizes.is_file() or sizes.read_bytes().split(b"\n")[0] != _HEADER:
        return False
    return name in ("data.yaml", "images.csv") or (
        name.startswith("labels/") and name.endswith(".txt")
    )


def _names_of(records: Records) -> list[str]:
    used = {found.label or UNLABELLED for found in records.objects}
    return [*records.classes, *sorted(used - set(records.classes))]


def _class_names(folder: Path) -> list[str]:
    config = folder / "data.yaml"
    if config.is_file():
        return _yaml_names(config)
    for name in _NAME_FILES:
        if (folder / name).is_file():
            lines = read_text(folder / name).splitlines()
            return [line.strip() for line in lines if line.strip()]
    return []


def _yaml_names(config: Path) -> list[str]:
    try:
        document: Any = yaml.safe_load(read_text(config, _MAX_YAML))
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(f"'{config}' is not YAML ({error}). Correct it.") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise FormatError(
                f"'{config}': the numbers of 'names' are not 0 to {len(names) - 1}. "
                "Number the classes from 0 without gaps."
            )
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list):
        raise FormatError(f"'{config}' lacks 'names'. List the class names in order.")
    return [str(name) for name in names]


def _sizes(folder: Path) -> tuple[dict[str, ImageRecord], set[str]]:
    """Read ``images.csv``: pictures by their label file's stem, and synthetic ones."""
    path = folder / "images.csv"
    found: dict[str, ImageRecord] = {}
    painted: set[str] = set()
    if not path.is_file():
        return found, painted
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    for row in reader:
        where = f"'{path}' line {reader.line_num}"
        name = safe_name(row.get("file_name") or "", where)
        width, height = (
            int(number(row.get(c) or "", f"{where}, {c}")) for c in ("width", "height")
        )
        mpp = row.get("mpp") or ""
        found[str(PurePosixPath(name).with_suffix(""))] = ImageRecord(
            name,
            width,
            height,
            number(mpp, f"{where}, mpp") if mpp else None,
            row.get("mpp_source") or "",
        )
        if row.get("synthetic") == "1":
            painted.add(name)
    return found, painted


def _sizes_text(records: Records) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SIZES)
    painted = {found.image for found in records.objects if found.synthetic}
    for i in records.images:
        mpp = "" if i.mpp is None else repr(float(i.mpp))
        flag = int(i.file_name in painted)
        writer.writerow((i.file_name, i.width, i.height, mpp, i.mpp_source, flag))
    return text.getvalue()


def _label_files(folder: Path, path: Path) -> list[Path]:
    root = folder / "labels" if (folder / "labels").is_dir() else folder
    files = sorted(f for f in root.rglob("*.txt") if f.name not in _NAME_FILES)
    if not files and not (folder / "images.csv").is_file():
        raise FormatError(
            f"'{path}' holds no label files. A YOLO folder has a text file a picture, "
            "in 'labels' or directly; choose that folder."
        )
    return files


def _stem(file: Path, folder: Path) -> str:
    root = folder / "labels" if file.is_relative_to(folder / "labels") else folder
    return file.relative_to(root).with_suffix("").as_posix()


def _objects(
    file: Path, image: ImageRecord, classes: list[str]
) -> Iterator[ObjectRecord]:
    for place, line in enumerate(read_text(file).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        where = f"'{file}' line {place}"
        label = _label(words[0], classes, where)
        shares = [number(word, where) for word in words[1:]]
        polygon = len(shares) > 5 and len(shares) % 2 == 0
        if not polygon and len(shares) not in (4, 5):
            raise FormatError(
                f"{where} has {len(words)} words. A line is 'class cx cy width height' "
                "or a polygon; correct it."
            )
        build = _from_polygon if polygon else _from_box
        yield build(shares, image, label, where)


def _label(word: str, classes: list[str], where: str) -> str:
    value = number(word, where)
    if value != int(value) or value < 0 or (classes and value >= len(classes)):
        raise FormatError(
            f"{where}: class {word} is not among the {len(classes)} of data.yaml. "
            "Classes are numbered from 0; add the name or correct the line."
        )
    label = classes[int(value)] if classes else str(int(value))
    return "" if label == UNLABELLED else label


def _from_box(
    shares: list[float], image: ImageRecord, label: str, where: str
) -> ObjectRecord:
    cx, cy, width, height = shares[:4]
    if width <= 0 or height <= 0:
        raise FormatError(
            f"{where}: the box is {width:g} x {height:g}. Width and height are above 0."
        )
    box = (
        (cx - width / 2) * image.width,
        (cy - height / 2) * image.height,
        width * image.width,
        height * image.height,
    )
    score = shares[4] if len(shares) == 5 else None
    return ObjectRecord(image.file_name, box, label, score)


def _from_polygon(
    shares: list[float], image: ImageRecord, label: str, where: str
) -> ObjectRecord:
    xs = [v * image.width for v in shares[::2]]
    ys = [v * image.height for v in shares[1::2]]
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    if box[2] <= 0 or box[3] <= 0:
        raise FormatError(f"{where}: the polygon has no area. Correct or remove it.")
    outline = tuple(zip(xs, ys, strict=True))
    return ObjectRecord(image.file_name, box, label, outline=outline)


def _line(found: ObjectRecord, image: ImageRecord, numbers: dict[str, int]) -> str:
    x, y, width, height = found.box
    shares = (
        (x + width / 2) / image.width,
        (y + height / 2) / image.height,
        width / image.width,
        height / image.height,
    )
    values = " ".join(f"{share:.12g}" for share in shares)
    return f"{numbers[found.label or UNLABELLED]} {values}"


def _picture_size(picture: Path) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as opened:
            width, height = opened.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise FormatError(
            f"'{picture}' is not a picture that can be measured ({error}). Replace it."
        ) from error
    return width, height
