"""Download of a weight file: with progress, resumed where it broke off, checked."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

import httpx
from filelock import FileLock, Timeout

from napari_cytosynth.core.errors import StorageError, WeightsError
from napari_cytosynth.core.files import PARTIAL, sync_file, sync_folder
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.features.dinobloom_files import Published, hashing, offline

_CHUNK = 2**20
_QUEUED = 16
_POLL_SECONDS = 0.5
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_FRUITLESS = 3
"""Connections that brought nothing, one after the other, before it is given up."""


def fetch(wanted: Published, folder: Path) -> Task[Path]:
    """Bring a published file into a folder, unless it is there.

    What has come stays when the connection drops, the task is cancelled or the program
    ends; the next attempt asks for the rest only.

    Parameters
    ----------
    wanted : Published
        What to fetch.
    folder : Path
        Made if it is missing.

    Returns
    -------
    Path
        The file. One that was there already is not read again here.

    Raises
    ------
    WeightsError
        If downloads are forbidden, the server refuses, or what came is not the file
        that was published; nothing of it is kept then.
    StorageError
        If the disk is full or cannot be written.
    """
    target = folder / wanted.file
    if target.is_file():
        return target
    if offline():
        raise WeightsError(_no_network(wanted, target, "downloads are switched off"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock", timeout=0):
            if not target.is_file():
                yield from _fetched(wanted, target)
    except Timeout as error:
        raise WeightsError(
            f"Another program is fetching {wanted.file} at this moment. Wait until it "
            "is done, then try again."
        ) from error
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"{wanted.file} cannot be kept in '{folder}' ({error.strerror or error}). "
            "Make room there, or name another folder in CYTOSYNTH_WEIGHTS."
        ) from error
    return target


def _fetched(wanted: Published, target: Path) -> Task[None]:
    partial = target.with_name(f"{target.name}.{wanted.sha256[:12]}{PARTIAL}")
    while True:
        resumed = partial.exists() and partial.stat().st_size > 0
        yield from _downloaded(wanted, partial, target)
        if (yield from _is(partial, wanted)):
            break
        partial.unlink()
        if not resumed:
            raise WeightsError(
                f"What came from {wanted.url} is not {wanted.file}: its SHA-256 is not "
                f"{wanted.sha256}. It was thrown away. Something on the way changed "
                "it, or the file was replaced; try again on another network, or ask "
                "the maintainers."
            )
    sync_file(partial)
    partial.replace(target)
    sync_folder(target.parent)


def _is(partial: Path, wanted: Published) -> Task[bool]:
    """Tell whether a file is the one that is wanted."""
    size = partial.stat().st_size
    with partial.open("rb") as stream:
        steps = hashing(stream)
        try:
            while True:
                yield _progress(next(steps), size, f"checking {wanted.file}")
        except StopIteration as stop:
            return bool(stop.value == wanted.sha256)


def _downloaded(wanted: Published, partial: Path, target: Path) -> Task[None]:
    """Fill the partial file to its end, over as many connections as it takes."""
    fruitless, problem = 0, "nothing came"
    while fruitless < _FRUITLESS:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            yield from _connection(wanted, partial, before)
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
            came = partial.exists() and partial.stat().st_size > before
            fruitless = 0 if came else fruitless + 1
        else:
            return
    raise WeightsError(_no_network(wanted, target, problem))


def _connection(wanted: Published, partial: Path, have: int) -> Task[None]:
    """Read one answer into the partial file.

    Raises
    ------
    httpx.TransportError
        If the connection drops; what has come is in the file.
    """
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with closing(_Pump(wanted.url, headers)) as pump:
        answer = yield from _waiting(pump.items(), have, wanted)
        start = _start(answer, have, wanted)
        if start < 0:
            # The server has no more than we have: complete, or not the same file.
            return
        left = int(answer.headers.get("content-length", 0))
        _demand_room(partial.parent, left, wanted)
        with partial.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            stream.truncate()
            yield from _written(pump.items(), stream, start + left, wanted)


def _start(answer: httpx.Response, have: int, wanted: Published) -> int:
    """Return from which byte on an answer goes; -1 if nothing is left to send."""
    if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return -1
    if answer.status_code == httpx.codes.PARTIAL_CONTENT:
        told = answer.headers.get("content-range", "")
        if told.startswith(f"bytes {have}-"):
            return have
        raise httpx.RemoteProtocolError(f"another part was sent: '{told}'")
    if answer.status_code == httpx.codes.OK:
        return 0
    raise WeightsError(
        f"{wanted.url} answered {answer.status_code} {answer.reason_phrase}. What has "
        "come is kept; try again later, or fetch the file elsewhere and name it with "
        "--weights PATH."
    )


def _written(
    items: Iterator[object], stream: BinaryIO, total: int, wanted: Published
) -> Task[None]:
    note = f"fetching {wanted.file}, MB"
    for item in items:
        if isinstance(item, bytes):
            stream.write(item)
        yield _progress(stream.tell(), total, note)


def _waiting(
    items: Iterator[object], have: int, wanted: Published
) -> Generator[Progress, None, httpx.Response]:
    for item in items:
        if isinstance(item, httpx.Response):
            return item
        yield _progress(have, wanted.size, f"asking for {wanted.file}")
    raise httpx.RemoteProtocolError("no answer")


def _progress(done: int, total: int, note: str) -> Progress:
    return Progress(done // 10**6, total // 10**6, note)


def _demand_room(folder: Path, left: int, wanted: Published) -> None:
    free = shutil.disk_usage(folder).free
    if left > free:
        raise StorageError(
            f"{wanted.file} needs {left / 1e6:,.0f} MB more, and '{folder}' has "
            f"{free / 1e6:,.0f} MB free. Make room there, or name another folder in "
            "CYTOSYNTH_WEIGHTS."
        )


def _no_network(wanted: Published, target: Path, problem: str) -> str:
    return (
        f"{wanted.file} ({wanted.size / 1e6:,.0f} MB) is not here and could not be "
        f"fetched: {problem}. Fetch {wanted.url} where there is a network, and put it "
        f"at '{target}', or name it with --weights PATH."
    )


class _Pump:
    """Reads an answer in a thread of its own, so that a stalled one can be left."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._queue: queue.Queue[object] = queue.Queue(_QUEUED)
        self._stopped = threading.Event()
        thread = threading.Thread(target=self._run, args=(url, headers), daemon=True)
        thread.start()

    def items(self) -> Iterator[object]:
        """Yield the answer, then its bytes; None where nothing came for a while.

        Raises
        ------
        httpx.TransportError
            If the connection drops.
        """
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                yield None
                continue
            if item is _END:
                return
            if isinstance(item, httpx.HTTPError):
                raise item
            yield item

    def close(self) -> None:
        """Have the thread end at the next bytes that come."""
        self._stopped.set()

    def _run(self, url: str, headers: Mapping[str, str]) -> None:
        try:
            with httpx.stream(
                "GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT
            ) as answer:
                self._put(answer)
                for chunk in answer.iter_raw(_CHUNK):
                    if not self._put(chunk):
                        return
            self._put(_END)
        except httpx.HTTPError as error:
            self._put(error)

    def _put(self, item: object) -> bool:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=_POLL_SECONDS)
                return True
        return False


_END = object()
