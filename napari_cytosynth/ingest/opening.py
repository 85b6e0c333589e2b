"""Opens a smear with the reader that knows its content."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.smear import SmearImage

ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".zarr")
)
"""A file whose name ends so poses as a picture, in small letters."""


def open_smear(uri: str | Path) -> SmearImage:
    """Open a smear lazily. The source is never written to.

    Parameters
    ----------
    uri : str or Path
        A picture file, an OME-Zarr folder, or a ``file:`` URL.

    Returns
    -------
    SmearImage
        RGB, 8 bits a channel, multiscale; conversions stand in its ``notes``.

    Raises
    ------
    InputError
        If it is missing, no picture, damaged, or too large to decode.
    """
    path = local_path(uri)
    if not path.exists():
        raise InputError(
            f"'{path}' is not there. Check the path; where a project's smear was "
            "moved, add it again from its new place: its cells and labels stay."
        )
    return reader_of(path).open(str(path))


def reader_of(path: Path) -> SmearReader:
    """Return the first installed reader that knows the content of ``path``.

    Raises
    ------
    InputError
        If none does.
    """
    for reader in _readers():
        if reader.can_read(str(path)):
            return reader
    _demand_bytes(path)
    if path.is_dir():
        raise InputError(
            f"'{path}' is a folder without a Zarr picture. Open the pictures in it one "
            "by one, or choose an OME-Zarr folder."
        )
    raise InputError(
        f"'{path}' is not a picture that can be read, whatever its name says. PNG, "
        "JPEG, BMP, WebP, TIFF, OME-TIFF and OME-Zarr can; installed readers: "
        f"{', '.join(names('readers'))}."
    )


def _readers() -> list[SmearReader]:
    return [load("readers", name)() for name in names("readers")]


def _demand_bytes(path: Path) -> None:
    """Raise InputError for a file that cannot be read, or has nothing in it."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}. Change its permissions, or "
            "copy it to where you may read it."
        ) from error
    if empty:
        raise InputError(
            f"'{path}' is empty: 0 bytes. Its export or copy was cut off; copy it "
            "again from its source."
        )


def find_pictures(folder: Path) -> list[Path]:
    """Return every picture below a folder, sorted; a Zarr folder counts as one.

    So does the folder itself, if it is one. What is only named like a picture is
    returned too: opening it says what is wrong. Folders are searched once, whatever
    links lead to them.

    Raises
    ------
    InputError
        If there is none.
    """
    readers = _readers()
    if any(reader.can_read(str(folder)) for reader in readers):
        return [folder]
    found: list[Path] = []
    waiting, seen = [folder], {folder.resolve()}
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name.startswith("."):
                continue
            if any(reader.can_read(str(path)) for reader in readers) or (
                path.suffix.lower() in ENDINGS and _is_whole(path)
            ):
                found.append(path)
            elif path.is_dir() and path.resolve() not in seen:
                seen.add(path.resolve())
                waiting.append(path)
    if not found:
        raise InputError(
            f"There is no picture in or below '{folder}'. Readers: "
            f"{', '.join(names('readers'))}."
        )
    return sorted(found)


def _is_whole(path: Path) -> bool:
    """Tell whether this stands for one picture: no folder, save one of Zarr."""
    return path.suffix.lower() == ".zarr" or not path.is_dir()


def local_path(uri: str | Path) -> Path:
    """Return the absolute path of a path or ``file:`` URL.

    Raises
    ------
    InputError
        If it is a URL of another kind.
    """
    text = str(uri)
    if text.startswith("file:"):
        return Path(url2pathname(unquote(urlparse(text).path))).absolute()
    if "://" in text:
        raise InputError(
            f"'{text}' is a remote address. Smears are read from disks; copy or mount "
            "it."
        )
    return Path(text).expanduser().absolute()
