"""One process a project. The lock names host and process, and outlives neither.

The kernel's lock on ``project.lock`` decides between processes of one machine, so a
process number that was given out again after a crash misleads nobody. What the file
says decides the rest: another host is asked about, for its processes cannot be seen
from here.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from napari_cytosynth.core.errors import ProjectLockedError

LOCK_NAME = "project.lock"

_FAR = 1 << 30
"""Offset of the byte that Windows locks: past the text, which stays readable."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a project.

    Parameters
    ----------
    host : str
        Name of the machine.
    pid : int
        Number of the process.
    started : float
        When that process began, seconds since 1970; tells a reused number apart.
    space: str
        Within which process numbers mean anything: a container has its own, though it
        may bear the machine's name. Empty where not known.
    """

    host: str
    pid: int
    started: float
    space: str = ""

    @classmethod
    def this_process(cls) -> Holder:
        """Return the holder that this process is."""
        pid = os.getpid()
        began = psutil.Process(pid).create_time()
        return cls(platform.node(), pid, began, _process_space())

    @classmethod
    def read(cls, text: str) -> Holder | None:
        """Return the holder that a lock file names; None where it names none."""
        try:
            value = json.loads(text)
            host, space = str(value["host"]), str(value.get("space", ""))
            return cls(host, int(value["pid"]), float(value["started"]), space)
        except (ValueError, TypeError, KeyError):
            return None  # cut short by a crash while it was written

    @property
    def here(self) -> bool:
        """True if it is on this machine."""
        return self.host == platform.node()

    @property
    def seen(self) -> bool:
        """True if its process could be seen from here."""
        return self.space in ("", _process_space())

    @property
    def exists(self) -> bool:
        """True if some process of this machine has that number now."""
        return bool(psutil.pid_exists(self.pid))

    @property
    def alive(self) -> bool:
        """True if that very process still runs on this machine."""
        try:
            began = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return bool(abs(began - self.started) < 2.0)


class ProjectLock:
    """Holds a project until :meth:`release`.

    Parameters
    ----------
    folder : Path
        The project's folder.
    break_lock : bool
        Take the lock even from another host.

    Attributes
    ----------
    taken_over : bool
        True where a process that ended badly had left it.

    Raises
    ------
    ProjectLockedError
        If a running process of this host, or any of another, holds it.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, *, break_lock: bool = False) -> None:
        self._path = folder / LOCK_NAME
        self.taken_over = False
        self._handle: int | None = self._acquire(break_lock)

    def _acquire(self, break_lock: bool) -> int:
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if self._claim(handle, break_lock):
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _claim(self, handle: int, break_lock: bool) -> bool:
        """Take this file over; False if it was swapped for another meanwhile."""
        ours = _kernel_lock(handle)
        holder = Holder.read(_text(handle))
        # A free kernel's lock tells of all processes here, those in containers too.
        visible = holder is None or holder.seen or bool(ours)
        here = holder is None or (holder.here and visible)
        if not here and not break_lock:
            raise ProjectLockedError(_elsewhere(self._path.parent, holder))
        if here and _is_held(ours, holder):
            raise ProjectLockedError(_in_use(self._path.parent, holder))
        if ours is False:
            # Its process is gone, but a child of it still keeps the kernel's lock.
            self._path.unlink(missing_ok=True)
            return False
        if not _same_file(handle, self._path):
            return False
        self.taken_over = holder is not None
        _rewrite(handle, json.dumps(asdict(Holder.this_process())))
        return True

    def release(self) -> None:
        """Give the project back. Idempotent."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        if sys.platform == "win32":  # an open file cannot be removed there
            _rewrite(handle, "")
            os.close(handle)
            return
        if _same_file(handle, self._path):
            with suppress(OSError):  # a disk gone read-only must not stop closing
                self._path.unlink()
        os.close(handle)


def _process_space() -> str:
    """Return what names this process's own space of process numbers, where there is."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _kernel_lock(handle: int) -> bool | None:
    """Lock an open file against other processes.

    False if another holds it, None where this disk knows no such locks.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_held(ours: bool | None, holder: Holder | None) -> bool:
    """Tell whether a process of this machine holds the file.

    Where the kernel tells, clocks are not trusted: a shifted one must not make a living
    holder look dead.
    """
    if ours is None:
        return holder is not None and holder.alive
    if ours:
        return False
    return holder is None or holder.exists


def _text(handle: int) -> str:
    os.lseek(handle, 0, os.SEEK_SET)
    return os.read(handle, 4096).decode("utf-8", "replace")


def _rewrite(handle: int, text: str) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    os.truncate(handle, 0)
    os.write(handle, text.encode())
    os.fsync(handle)


def _same_file(handle: int, path: Path) -> bool:
    """Tell whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, holder: Holder | None) -> str:
    who = f"process {holder.pid}" if holder else "another process"
    return (
        f"Project '{folder}' is open in {who} of this computer. One process at a time "
        "may hold it: close that window, or wait until that command is done, then open "
        "it again. A backup can be made meanwhile: cytosynth info PROJECT --backup "
        "FOLDER."
    )


def _elsewhere(folder: Path, holder: Holder | None) -> str:
    pid, host = (holder.pid, holder.host) if holder else (0, "unknown")
    return (
        f"Project '{folder}' is held by process {pid} on computer '{host}'. Close it "
        "there. If that computer is off or the process is gone for sure, delete the "
        f"file '{LOCK_NAME}' in the project's folder, or open it with --break-lock "
        "(break_lock=True)."
    )
