"""What goes wrong between a client and a worker, and what the client then says."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from napari_cytosynth.core.errors import (
    InputError,
    WeightsError,
    WorkerDiedError,
    WorkerError,
    WorkerRefusedError,
    WorkerUnreachableError,
)
from napari_cytosynth.core.protocols import Request, Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.contracts_compute import first_full
from napari_cytosynth.testing.contracts_generator import stacked, tiny_labelled
from napari_cytosynth.testing.fakes import FakeCellGenerator, FakeEmbedder
from napari_cytosynth.worker import WorkerClient, WorkerProcess, wire
from napari_cytosynth.worker.child import Child
from napari_cytosynth.worker.serve import ServeSettings, serve

FAKE_WORKER = (sys.executable, "-m", "napari_cytosynth.testing.fake_worker")
TOKEN = "a-token-for-tests"
LIMIT = 400_000
WAIT = 30.0
needs_proc = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="looks at processes through /proc"
)


def ask(count: int = 8, **config: float) -> Request:
    return Request("MO", count, 3, built_in("pbc11"), config=config)


@pytest.fixture(scope="module")
def address(start: Callable[..., str]) -> str:
    return start(token=TOKEN, limits={"request_bytes": LIMIT})


@pytest.fixture
def client(address: str) -> Iterator[WorkerClient]:
    made = WorkerClient(address, TOKEN)
    yield made
    made.close()


@pytest.fixture(scope="module")
def weights() -> Weights:
    return run_to_end(FakeCellGenerator().fit(tiny_labelled(), {}))


@pytest.fixture
def tcp() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Listen, and treat each connection as told, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def begin(treat: Callable[[socket.socket], None]) -> str:
        def loop() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    treat(connection)
                    # A close with unread data resets, and takes the answer along.
                    with suppress(OSError):
                        connection.settimeout(1.0)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass

        threads.append(threading.Thread(target=loop, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield begin
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_nothing_answers(weights: Weights) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = WorkerClient(f"http://127.0.0.1:{port}", TOKEN)
    with pytest.raises(WorkerUnreachableError, match=rf":{port} .*cytosynth worker"):
        client.hello()
    with pytest.raises(WorkerUnreachableError, match="No worker answers"):
        first_full(client.generate("fake", ask(), weights))
    client.close()


@pytest.mark.parametrize("url", ["ftp://here", "here:80", "http://", "https://a b"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(WorkerUnreachableError, match="check address"):
        WorkerClient(url, TOKEN).hello()


def test_something_else_answers(tcp: Callable[..., str]) -> None:
    page = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\n<html>"
    client = WorkerClient(tcp(lambda c: c.sendall(page)), TOKEN)
    with pytest.raises(WorkerUnreachableError, match="is no cytosynth worker"):
        client.hello()
    client.close()


def test_a_wrong_token(address: str, weights: Weights) -> None:
    client = WorkerClient(address, "wrong")
    with pytest.raises(WorkerRefusedError, match="refused the token"):
        client.hello()
    with pytest.raises(PermissionError, match="refused the token"):
        first_full(client.generate("fake", ask(), weights))
    client.close()


@pytest.mark.parametrize("token", ["", " ", "ключ", f"{TOKEN}x", TOKEN.upper()])
def test_other_tokens_are_wrong(address: str, token: str) -> None:
    client = WorkerClient(address, token)
    with pytest.raises(WorkerRefusedError):
        client.hello()
    client.close()


def test_a_token_copied_with_its_line_end_is_right(address: str) -> None:
    client = WorkerClient(address, f"{TOKEN}\n")
    assert client.hello().version
    client.close()


def test_no_token_and_no_verb_leaks(address: str) -> None:
    for verb in ("hello", "embed", "fit", "generate", "cancel", "nonesuch"):
        assert httpx.post(f"{address}/{verb}").status_code == 401


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"protocol": 99, "version": "9"}, "protocol 99"),
        ({"protocol": wire.PROTOCOL, "version": "0.0.9"}, r"version 0\.0\.9.*the same"),
    ],
)
def test_another_version(tcp: Callable[..., str], said: dict, told: str) -> None:
    body = json.dumps({**said, "request_bytes": LIMIT}).encode()
    # Kept open, the second request could meet the close of the first.
    fields = f"connection: close\r\ncontent-length: {len(body)}"
    head = f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode()
    client = WorkerClient(tcp(lambda c: c.sendall(head + body)), TOKEN)
    with pytest.raises(WorkerError, match=told):
        client.hello()
    with pytest.raises(WorkerError, match=told):
        run_to_end(client.embed("fake", np.zeros((1, 96, 96, 3), np.uint8)))
    client.close()


def test_a_connection_cut_in_the_middle(tcp: Callable[..., str]) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")

    client = WorkerClient(tcp(cut), TOKEN)
    with pytest.raises(WorkerDiedError, match="in the middle of hello"):
        client.hello()
    client.close()


def test_a_silent_connection(tcp: Callable[..., str]) -> None:
    silent = threading.Event()
    client = WorkerClient(tcp(lambda c: silent.wait(WAIT) and None), TOKEN, silence=0.2)
    with pytest.raises(WorkerDiedError, match="in the middle of hello"):
        client.hello()
    silent.set()
    client.close()


def test_a_slow_job_shows_signs_of_life(address: str, weights: Weights) -> None:
    patient = WorkerClient(address, TOKEN, silence=2.0)
    batches = list(patient.generate("fake", ask(1, pause=4), weights))
    assert len(batches) > 3
    assert [len(b) for b in batches if len(b)] == [1]
    patient.close()


def test_too_large_is_refused_before_it_is_sent(client: WorkerClient) -> None:
    crops = np.zeros((100, 96, 96, 3), np.uint8)
    with pytest.raises(
        InputError, match=r"too large: the worker takes at most 400,000"
    ):
        run_to_end(client.embed("fake", crops))


def test_too_large_is_refused_by_the_worker(address: str) -> None:
    answer = httpx.post(
        f"{address}/embed",
        content=b"x" * (8 * LIMIT),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 413
    assert "3,200,000 bytes" in answer.json()["message"]
    assert "--max-mb" in answer.json()["message"]


def test_a_length_that_lies_is_not_believed(address: str) -> None:
    head = wire.Frame({"embedder": "fake"}).encode()[:4] + b"\xff" * 8
    for body in (head, b"", b"short", head + b"{}"):
        answer = httpx.post(
            f"{address}/embed",
            content=body,
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        assert answer.status_code == 400
        assert answer.json()["error"] == "InputError"


def test_a_request_that_lacks_a_field(address: str) -> None:
    answer = httpx.post(
        f"{address}/embed",
        content=wire.Frame({}).encode(),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 400
    assert "lacks its field 'embedder'" in answer.json()["message"]


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("fit", {"generator": "fake", "config": {}, "cells": 3}),
        ("generate", {"weights": []}),
        ("generate", {"weights": {"sha256": "0", "sent": True, "meta": 5}}),
    ],
)
def test_a_request_with_an_odd_field(address: str, verb: str, data: dict) -> None:
    answer = httpx.post(
        f"{address}/{verb}",
        content=wire.Frame(data).encode(),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_weights_with_a_wrong_hash(weights: Weights) -> None:
    frame = wire.weights_to_frame(weights, {})
    other = {"looks": weights.tensors["looks"] + 1}
    with pytest.raises(WeightsError, match="damaged on the way"):
        wire.weights_of(wire.Frame(frame.data, other))


def test_an_unknown_error_names_itself() -> None:
    told = wire.error_frame(ZeroDivisionError("division by zero")).data
    error = wire.error_of(told, "fit")
    assert isinstance(error, WorkerError)
    assert "ZeroDivisionError: division by zero" in str(error)


def test_an_error_cannot_name_what_is_no_error() -> None:
    for name in ("annotations", "__builtins__", "Exception", "nonesuch"):
        assert type(wire.error_of({"error": name}, "fit")) is WorkerError


def test_weights_are_sent_once(client: WorkerClient, weights: Weights) -> None:
    large = Weights(
        {**weights.tensors, "filler": np.ones(LIMIT // 8, np.float32)}, weights.meta
    )
    sent: list[int] = []
    client._http.event_hooks["request"] = [
        lambda r: sent.append(int(r.headers.get("content-length", 0)))
    ]
    for _ in range(3):
        assert len(first_full(client.generate("fake", ask(), large))) == 4
    assert sum(size > LIMIT // 4 for size in sent) == 1


def test_embedding_goes_on_after_the_worker_died() -> None:
    compute = WorkerProcess(FAKE_WORKER)
    crops = np.random.default_rng(0).integers(0, 256, (1500, 96, 96, 3), np.uint8)
    task = compute.embed("fake", crops)
    while next(task).done < 1024:
        pass
    os.kill(compute.pid or 0, signal.SIGKILL)
    vectors = run_to_end(task)
    compute.close()
    np.testing.assert_array_equal(vectors, FakeEmbedder().embed(crops))


def test_a_worker_that_is_not_ours_is_not_restarted(weights: Weights) -> None:
    child = Child(FAKE_WORKER)
    assert child.wait_ready(WAIT)
    client = child.client()
    batches = client.generate("fake", ask(400, batch=1, pause=0.1), weights)
    first_full(batches)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="in the middle of generate"):
        list(batches)
    client.close()
    child.stop()


def test_draws_go_on_after_the_worker_died(weights: Weights) -> None:
    compute = WorkerProcess(FAKE_WORKER)
    items = []
    killed: list[int] = []
    for batch in compute.generate("fake", ask(12, batch=1, pause=0.1), weights):
        items += batch.items
        if len(items) == 3 and not killed and compute.pid:
            killed.append(compute.pid)
            os.kill(compute.pid, signal.SIGKILL)
    assert compute.pid not in killed
    compute.close()
    batches = FakeCellGenerator().generate(
        ask(12, batch=1), weights, np.random.default_rng(0)
    )
    whole = [item for batch in batches for item in batch.items]
    np.testing.assert_array_equal(stacked(items), stacked(whole))


def test_a_worker_that_cannot_start_says_why() -> None:
    compute = WorkerProcess((sys.executable, "-c", "import nonesuch"), restarts=0)
    with pytest.raises(WorkerDiedError, match="No module named 'nonesuch'"):
        compute.hello()
    compute.close()


_DIES_ONCE = """
import os, runpy, sys, time
started = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(started, b".")
if os.fstat(started).st_size == 1:
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    sys.exit(3)
runpy.run_module("napari_cytosynth.testing.fake_worker", run_name="__main__")
"""


def test_jobs_that_wait_for_the_same_worker_do_not_end_the_next_one(
    tmp_path: Path,
) -> None:
    started, die = tmp_path / "started", tmp_path / "die"
    command = (sys.executable, "-c", _DIES_ONCE, str(started), str(die))
    compute = WorkerProcess(command)
    crops = np.zeros((2, 96, 96, 3), np.uint8)
    first, *others = [compute.embed("fake", crops) for _ in range(4)]
    for task in (first, *others):
        next(task)  # all wait for the first worker
    dead = compute.pid
    die.touch()
    while compute.pid == dead:
        next(first)  # until it has begun another
    done = [len(run_to_end(task)) for task in (*others, first)]
    compute.close()
    assert done == [2] * 4
    assert started.read_text() == ".."


def test_a_worker_that_says_something_else_did_not_start() -> None:
    chatty = (sys.executable, "-c", "import sys; print('hi'); sys.stdin.read()")
    compute = WorkerProcess(chatty, restarts=0)
    with pytest.raises(WorkerDiedError, match="could not start"):
        compute.hello()
    compute.close()


def test_a_worker_that_never_answers_is_given_up() -> None:
    sleeper = (sys.executable, "-c", "import sys; sys.stdin.read()")
    compute = WorkerProcess(sleeper, start_timeout=0.3, restarts=0)
    with pytest.raises(WorkerDiedError, match="in a row"):
        compute.hello()
    compute.close()


def test_a_python_that_is_not_there() -> None:
    compute = WorkerProcess(("/no/such/python",), restarts=0)
    with pytest.raises(WorkerError, match="could not be started"):
        compute.hello()


def test_a_closed_backend_refuses_work() -> None:
    compute = WorkerProcess(FAKE_WORKER)
    compute.close()
    compute.close()
    assert compute.pid is None
    with pytest.raises(WorkerError, match="was closed"):
        compute.hello()


def test_nothing_starts_before_it_is_needed() -> None:
    compute = WorkerProcess(FAKE_WORKER)
    assert compute.pid is None
    compute.embed("fake", np.zeros((1, 96, 96, 3), np.uint8)).close()
    assert compute.pid is None


_PARENT = """
import os, sys
from napari_cytosynth.worker import WorkerProcess
compute = WorkerProcess((sys.executable, "-m", "napari_cytosynth.testing.fake_worker"))
compute.hello()
print(compute.pid, flush=True)
sys.stdin.read()
"""


@needs_proc
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_a_worker_ends_with_its_parent(how: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    if how == "killed":
        parent.kill()
    parent.stdin.close()
    parent.wait(WAIT)
    parent.stdout.close()
    poll = threading.Event()
    for _ in range(300):
        if not _runs(pid):
            return
        poll.wait(0.1)
    pytest.fail(f"worker {pid} outlived its parent")


def _runs(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody reaps does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@needs_proc
def test_the_token_is_not_on_the_command_line() -> None:
    compute = WorkerProcess(FAKE_WORKER)
    compute.hello()
    assert compute._child is not None
    line = Path(f"/proc/{compute.pid}/cmdline").read_bytes()
    surroundings = Path(f"/proc/{compute.pid}/environ").read_bytes()
    token = compute._child._token.encode()
    compute.close()
    assert b"fake_worker" in line
    assert token not in line + surroundings


def test_other_machines_need_tls_and_a_token() -> None:
    with pytest.raises(InputError, match="SSH tunnel"):
        serve(ServeSettings("secret", host="0.0.0.0"), pytest.fail)
    with pytest.raises(InputError, match="without a token"):
        serve(ServeSettings(""), pytest.fail)


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(WorkerError, match=rf"cannot listen at 127.0.0.1:{port}"):
            serve(ServeSettings("secret", port=port), pytest.fail)


def test_tls(start: Callable[..., str], certified: Callable[[str], Any]) -> None:
    made = certified("mine")
    url = start(token=TOKEN, **made)
    assert url.startswith("https://")
    trusting = WorkerClient(
        url, TOKEN, verify=ssl.create_default_context(cafile=made["certificate"])
    )
    assert "fake" in trusting.hello().generators
    trusting.close()
    doubting = WorkerClient(url, TOKEN)
    with pytest.raises(WorkerUnreachableError, match="certificate"):
        doubting.hello()
    doubting.close()
