"""Pascal VOC: one XML file a picture; pixel corners, 1-based and inclusive.

The first pixel is 1, and ``xmax`` belongs to the box: a box over the project's 0..10 is
written 1..10 (VOC2012 development kit). Corners are whole pixels, so a box is rounded
to the nearest ones. ``folder`` and ``path`` name the disk of whoever drew the boxes and
are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from napari_cytosynth.core.errors import FormatError
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.formats.files import (
    demand_listed,
    number,
    read_text,
    safe_name,
    write_folder,
    write_text,
)

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_DATABASE = "napari-cytosynth"
_MARK = f"<database>{_DATABASE}</database>".encode()
_HEAD = 4096  # bytes within which the mark stands
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Voc:
    """Reads a file or a folder of them; writes a folder, or a file for one picture."""

    key = "voc"

    def read(self, path: Path) -> Records:
        """Read a file, or every XML file below a folder.

        Boxes without area are left out and named in ``notes``.

        Raises
        ------
        FormatError
            Naming file, place and rule.
        """
        files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
        if not files:
            raise FormatError(
                f"Folder '{path}' holds no XML file. Choose the folder of annotations."
            )
        images: list[ImageRecord] = []
        objects: list[ObjectRecord] = []
        notes: list[str] = []
        for file in files:
            below = file.parent.relative_to(path) if path.is_dir() else Path()
            root = _parse(file)
            image = _image(root, file, below)
            images.append(image)
            objects.extend(_objects(root, image.file_name, file, notes))
        classes = tuple(sorted({found.label for found in objects if found.label}))
        return Records(tuple(images), tuple(objects), classes, tuple(notes))

    def write(self, records: Records, path: Path) -> None:
        """Write ``path`` as a folder, or as one file where it ends in ``.xml``."""
        demand_listed(records, path)
        if path.suffix.lower() == ".xml":
            if len(records.images) != 1:
                raise FormatError(
                    f"'{path}' would hold {len(records.images)} pictures. A VOC file "
                    "holds one; give a folder."
                )
            write_text(path, _xml(records.images[0], records.objects))
            return
        by_image: dict[str, list[ObjectRecord]] = {}
        for found in records.objects:
            by_image.setdefault(found.image, []).append(found)
        files: dict[str, str] = {}
        for image in records.images:
            name = _file_of(safe_name(image.file_name, f"'{path}'"), files)
            files[name] = _xml(image, tuple(by_image.get(image.file_name, ())))
        write_folder(path, files, _ours)


def _ours(folder: Path, name: str) -> bool:
    """Tell whether we wrote a file: annotations of other tools are also VOC."""
    if not name.endswith(".xml"):
        return False
    with (folder / name).open("rb") as file:
        return _MARK in file.read(_HEAD)


def _file_of(name: str, taken: dict[str, str]) -> str:
    """Return the XML file's name; two pictures may differ in their ending only."""
    short = str(PurePosixPath(name).with_suffix(".xml"))
    return f"{name}.xml" if short in taken else short


def _parse(file: Path) -> Element:
    try:
        root: Element = fromstring(read_text(file))
    except DefusedXmlException as error:
        raise FormatError(
            f"'{file}' declares entities or a DTD, which annotations never need and "
            "attacks do. It was not read; remove them."
        ) from error
    except (ParseError, ValueError) as error:
        raise FormatError(
            f"'{file}' is not XML ({error}). It may be cut short; get it again."
        ) from error
    if root.tag != "annotation":
        raise FormatError(
            f"'{file}' starts with <{root.tag}>. A VOC file starts with <annotation>."
        )
    return root


def _image(root: Element, file: Path, below: Path) -> ImageRecord:
    name = (root.findtext("filename") or "").strip() or f"{file.stem}.jpg"
    name = safe_name(name, f"'{file}', filename")
    if "/" not in name:
        name = str(PurePosixPath(below.as_posix()) / name)
    width, height = (
        int(number(root.findtext(f"size/{side}") or 0, f"'{file}', size/{side}"))
        for side in ("width", "height")
    )
    mpp = root.findtext("size/mpp")
    return ImageRecord(
        name,
        width,
        height,
        number(mpp, f"'{file}', size/mpp") if mpp else None,
        (root.findtext("size/mpp_source") or "").strip(),
    )


def _objects(
    root: Element, image: str, file: Path, notes: list[str]
) -> Iterator[ObjectRecord]:
    for count, element in enumerate(root.iter("object"), 1):
        where = f"'{file}', object {count}"
        corners = [
            number(element.findtext(f"bndbox/{c}") or "", f"{where}, bndbox/{c}")
            for c in _CORNERS
        ]
        left, top, right, bottom = corners
        if right <= left or bottom <= top:
            notes.append(f"{where}: box {corners} has no area and was left out")
            continue
        score = element.findtext("score")
        yield ObjectRecord(
            image,
            (left - 1, top - 1, right - left + 1, bottom - top + 1),
            (element.findtext("name") or "").strip(),
            number(score, f"{where}, score") if score else None,
            edge=(element.findtext("truncated") or "").strip() == "1",
            synthetic=(element.findtext("synthetic") or "").strip() == "1",
        )


def _xml(image: ImageRecord, objects: tuple[ObjectRecord, ...]) -> str:
    root = Element("annotation")
    _child(root, "filename", safe_name(image.file_name, "export"))
    _child(SubElement(root, "source"), "database", _DATABASE)
    size = SubElement(root, "size")
    _child(size, "width", image.width)
    _child(size, "height", image.height)
    _child(size, "depth", 3)
    if image.mpp is not None:
        _child(size, "mpp", repr(float(image.mpp)))
        _child(size, "mpp_source", image.mpp_source)
    for found in objects:
        _write_object(SubElement(root, "object"), found)
    indent(root, "  ")
    return tostring(root, encoding="unicode") + "\n"


def _write_object(element: Element, found: ObjectRecord) -> None:
    x, y, width, height = found.box
    left, top = round(x) + 1, round(y) + 1
    # At least two pixels: readers, this one too, take fewer for a slip.
    right = max(round(x + width), left + 1)
    bottom = max(round(y + height), top + 1)
    _child(element, "name", found.label)
    _child(element, "pose", "Unspecified")
    _child(element, "truncated", int(found.edge))
    _child(element, "difficult", 0)
    if found.score is not None:
        _child(element, "score", repr(float(found.score)))
    _child(element, "synthetic", int(found.synthetic))
    box = SubElement(element, "bndbox")
    for name, value in zip(_CORNERS, (left, top, right, bottom), strict=True):
        _child(box, name, value)


def _child(parent: Element, name: str, value: object) -> None:
    SubElement(parent, name).text = _UNWRITABLE.sub("?", str(value))
