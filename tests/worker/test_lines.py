"""A worker on another machine, over lines that break off, are slow, or hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
import pytest

from napari_cytosynth.core.errors import (
    InputError,
    WorkerDiedError,
    WorkerError,
    WorkerRefusedError,
    WorkerUnreachableError,
)
from napari_cytosynth.core.protocols import Batch, Request, Weights
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.bad_line import BadLine
from napari_cytosynth.testing.contracts_compute import first_full
from napari_cytosynth.testing.contracts_generator import stacked, tiny_labelled
from napari_cytosynth.testing.fakes import FakeCellGenerator, FakeEmbedder
from napari_cytosynth.worker import FarWorker
from napari_cytosynth.worker.jobs import WorkerJob
from napari_cytosynth.worker.wire import ALIVE, Frame

TOKEN = "a-token-for-tests"
SOON = (0.1,) * 40
CANCEL_SECONDS = 2.0

Certified = Callable[[str], dict[str, str]]


def ask(count: int = 12, **config: float) -> Request:
    options = {"batch": 1, "pause": 0.1, **config}
    return Request("MO", count, 3, built_in("pbc11"), config=options)


@pytest.fixture(scope="module", params=["plain", "tls"])
def worker(
    request: pytest.FixtureRequest, start: Callable[..., str], certified: Certified
) -> dict[str, str]:
    """A worker as by an SSH tunnel, and one behind TLS."""
    made = certified("worker") if request.param == "tls" else {}
    url = start(token=TOKEN, **made)
    return {"url": url, "certificate": made.get("certificate", "")}


@pytest.fixture
def line(worker: dict[str, str]) -> Iterator[BadLine]:
    made = BadLine(int(worker["url"].rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture
def reach(worker: dict[str, str], line: BadLine) -> Iterator[Callable[..., FarWorker]]:
    """Build a backend whose line is the bad one."""
    made: list[FarWorker] = []

    def build(token: str = TOKEN, **options: Any) -> FarWorker:
        url = f"{worker['url'].rpartition(':')[0]}:{line.port}"
        known = {"certificate": worker["certificate"], "pauses": SOON, **options}
        made.append(FarWorker(url, token, **known))
        return made[-1]

    yield build
    for far in made:
        far.close()


@pytest.fixture(scope="module")
def weights() -> Weights:
    return run_to_end(FakeCellGenerator().fit(tiny_labelled(), {}))


def drawn_here(request: Request, weights: Weights) -> list[Any]:
    batches = FakeCellGenerator().generate(request, weights, np.random.default_rng(0))
    return [item for batch in batches for item in batch.items]


def drawn_far(
    far: FarWorker,
    request: Request,
    weights: Weights,
    meanwhile: Callable[[int, Batch], None] = lambda n, b: None,
) -> list[Any]:
    """Draw; ``meanwhile`` is told how many came so far, and each batch."""
    items: list[Any] = []
    for batch in far.generate("fake", request, weights):
        items += batch.items
        meanwhile(len(items), batch)
    return items


def same(ours: list[Any], theirs: list[Any]) -> bool:
    """Tell whether the draws are the same ones, none lost and none doubled."""
    numbers = [[i.provenance.config["draw"] for i in items] for items in (ours, theirs)]
    pixels = np.array_equal(stacked(ours), stacked(theirs))
    return pixels and numbers[0] == numbers[1]


def test_a_line_that_drops_again_and_again(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    cuts: set[int] = set()

    def cut(count: int, batch: Batch) -> None:
        if count in (2, 5, 6) and count not in cuts:
            cuts.add(count)
            line.cut()

    drawn = drawn_far(reach(), ask(), weights, cut)
    assert cuts == {2, 5, 6}
    assert same(drawn, drawn_here(ask(), weights))


def test_a_line_that_is_gone_and_comes_back(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    said: list[str] = []

    def watch(count: int, batch: Batch) -> None:
        if count == 3 and not said:
            line.block()
        if batch.note:
            said.append(batch.note)
        if "; try 3 " in batch.note:
            line.open()

    drawn = drawn_far(reach(), ask(), weights, watch)
    assert any("line lost; try 2" in note for note in said)
    assert same(drawn, drawn_here(ask(), weights))


def test_a_line_that_trickles(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far, request, signs = reach(), ask(3, batch=3, pause=0), list[int]()
    far.hello()
    line.rate = 40_000  # 83 kB of pixels then take two seconds in one frame
    drawn = drawn_far(far, request, weights, lambda n, b: signs.append(n))
    assert same(drawn, drawn_here(request, weights))
    assert signs.count(0) >= 3, "signs of life while one frame comes in"


def test_a_line_that_hangs_is_noticed_and_left(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    said: list[str] = []
    request = ask(600, pause=0)  # more than the line's buffers hold: the job blocks

    def watch(count: int, batch: Batch) -> None:
        if count == 3 and not said:
            line.hang()
        if batch.note:
            said.append(batch.note)
        if "lost" in batch.note:
            line.mend()  # what hung hangs on: its job must make room for the next

    far = reach(silence=4.0)
    drawn = drawn_far(far, request, weights, watch)
    assert any("no word for 3 s" in note for note in said)
    assert any("line lost" in note for note in said)
    assert same(drawn, drawn_here(request, weights))


def test_leaving_a_line_that_hangs_takes_no_time(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far = reach()
    batches = far.generate("fake", ask(600), weights)
    first_full(batches)
    line.hang()
    while "no word" not in next(batches).note:
        pass
    assert seconds(batches.close) < CANCEL_SECONDS
    task = far.embed("fake", np.zeros((4, 96, 96, 3), np.uint8))
    while "no word" not in next(task).note:
        pass
    assert seconds(task.close) < CANCEL_SECONDS
    assert seconds(far.close) < CANCEL_SECONDS
    with pytest.raises(WorkerError, match="was closed"):
        far.hello()


def test_a_job_that_was_left_leaves_no_connection_behind(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    """One made for the word that it was left could outlive a client closed by then."""
    far = reach()
    batches = far.generate("fake", ask(600), weights)
    first_full(batches)
    met = line.met
    batches.close()
    waiting, until = threading.Event(), time.monotonic() + 10
    while line.met == met or connections_to(line.port):
        assert time.monotonic() < until, "a connection stays open"
        waiting.wait(0.05)


def connections_to(port: int) -> int:
    """Count this process's own open connections to a port."""
    known = psutil.Process().net_connections(kind="tcp")
    states = [c.status for c in known if c.raddr and c.raddr.port == port]
    return states.count(psutil.CONN_ESTABLISHED)


