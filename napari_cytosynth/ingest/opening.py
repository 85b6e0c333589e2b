"""Opens a smear with the reader that knows its content."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.core.smear import SmearImage


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
            f"'{path}' is not there. Check the path; a project's moved smear can be "
            "relinked."
        )
    return reader_of(path).open(str(path))


def reader_of(path: Path) -> SmearReader:
    """Return the first installed reader that knows the content of ``path``.

    Raises
    ------
    InputError
        If none does.
    """
    for name in names("readers"):
        reader: SmearReader = load("readers", name)()
        if reader.can_read(str(path)):
            return reader
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


def find_pictures(folder: Path) -> list[Path]:
    """Return every picture below a folder, sorted; a Zarr folder counts as one.

    Raises
    ------
    InputError
        If there is none.
    """
    readers = [load("readers", name)() for name in names("readers")]
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name.startswith("."):
                continue
            if any(reader.can_read(str(path)) for reader in readers):
                found.append(path)
            elif path.is_dir():
                waiting.append(path)
    if not found:
        raise InputError(
            f"There is no picture in or below '{folder}'. Readers: "
            f"{', '.join(names('readers'))}."
        )
    return sorted(found)


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
