"""Kills a process that labels, detects and generates: nothing said may be lost.

A child process opens a project and does all of these at once, in threads, as the viewer
does. It says on its standard output what the project has acknowledged, and is killed
(``SIGKILL``) at a random moment, now and then while it is still opening. Then the
project is opened here and held against what was said. By hand:

    python -m napari_cytosynth.bench.crash --rounds 100
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_cytosynth.core.ids import CellId, EventId, SmearId
from napari_cytosynth.core.journal import Author, EventKind
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store.project import CellProject, create_project, open_project
from napari_cytosynth.testing.tiny import (
    tiny_crops,
    tiny_detections,
    tiny_project,
    tiny_synthetic,
)

EMBEDDER = "crash:1"
_DIM = 16
_MODULE = "napari_cytosynth.bench.crash"
_LONGEST = 0.8
_START_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """One kill and what was found after it.

    Parameters
    ----------
    round : int
        From 0.
    killed_after_ms : float
        After the child had opened the project; negative: while it was opening.
    labels, cells, synthetic, embeddings, models, jobs : int
        What the child had acknowledged in this round.
    lost : int
        Acknowledged things that are gone or differ. Must be 0.
    integrity : str
        What SQLite's ``integrity_check`` says. Must be ``"ok"``.
    litter : int
        Half-written files that opening left. Must be 0.
    reopen_ms : float
        Time to open the project again.
    """

    round: int
    killed_after_ms: float
    labels: int
    cells: int
    synthetic: int
    embeddings: int
    models: int
    jobs: int
    lost: int
    integrity: str
    litter: int
    reopen_ms: float

    @property
    def sound(self) -> bool:
        """True if nothing was lost or damaged."""
        return self.lost == 0 and self.integrity == "ok" and self.litter == 0


def run_rounds(rounds: int, seed: int, *, folder: Path | None = None) -> list[Round]:
    """Kill a working process again and again, on one growing project.

    Parameters
    ----------
    rounds : int
        How often, >= 1.
    seed : int
        For the moments at which it is killed; the operating system adds its own chance.
    folder : Path or None
        Where the project is made; None takes a temporary folder.

    Returns
    -------
    list of Round
        One a kill.
    """
    with tempfile.TemporaryDirectory() as own:
        path = (folder or Path(own)) / "crash.cytosynth"
        with create_project(path, built_in("pbc11")) as project:
            tiny_project(project, smears=2, cells_per_smear=40, seed=seed)
        rng = np.random.default_rng(seed)
        said: list[list[str]] = []
        return [_one_round(path, number, rng, said) for number in range(rounds)]


def _one_round(
    path: Path, number: int, rng: np.random.Generator, said: list[list[str]]
) -> Round:
    while_opening = number % 8 == 7
    delay = float(rng.uniform(0.3, 1.2) if while_opening else rng.uniform(0, _LONGEST))
    heard = _kill_child(path, int(rng.integers(1 << 31)), delay, while_opening)
    said.extend(heard)
    began = time.perf_counter()
    with open_project(path) as project:
        took = (time.perf_counter() - began) * 1e3
        # Everything ever acknowledged is held against the project, not this round only.
        found = _Found(project, {int(c.id): c for c in project.synthetic()})
        lost = sum(not _CHECKS[words[0]](found, words[1:]) for words in said)
    count = {what: sum(w[0] == what for w in heard) for what in _CHECKS}
    return Round(
        number,
        -delay * 1e3 if while_opening else delay * 1e3,
        **count,
        lost=lost,
        integrity=_integrity(path),
        litter=sum(1 for _ in path.rglob("*.partial")),
        reopen_ms=took,
    )


def _kill_child(
    path: Path, seed: int, delay: float, while_opening: bool
) -> list[list[str]]:
    """Run a child, kill it, and return the words of every whole line that it said."""
    command = [sys.executable, "-m", _MODULE, "--child", str(path), str(seed)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    chunks: list[bytes] = []
    ready = threading.Event()

    def listen() -> None:
        stream = child.stdout
        while stream is not None and (data := os.read(stream.fileno(), 1 << 16)):
            chunks.append(data)
            ready.set()
        ready.set()  # it ended by itself

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        if not while_opening and not ready.wait(_START_LIMIT):
            raise TimeoutError(f"The child did not open '{path}' in {_START_LIMIT} s.")
        time.sleep(delay)
        died = child.poll()
    finally:
        child.kill()
        child.wait()
        listener.join()
        if child.stdout is not None:
            child.stdout.close()
    if died is not None:
        raise RuntimeError(f"The child ended by itself with status {died}.")
    whole = b"".join(chunks).decode().rpartition("\n")[0]
    lines = [line.split() for line in whole.splitlines()]
    return [words for words in lines if words and words[0] in _CHECKS]


def _integrity(path: Path) -> str:
    with closing(sqlite3.connect(path / "project.sqlite")) as database:
        return str(database.execute("PRAGMA integrity_check").fetchone()[0])


@dataclass(frozen=True, slots=True)
class _Found:
    project: CellProject
    synthetic: dict[int, SyntheticCell]


def _label_stands(found: _Found, words: list[str]) -> bool:
    project = found.project
    number, cell, code = words
    if int(number) > project.journal.last_id:
        return False
    event = project.journal.event(EventId(int(number)))
    same = event.cell == int(cell) and event.data.get("code") == code
    return same and event.kind is EventKind.LABEL


def _cells_stand(found: _Found, words: list[str]) -> bool:
    project = found.project
    first, last, check = (int(w) for w in words)
    table = project.cells()
    if last not in table:
        return False
    outlined = len(project.outline(CellId(last))) > 2
    return outlined and _sum(project.crops(np.arange(first, last + 1))) == check


def _synthetic_stand(found: _Found, words: list[str]) -> bool:
    number, check = (int(w) for w in words)
    cell = found.synthetic.get(number)
    return cell is not None and _sum(cell.pixels) == check


def _embeddings_stand(found: _Found, words: list[str]) -> bool:
    project = found.project
    first, last = int(words[0]), int(words[1])
    vectors = project.embeddings(EMBEDDER, np.arange(first, last + 1))
    return bool(np.isfinite(vectors).all()) and vectors.shape[1] == _DIM


def _model_stands(found: _Found, words: list[str]) -> bool:
    project = found.project
    # A newer one may have replaced it: then the newer one must be whole.
    weights = project.model("head")
    return weights is not None and int(weights.meta["turn"]) >= int(words[0])


def _job_stands(found: _Found, words: list[str]) -> bool:
    project = found.project
    jobs = [j for j in project.jobs() if j.key == words[0]]
    return len(jobs) == 1 and int(jobs[0].data["done"]) >= int(words[1])


_CHECKS: dict[str, Callable[[_Found, list[str]], bool]] = {
    "labels": _label_stands,
    "cells": _cells_stand,
    "synthetic": _synthetic_stand,
    "embeddings": _embeddings_stand,
    "models": _model_stands,
    "jobs": _job_stands,
}


def _sum(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def _say(*words: object) -> None:
    """Write one line at once: what was said before a kill has left the process."""
    os.write(sys.stdout.fileno(), (" ".join(str(w) for w in words) + "\n").encode())


def work(path: Path, seed: int) -> None:
    """Label, detect, embed and generate until killed. The child's side."""
    project = open_project(path)
    _say("ready")
    for turn, doing in enumerate((_detect, _generate, _embed, _train)):
        rng = np.random.default_rng((seed, turn))
        threading.Thread(target=_for_ever, args=(doing, project, rng)).start()
    _for_ever(_label, project, np.random.default_rng(seed))


