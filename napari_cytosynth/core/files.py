"""Files that are whole or absent after a crash, whoever writes them."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

PARTIAL = ".partial"
"""Ending of a file that is being written; what has it may be swept."""


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


def sync_file(path: Path) -> None:
    """Have the operating system put a file's bytes on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Have the names in a folder put on the disk; Windows does so by itself."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
