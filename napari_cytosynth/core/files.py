"""Files that are whole or absent after a crash, whoever writes them."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from napari_cytosynth.core.errors import StorageError

PARTIAL = ".partial"
"""Ending of a file that is being written; what has it may be swept."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where there is no room."""

FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""What it says where one may not write."""

_NO_FILE = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST})
_HEAD = 4096  # bytes that tell one kind of file from another


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it holds the old or the new bytes.

    It is written beside its place, fsynced, renamed over it, and the folder is fsynced,
    as are those that hold a folder made on the way.

    Raises
    ------
    OSError
        If the disk refuses; nothing is left behind.
    """
    new_folders = [p for p in (path.parent, *path.parent.parents) if not p.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    for folder in (path.parent, *(p.parent for p in new_folders)):
        sync_folder(folder)


def sweep_partials(path: Path, older: float = 3600.0) -> None:
    """Remove what writes of a file or folder left beside it that were killed.

    Parameters
    ----------
    path : Path
        What was to be written. What a folder's replacement set aside is left: after a
        crash it may be the only copy.
    older : float
        Seconds for which nothing was written to it: another process may be at work.
    """
    since = time.time() - older
    for left in path.parent.glob(f"{glob.escape(path.name)}.*{PARTIAL}"):
        token = left.name.removeprefix(f"{path.name}.").removesuffix(PARTIAL)
        if not _is_token(token) or _touched(left) > since:
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_token(text: str) -> bool:
    return len(text) in (8, 32) and set(text) <= set("0123456789abcdef")


def _touched(path: Path) -> float:
    """Return when a file, or the latest of a folder, was written; seconds."""
    times = []
    for part in (path, *path.rglob("*")):
        try:
            times.append(part.stat().st_mtime)
        except OSError:
            # It is gone meanwhile: somebody is at work.
            return time.time()
    return max(times)


def sync_file(path: Path) -> None:
    """Have the operating system put a file's bytes on the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(path: Path) -> None:
    """Have the names in a folder put on the disk; Windows does so by itself."""
    if sys.platform != "win32":
        _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refusal(path: Path, error: OSError) -> StorageError:
    """Return what to tell of a file or folder that could not be written: the way out.

    Parameters
    ----------
    path : Path
        What was to be written; it stands there as before.
    error : OSError
        What the system said.
    """
    if error.errno in FULL:
        way = "Free some space there, or choose another disk."
    elif error.errno in FORBIDDEN:
        way = "Choose a folder where you may write."
    elif error.errno in _NO_FILE:
        way = "It names a folder, or leads through a file; choose another name."
    else:
        way = "Check the disk or network drive, or choose another folder."
    return StorageError(
        f"'{path}' could not be written ({error.strerror}). What stood there before is "
        f"unchanged. {way}"
    )


def is_text(head: bytes) -> bool:
    """Tell whether a file that starts so may be text; pictures hold NUL."""
    return b"\0" not in head


def is_zip(head: bytes) -> bool:
    """Tell whether a file that starts so may be a ZIP archive, as NPZ is."""
    return head.startswith(b"PK") or not head


def demand_ours(path: Path, may_be_ours: Callable[[bytes], bool]) -> None:
    """Refuse to replace a file of another kind, such as the picture itself.

    Parameters
    ----------
    path : Path
        Where a file is to be written; may be free.
    may_be_ours : callable
        Tells from the first bytes of a file whether it may be replaced.

    Raises
    ------
    StorageError
        If something else stands there.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not may_be_ours(head):
        raise StorageError(
            f"'{path}' is a file of another kind, perhaps a picture, so it is not "
            "replaced. Choose another name, or remove it first."
        )


def demand_place(path: Path, may_be_ours: Callable[[bytes], bool]) -> None:
    """Refuse a place that cannot take a file, before the work and not after it.

    Parameters
    ----------
    path : Path
        Where a file is to be written; folders on the way may be missing.
    may_be_ours : callable
        As in :func:`demand_ours`.

    Raises
    ------
    StorageError
        If it is a folder, if the folder takes no file, or something else stands there.
    """
    demand_ours(path, may_be_ours)
    folder = next(p for p in path.absolute().parents if p.exists())
    trial = folder / f"{uuid.uuid4().hex}{PARTIAL}"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise refusal(path, error) from error