def _for_ever(
    doing: Callable[[CellProject, np.random.Generator], Iterator[None]],
    project: CellProject,
    rng: np.random.Generator,
) -> None:
    for _ in doing(project, rng):
        pass


def _label(project: CellProject, rng: np.random.Generator) -> Iterator[None]:
    author = Author("crash")
    while True:
        cells = project.cells().ids
        cell = CellId(int(rng.choice(cells)))
        code = str(rng.choice(project.taxonomy.codes))
        (event,) = project.record(author.label(cell, code))
        _say("labels", event.id, cell, code)
        if rng.random() < 0.2:
            project.record(author.undo(event.id))
        yield


def _detect(project: CellProject, rng: np.random.Generator) -> Iterator[None]:
    done = 0
    while True:
        n = int(rng.integers(1, 12))
        codes = [str(c) for c in rng.choice(project.taxonomy.cell_codes, n)]
        crops = tiny_crops(project.taxonomy, codes, rng)
        smear = SmearId(int(rng.integers(1, 3)))
        ids = project.add_cells(smear, tiny_detections(n, rng), crops)
        _say("cells", ids[0], ids[-1], _sum(crops))
        done += 1
        key = f"detect:{smear}:{os.getpid()}"
        project.put_job(Job(key, JobState.RUNNING, {"done": done}))
        _say("jobs", key, done)
        yield


def _generate(project: CellProject, rng: np.random.Generator) -> Iterator[None]:
    while True:
        code = str(rng.choice(project.taxonomy.cell_codes))
        seed = int(rng.integers(1 << 31))
        for cell in project.add_synthetic(
            tiny_synthetic(project.taxonomy, code, 2, seed=seed)
        ):
            _say("synthetic", cell.id, _sum(cell.pixels))
        yield


def _embed(project: CellProject, rng: np.random.Generator) -> Iterator[None]:
    while True:
        ids = project.cells().ids
        start = int(rng.integers(len(ids)))
        part = ids[start : start + 64]
        vectors = rng.normal(size=(len(part), _DIM)).astype(np.float32)
        project.put_embeddings(EMBEDDER, part, vectors)
        _say("embeddings", part[0], part[-1])
        yield


def _train(project: CellProject, rng: np.random.Generator) -> Iterator[None]:
    known = project.model("head")
    turn = int(known.meta["turn"]) if known is not None else 0
    while True:
        turn += 1
        tensors = {"weights": rng.normal(size=(64, 11)).astype(np.float32)}
        project.put_model("head", Weights(tensors, {"turn": turn}))
        _say("models", turn)
        yield


def main() -> int:
    """Run rounds and write them as JSON lines; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("PROJECT", "SEED"))
    options = parser.parse_args()
    if options.child:
        work(Path(options.child[0]), int(options.child[1]))
    rounds = run_rounds(options.rounds, options.seed)
    for row in rounds:
        sys.stdout.write(json.dumps(asdict(row)) + "\n")
    return 0 if all(row.sound for row in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
