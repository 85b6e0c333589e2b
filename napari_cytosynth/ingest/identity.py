"""A content hash by which a moved or copied smear is found again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from napari_cytosynth.core.errors import InputError

_BLOCK = 1 << 20
_METADATA = {"zarr.json", ".zattrs", ".zarray", ".zgroup", ".zmetadata"}
_SAMPLED_CHUNKS = 16


def fingerprint(uri: str | Path) -> str:
    """Return a hash of a smear's content, cheap however large it is.

    A file up to 4 MiB is read whole; of a larger one its size and its first, middle and
    last MiB. Of a Zarr folder all names and sizes, all metadata and some chunks.

    Parameters
    ----------
    uri : str or Path
        A file or a Zarr folder.

    Returns
    -------
    str
        32 hexadecimal digits, independent of name and place.

    Raises
    ------
    InputError
        If it is not there or cannot be read.
    """
    path = Path(uri)
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            _feed_folder(digest, path)
        else:
            _feed_file(digest, path)
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror or error}. Check that the file "
            "is there and may be read."
        ) from error
    return digest.hexdigest()[:32]


def _feed_file(digest: Any, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{size};".encode())
    with path.open("rb") as file:
        if size <= 4 * _BLOCK:
            digest.update(file.read())
            return
        for start in (0, (size - _BLOCK) // 2, size - _BLOCK):
            file.seek(start)
            digest.update(file.read(_BLOCK))


def _feed_folder(digest: Any, folder: Path) -> None:
    files = sorted(
        (p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file()
    )
    chunks = [pair for pair in files if pair[1].name not in _METADATA]
    step = max(len(chunks) // _SAMPLED_CHUNKS, 1)
    sampled = {name for name, _ in chunks[::step]}
    for name, path in files:
        digest.update(f"{name}:{path.stat().st_size};".encode())
        if path.name in _METADATA or name in sampled:
            _feed_file(digest, path)