def test_leaving_while_a_lost_line_is_tried_takes_no_time(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far = reach(pauses=(60.0,))
    batches = far.generate("fake", ask(600), weights)
    first_full(batches)
    line.block()
    while "in 60 s" not in next(batches).note:
        pass
    threading.Timer(0.1, far.close).start()
    begun = time.monotonic()
    with pytest.raises(WorkerError, match="was closed"):
        list(batches)
    assert time.monotonic() - begun < CANCEL_SECONDS


def seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_a_job_that_was_left_makes_room_for_the_next(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far = reach()
    left = far.generate("fake", ask(600), weights)
    first_full(left)
    left.close()
    assert seconds(lambda: drawn_far(far, ask(2), weights)) < 20


def test_a_line_that_never_comes_back(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far, items = reach(pauses=(0.1, 0.1)), list[Any]()
    batches = far.generate("fake", ask(), weights)
    items += first_full(batches).items
    line.block()
    with pytest.raises(WorkerDiedError, match=r"2 more tries .*made is kept.*goes on"):
        items += [item for batch in batches for item in batch.items]
    assert 1 <= len(items) < 12


def cutting(line: BadLine, *at: int) -> Callable[[Progress], None]:
    """Cut the line once at each of these counts."""
    left = list(at)

    def cut(progress: Progress) -> None:
        if left and progress.done >= left[0]:
            left.pop(0)
            line.cut()

    return cut


def test_crops_survive_too(reach: Callable[..., FarWorker], line: BadLine) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (600, 96, 96, 3), np.uint8)
    vectors = run_to_end(reach().embed("fake", crops), cutting(line, 1, 257))
    np.testing.assert_array_equal(vectors, FakeEmbedder().embed(crops))
    assert line.met >= 3


def test_a_fit_begins_anew(reach: Callable[..., FarWorker], line: BadLine) -> None:
    config, seen = {"steps": 6, "pause": 0.2}, list[int]()
    cut = cutting(line, 2, 4)

    def watch(progress: Progress) -> None:
        seen.append(progress.done)
        cut(progress)

    fitted = run_to_end(reach().fit("fake", tiny_labelled(), config), watch)
    here = run_to_end(FakeCellGenerator().fit(tiny_labelled(), {}))
    assert fitted.sha256 == here.sha256
    assert sum(b < a for a, b in pairwise(seen)) == 2


def test_a_wrong_token_is_not_tried_again(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    far = reach("wrong")
    with pytest.raises(WorkerRefusedError, match="refused the token"):
        far.hello()
    with pytest.raises(WorkerRefusedError, match="refused the token"):
        drawn_far(far, ask(), weights)
    assert line.met <= 2


def test_a_worker_that_never_answered_is_not_waited_for(
    reach: Callable[..., FarWorker], line: BadLine, weights: Weights
) -> None:
    line.block()
    far = reach(pauses=(600.0,))
    with pytest.raises(WorkerError, match=r"orker (answers )?at http"):
        drawn_far(far, ask(), weights)


def test_certificates(start: Callable[..., str], certified: Certified) -> None:
    mine, other = certified("mine"), certified("other")
    url = start(token=TOKEN, **mine)
    for certificate in (other["certificate"], ""):
        doubting = FarWorker(url, TOKEN, certificate)
        with pytest.raises(WorkerUnreachableError, match=r"not to be trusted.*setting"):
            doubting.hello()
        doubting.close()
    by_name = FarWorker(
        url.replace("127.0.0.1", "localhost"), TOKEN, mine["certificate"]
    )
    with pytest.raises(WorkerUnreachableError, match=r"not to be trusted.*Hostname"):
        by_name.hello()
    by_name.close()
    for missing in ("/no/such.pem", mine["key"]):
        with pytest.raises(InputError, match="cannot be used"):
            FarWorker(url, TOKEN, missing).hello()
    right = FarWorker(url, TOKEN, mine["certificate"])
    assert "fake" in right.hello().generators
    right.close()


@pytest.mark.parametrize(
    "url", ["http://gpu.example.org:8765", "http://10.0.0.7:8765", "http://[fe80::1]:1"]
)
def test_plain_http_to_another_machine_is_refused(url: str, weights: Weights) -> None:
    far = FarWorker(url, TOKEN)
    with pytest.raises(InputError, match=r"could read the token.*SSH tunnel"):
        far.hello()
    with pytest.raises(InputError, match="plain HTTP to another machine"):
        drawn_far(far, ask(), weights)


def test_a_worker_that_was_started_again_gets_its_weights_anew(
    start: Callable[..., str], weights: Weights
) -> None:
    """The line stays at its port; behind it another process serves."""
    ports = [int(start(token=TOKEN).rpartition(":")[2]) for _ in range(2)]
    line = BadLine(ports[0])
    far = FarWorker(f"http://127.0.0.1:{line.port}", TOKEN, pauses=SOON)

    def swap(count: int, batch: Batch) -> None:
        if count == 4 and line.port_behind == ports[0]:
            line.port_behind = ports[1]
            line.cut()

    drawn = drawn_far(far, ask(), weights, swap)
    far.close()
    line.close()
    assert same(drawn, drawn_here(ask(), weights))


def test_a_job_that_nobody_reads_gives_its_turn_away() -> None:
    turn, made = threading.Lock(), list[int]()

    def frames() -> Iterator[Frame]:
        while True:
            made.append(1)
            yield ALIVE

    job = WorkerJob(frames, turn, abandoned=0.3)
    job.start()
    assert job.next_frame(10.0) == ALIVE.encode()
    assert turn.acquire(timeout=10.0)
    assert len(made) < 10
    while job.next_frame(0.1) is not None:
        pass
