"""Weights fetched from a server that drops, lies, refuses or stalls."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from napari_cytosynth.core.errors import StorageError, WeightsError
from napari_cytosynth.core.files import PARTIAL
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.features.dinobloom_fetch import fetch
from napari_cytosynth.features.dinobloom_files import Published

CONTENT = np.random.default_rng(0).integers(0, 256, 5_000_000, np.uint8).tobytes()


@dataclass
class Server:
    """What the server sends, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    status: int = 200
    drop_after: list[int] = field(default_factory=list)
    """Bytes after which each of the next answers breaks off."""
    stall: threading.Event | None = None
    """The body waits for this."""
    asked: list[str | None] = field(default_factory=list)


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            if self.path == "/moved":
                self._head(302, 0, Location="/file")
                return
            if server.status != 200:
                self._head(server.status, 0)
                return
            start = int(wanted[6:-1]) if wanted and server.ranges else 0
            if start >= len(server.content):
                self._head(416, 0)
                return
            body = server.content[start:]
            if start:
                told = f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
                self._head(206, len(body), **{"Content-Range": told})
            else:
                self._head(200, len(body))
            self._send(body)

        def _head(self, status: int, length: int, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def _send(self, body: bytes) -> None:
            if server.stall is not None:
                self.wfile.flush()
                server.stall.wait(30)
            if server.drop_after:
                self.wfile.write(body[: server.drop_after.pop(0)])
                self.close_connection = True
                return
            try:
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    service = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(state))
    state.url = f"http://127.0.0.1:{service.server_port}/file"
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield state
    service.shutdown()
    service.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CYTOSYNTH_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def published(server: Server, content: bytes = CONTENT) -> Published:
    digest = hashlib.sha256(content).hexdigest()
    return Published(server.url, digest, len(content), "model.safetensors")


def partials(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.name.endswith(PARTIAL)]


def test_fetches_with_progress(server: Server, tmp_path: Path) -> None:
    steps: list[Progress] = []
    folder = tmp_path / "new" / "folder"
    path = run_to_end(fetch(published(server), folder), steps.append)
    assert path.read_bytes() == CONTENT
    assert path.name == "model.safetensors"
    assert not partials(folder)
    done = [s.done for s in steps if s.note.startswith("fetching")]
    assert done == sorted(done)
    assert done[-1] == 5
    assert {s.total for s in steps} == {5}


def test_what_is_here_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(CONTENT)
    run_to_end(fetch(published(server), tmp_path))
    assert server.asked == []


def test_follows_a_redirect(server: Server, tmp_path: Path) -> None:
    moved = replace(published(server), url=server.url.replace("/file", "/moved"))
    assert run_to_end(fetch(moved, tmp_path)).read_bytes() == CONTENT


def test_a_dropped_connection_goes_on_where_it_was(
    server: Server, tmp_path: Path
) -> None:
    server.drop_after = [1_500_000, 2_000_000]
    path = run_to_end(fetch(published(server), tmp_path))
    assert path.read_bytes() == CONTENT
    assert server.asked[0] is None
    starts = [int(str(r)[6:-1]) for r in server.asked[1:]]
    assert starts == sorted(starts)
    assert len(starts) == 2
    assert starts[0] > 0


def test_an_interrupted_download_is_resumed_later(
    server: Server, tmp_path: Path
) -> None:
    server.drop_after = [3_000_000, 0, 0, 0]
    with pytest.raises(WeightsError, match="could not be fetched"):
        run_to_end(fetch(published(server), tmp_path))
    (kept,) = partials(tmp_path)
    have = kept.stat().st_size
    assert 0 < have <= 3_000_000
    server.asked.clear()
    assert run_to_end(fetch(published(server), tmp_path)).read_bytes() == CONTENT
    assert server.asked == [f"bytes={have}-"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges, server.drop_after = False, [1_500_000]
    assert run_to_end(fetch(published(server), tmp_path)).read_bytes() == CONTENT


def test_a_complete_part_needs_no_byte_more(server: Server, tmp_path: Path) -> None:
    wanted = published(server)
    part = tmp_path / f"{wanted.file}.{wanted.sha256[:12]}{PARTIAL}"
    part.write_bytes(CONTENT)
    assert run_to_end(fetch(wanted, tmp_path)).read_bytes() == CONTENT


def test_a_damaged_part_is_thrown_away_once(server: Server, tmp_path: Path) -> None:
    wanted = published(server)
    part = tmp_path / f"{wanted.file}.{wanted.sha256[:12]}{PARTIAL}"
    part.write_bytes(b"something else")
    assert run_to_end(fetch(wanted, tmp_path)).read_bytes() == CONTENT
    assert server.asked == ["bytes=14-", None]


def test_a_wrong_file_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    wanted = replace(
        published(server), sha256=hashlib.sha256(CONTENT[::-1]).hexdigest()
    )
    with pytest.raises(WeightsError, match="thrown away"):
        run_to_end(fetch(wanted, tmp_path))
    assert not (tmp_path / wanted.file).exists()
    assert not partials(tmp_path)


@pytest.mark.parametrize("name", ["CYTOSYNTH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody_and_says_what_to_do(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(WeightsError, match=r"switched off.*--weights") as caught:
        run_to_end(fetch(published(server), tmp_path))
    assert server.url in str(caught.value)
    assert server.asked == []
    monkeypatch.setenv(name, "0")
    run_to_end(fetch(published(server), tmp_path))


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_told(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(WeightsError, match=str(status)):
        run_to_end(fetch(published(server), tmp_path))


def test_nobody_there(server: Server, tmp_path: Path) -> None:
    gone = replace(published(server), url="http://127.0.0.1:1/file")
    with pytest.raises(WeightsError, match="could not be fetched"):
        run_to_end(fetch(gone, tmp_path))


def test_a_stalled_server_leaves_the_task_alive_and_can_be_left(
    server: Server, tmp_path: Path
) -> None:
    server.stall = threading.Event()
    task = fetch(published(server), tmp_path)
    try:
        assert [next(task) for _ in range(3)]
        task.close()
        # Another may begin at once: the lock is gone with the task.
        with FileLock(tmp_path / "model.safetensors.lock", timeout=0):
            pass
    finally:
        server.stall.set()


def test_two_do_not_fetch_the_same(server: Server, tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "model.safetensors.lock", is_singleton=False)
    with lock, pytest.raises(WeightsError, match="Another program"):
        run_to_end(fetch(published(server), tmp_path))


def test_a_full_disk_is_told_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    with pytest.raises(StorageError, match="MB more"):
        run_to_end(fetch(published(server), tmp_path))


def test_a_folder_that_cannot_be_made_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="CYTOSYNTH_WEIGHTS"):
        run_to_end(fetch(published(server), tmp_path / "file"))
