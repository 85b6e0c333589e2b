"""What all formats share: careful reading, whole writing, names that stay inside."""

from __future__ import annotations

import math
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from napari_cytosynth.core.errors import CytoSynthError, FormatError
from napari_cytosynth.core.files import (
    PARTIAL,
    demand_ours,
    is_text,
    refusal,
    sweep_partials,
    sync_folder,
    write_durably,
)
from napari_cytosynth.core.records import Records

MAX_BYTES = 1 << 30
"""Largest annotation file that is read at all."""

_DRIVE = re.compile(r"^[A-Za-z]:")


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Return the text of a file, a byte-order mark removed.

    Raises
    ------
    FormatError
        If it is missing, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > limit:
            raise FormatError(
                f"'{path}' is larger than {limit >> 20} MiB. Annotation files are "
                "smaller; check that it is the right file, or split it."
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"'{path}' is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise FormatError(
            f"'{path}' cannot be read ({error.strerror}). Check the path."
        ) from error


def number(text: object, where: str) -> float:
    """Return a finite number.

    Parameters
    ----------
    text : object
        A number, or text that holds one.
    where : str
        File and line, or element, named in the message.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        value = float(text) if isinstance(text, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if isinstance(text, bool) or not math.isfinite(value):
        raise FormatError(
            f"{where}: '{str(text)[:40]}' is not a number. Coordinates and sizes are "
            "finite numbers with a decimal point; correct it there."
        )
    return value


def safe_name(name: str, where: str) -> str:
    """Return a relative POSIX file name that stays below the folder it is read in.

    Raises
    ------
    FormatError
        If it is empty, absolute, climbs with ``..`` or names a drive.
    """
    plain = name.strip().replace("\\", "/")
    parts = PurePosixPath(plain).parts
    bad = not parts or plain.startswith("/") or ".." in parts or "\0" in plain
    if bad or _DRIVE.match(plain):
        raise FormatError(
            f"{where}: file name '{name[:80]}' is refused. A picture is named relative "
            "to the data set's folder and stays inside it; remove '..', drive and root."
        )
    return str(PurePosixPath(plain))


def demand_listed(records: Records, path: Path) -> None:
    """Raise FormatError if an object lies in a picture that is not listed."""
    listed = {image.file_name for image in records.images}
    for found in records.objects:
        if found.image not in listed:
            raise FormatError(
                f"'{path}': an object lies in '{found.image}', which is not among the "
                "pictures. List every picture."
            )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except CytoSynthError:
        raise
    except OSError as error:
        raise refusal(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file: what stood there is replaced at once or not at all.

    Raises
    ------
    StorageError
        If the disk refuses, or no text stood there, such as the picture itself.
    """
    with _writing(path):
        demand_ours(path, is_text)
        sweep_partials(path)
        write_durably(path, text.encode())


def write_folder(
    path: Path, files: Mapping[str, str | bytes], ours: Callable[[Path, str], bool]
) -> None:
    """Write a folder of files, replacing an older one that we wrote.

    The new folder is written beside the old one, which is then renamed away. A crash
    between these two renames leaves both, whole, under names that end in ``.partial``.

    Parameters
    ----------
    path : Path
        The folder.
    files : mapping of relative POSIX name to text or bytes
        Its contents; text is written as UTF-8.
    ours : callable
        Tells of the folder and a relative name whether this program wrote that file. A
        folder that holds anything else, such as pictures, or labels that another tool
        wrote in the same format, is never replaced.

    Raises
    ------
    FormatError
        If the folder holds foreign files.
    StorageError
        If the disk refuses; the old folder is left.
    """
    _refuse_foreign(path, ours)
    token = uuid.uuid4().hex[:8]
    fresh = path.with_name(f"{path.name}.{token}{PARTIAL}")
    aside = path.with_name(f"{path.name}.{token}.old{PARTIAL}")
    with _writing(path):
        sweep_partials(path)
        try:
            fresh.mkdir(parents=True)
            for name, text in files.items():
                data = text.encode() if isinstance(text, str) else text
                write_durably(fresh / name, data)
            _swap(path, fresh, aside)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    had_one = path.exists()
    if had_one:
        os.rename(path, aside)
    try:
        os.rename(fresh, path)
    except BaseException:
        if had_one:
            os.rename(aside, path)
        raise
    sync_folder(path.parent)


def _refuse_foreign(path: Path, ours: Callable[[Path, str], bool]) -> None:
    if path.is_file():
        raise FormatError(
            f"'{path}' is a file, and this format writes a folder. Choose another name."
        )
    for found in sorted(path.rglob("*")) if path.is_dir() else ():
        name = found.relative_to(path).as_posix()
        if found.is_file() and not ours(path, name):
            raise FormatError(
                f"Folder '{path}' holds '{name}', which this program did not write, so "
                "it is not replaced. Choose a new or empty folder."
            )
