"""Finds planted strings in whatever was exported, however it is packed or encoded."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_PNG, _TIFFS, _JPEG = b"\x89PNG", (b"II*\0", b"MM\0*"), b"\xff\xd8\xff"


def found_in(folder: Path, canaries: Iterable[str]) -> set[tuple[str, str]]:
    """Return (file, canary) of each planted string in names and bytes below a folder.

    Compressed members are unpacked, pictures decoded, JSON escapes resolved; strings
    are sought as UTF-8, UTF-16 of either order and Latin-1, in any case.
    """
    wanted = {word: list(_forms(word)) for word in canaries}
    found = set()
    for path in [folder, *sorted(folder.rglob("*"))]:
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes() if path.is_file() else b""
        lowered = [view.lower() for view in (name.encode(), *views_of(data))]
        for word, forms in wanted.items():
            if any(form in view for view in lowered for form in forms):
                found.add((name, word))
    return found


def _forms(word: str) -> Iterator[bytes]:
    """Yield a word in every encoding that has it, as bytes in lower case hold it."""
    for encoding in _ENCODINGS:
        for case in {word, word.lower(), word.upper()}:
            with contextlib.suppress(UnicodeEncodeError):
                yield case.encode(encoding).lower()


def views_of(data: bytes) -> Iterator[bytes]:
    """Yield bytes as they stand, and everything that can be unpacked from them."""
    yield data
    yield from _inflated(data)
    yield from _resolved(data)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from views_of(archive.read(name))
    if data.startswith((_PNG, _JPEG, *_TIFFS)):
        yield from _decoded(data)


def _inflated(data: bytes) -> Iterator[bytes]:
    """Yield what every zlib stream holds, wherever in a file it begins."""
    for place in _ZLIB.finditer(data):
        try:
            unpacked = zlib.decompressobj().decompress(data[place.start() :])
        except zlib.error:
            continue
        if unpacked:
            yield unpacked


def _resolved(data: bytes) -> Iterator[bytes]:
    """Yield JSON, or each of its lines, without its escapes, also what nests in it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    for part in (text, *text.splitlines()):
        try:
            told = json.loads(part)
        except ValueError:
            continue
        if isinstance(told, (dict, list)):
            yield from (said.encode() for said in _strings(told))


def _strings(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for key, value in told.items():
            yield str(key)
            yield from _strings(value)
    elif isinstance(told, list):
        for value in told:
            yield from _strings(value)
    elif isinstance(told, str):
        yield told
        if told.startswith(("{", "[")):
            yield from _strings(json.loads(told))


def _decoded(data: bytes) -> Iterator[bytes]:
    """Yield the pixels of a picture, and all that is told beside them."""
    with Image.open(io.BytesIO(data)) as picture:
        yield np.asarray(picture).tobytes()
        for value in [*picture.info.values(), *picture.getexif().values()]:
            yield value if isinstance(value, bytes) else str(value).encode()
    if data.startswith(_TIFFS):
        with tifffile.TiffFile(io.BytesIO(data)) as opened:
            for page in opened.pages:
                yield page.asarray().tobytes()
                for tag in page.tags:
                    yield str(tag.value).encode()
