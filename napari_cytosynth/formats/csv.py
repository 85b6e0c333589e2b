"""CSV: one row a cell, UTF-8, safe to open in a spreadsheet.

Coordinates are the project's: level-0 pixels, x-y, corner-based. A picture without
cells is a row whose box is empty. Text that a spreadsheet would run as a formula
carries a leading apostrophe, which reading takes away (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from napari_cytosynth.core.errors import FormatError
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.formats.files import number, read_text, safe_name, write_text

COLUMNS = (
    "image",
    "x",
    "y",
    "width",
    "height",
    "label",
    "score",
    "edge",
    "synthetic",
    "outline",
    "image_width",
    "image_height",
    "mpp",
    "mpp_source",
    "quality",
)
"""Columns in the order in which they are written; reading takes any order."""

_NEEDED = ("image", "x", "y", "width", "height")
_SIGNS = {";": "semicolons", "\t": "tabs"}
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_TRUE, _FALSE = ("1", "true", "yes"), ("", "0", "false", "no")

Row = dict[str, str]


class Csv:
    """Reads and writes a CSV file."""

    key = "csv"

    def read(self, path: Path) -> Records:
        """Read a file.

        Raises
        ------
        FormatError
            Naming file, line and rule.
        """
        images: dict[str, ImageRecord] = {}
        objects: list[ObjectRecord] = []
        classes: dict[str, None] = {}
        for where, row in _rows(path):
            name = safe_name(_text(row, "image"), where)
            images.setdefault(name, _image(name, row, where))
            if not any(row[c] for c in _NEEDED[1:]):
                continue
            found = _object(name, row, where)
            objects.append(found)
            if found.label:
                classes[found.label] = None
        return Records(tuple(images.values()), tuple(objects), tuple(classes))

    def write(self, records: Records, path: Path) -> None:
        """Write a file; what stood there is replaced at once or not."""
        images = {i.file_name: i for i in records.images}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for found in records.objects:
            writer.writerow(_line(found, images.get(found.image)))
        filled = {found.image for found in records.objects}
        for image in records.images:
            if image.file_name not in filled:
                name = safe_name(image.file_name, f"'{path}'")
                writer.writerow((_safe(name), *[""] * 9, *_image_cells(image), ""))
        write_text(path, text.getvalue())


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    # Strict: a quote that is never closed would swallow the rest of the file.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        _check_header(header, path)
        for cells in reader:
            where = f"'{path}' line {reader.line_num}"
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise FormatError(
                    f"{where} has {len(cells)} cells, the header {len(header)}. Every "
                    "row has one cell a column; correct it there."
                )
            row = dict.fromkeys(COLUMNS, "")
            row.update(zip(header, cells, strict=True))
            yield where, row
    except csv.Error as error:
        raise FormatError(
            f"'{path}' line {reader.line_num} is not CSV ({error}). Save the table as "
            "comma-separated UTF-8."
        ) from error


def _check_header(header: list[str], path: Path) -> None:
    if len(header) == 1 and (sign := next((s for s in ";\t" if s in header[0]), "")):
        raise FormatError(
            f"'{path}' separates its columns by {_SIGNS[sign]}. Save the table with "
            "commas between them, and with decimal points in its numbers."
        )
    if missing := [c for c in _NEEDED if c not in header]:
        raise FormatError(
            f"'{path}' line 1 lacks the columns {', '.join(missing)}. The first line "
            f"names the columns; needed are {', '.join(_NEEDED)}."
        )


def _object(name: str, row: Row, where: str) -> ObjectRecord:
    x, y, width, height = (number(row[c], f"{where}, {c}") for c in _NEEDED[1:])
    if width <= 0 or height <= 0:
        raise FormatError(
            f"{where}: the box is {width:g} x {height:g} pixels. Width and height are "
            "above 0; correct or remove the row."
        )
    score = number(row["score"], f"{where}, score") if row["score"] else None
    return ObjectRecord(
        name,
        (x, y, width, height),
        _text(row, "label"),
        score,
        _outline(row["outline"], where),
        _flag(row["edge"], f"{where}, edge"),
        _flag(row["synthetic"], f"{where}, synthetic"),
        {"quality": quality} if (quality := _text(row, "quality")) else {},
    )


def _image(name: str, row: Row, where: str) -> ImageRecord:
    width, height = (
        int(number(row[c], f"{where}, {c}")) if row[c] else 0
        for c in ("image_width", "image_height")
    )
    mpp = number(row["mpp"], f"{where}, mpp") if row["mpp"] else None
    return ImageRecord(name, width, height, mpp, _text(row, "mpp_source"))


def _outline(text: str, where: str) -> tuple[tuple[float, float], ...]:
    values = [number(v, f"{where}, outline") for v in text.split()]
    if len(values) % 2:
        raise FormatError(
            f"{where}, outline: an odd count of numbers. An outline is x y x y ... "
            "separated by blanks."
        )
    return tuple(zip(values[::2], values[1::2], strict=True))


def _flag(text: str, where: str) -> bool:
    plain = text.strip().lower()
    if plain not in _TRUE + _FALSE:
        raise FormatError(f"{where}: '{text[:40]}' is neither 0 nor 1. Write 0 or 1.")
    return plain in _TRUE


def _text(row: Row, column: str) -> str:
    return row[column].removeprefix("'")


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _line(found: ObjectRecord, image: ImageRecord | None) -> tuple[str, ...]:
    return (
        _safe(safe_name(found.image, "export")),
        *(repr(float(v)) for v in found.box),
        _safe(found.label),
        "" if found.score is None else repr(float(found.score)),
        str(int(found.edge)),
        str(int(found.synthetic)),
        " ".join(f"{float(x)!r} {float(y)!r}" for x, y in found.outline),
        *_image_cells(image),
        _safe(found.attributes.get("quality", "")),
    )


def _image_cells(image: ImageRecord | None) -> tuple[str, str, str, str]:
    if image is None:
        return "", "", "", ""
    return (
        str(image.width),
        str(image.height),
        "" if image.mpp is None else repr(float(image.mpp)),
        _safe(image.mpp_source),
    )
