"""A blinded reader test: real and synthetic cells mixed, each called one or the other.

Real cells and synthetic ones are of the same classes in the same numbers, at the same
scale, and pass through the same JPEG compression; their order is by chance. Every call
is committed when it is given, so a test can be broken off and gone on with, in another
session too. What was right is told when all cells were called, and not before.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_UM, CellTable
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.events import REAL, SYNTHETIC
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event, now
from napari_cytosynth.core.project import Job, JobState, Project
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.provenance import Provenance, Status
from napari_cytosynth.core.smear import FALLBACK_MPP
from napari_cytosynth.evidence.reader import ReaderResult, Shown, score
from napari_cytosynth.workflows.quality import flaws_by_cell
from napari_cytosynth.workflows.splitting import held_out_cells

PREFIX = "reader:"
"""Begins the key of a test among the project's jobs."""

CELLS = 100
"""Cells of a test, half of them synthetic, where there are as many."""

LEAST = 10
"""Fewer cells are no test."""

QUALITY = 90
"""JPEG quality through which both kinds pass, colours not thinned out."""


@dataclass(frozen=True, slots=True)
class ReaderTest:
    """A test that was dealt.

    Parameters
    ----------
    key : str
        Names it among the project's jobs and in its calls.
    reader : str
        Who takes it.
    cells : tuple of Shown
        In the order in which they are shown.
    """

    key: str
    reader: str
    cells: tuple[Shown, ...]


def deal(
    project: Project, reader: str, rng: np.random.Generator, *, cells: int = CELLS
) -> ReaderTest:
    """Draw a test and keep it; one of this reader that was open is given up.

    Synthetic cells are drawn from all that passed the gate, whatever a reader said of
    them, so that a test tells of the generator and not of a choice. Real cells are
    labelled ones of the same classes whose picture has no flaw and no blank rim, as it
    has beyond the edge of a smear; held-out ones first.

    Parameters
    ----------
    project : Project
        Holds the cells.
    reader : str
        Who will take it.
    rng : numpy.random.Generator
        Decides which cells, and their order.
    cells : int
        How many at most; half of them real.

    Raises
    ------
    InputError
        If there are not five cells of each kind in shared classes.
    """
    made, real = _painted(project, rng), _real(project, rng)
    pairs = _pairs(made, real, cells // 2)
    if 2 * len(pairs) < LEAST:
        raise InputError(_too_few(len(pairs)))
    mixed = [cell for pair in pairs for cell in pair]
    order = rng.permutation(len(mixed))
    number = 1 + sum(job.key.startswith(PREFIX) for job in project.jobs())
    test = ReaderTest(f"{PREFIX}{number}", reader, tuple(mixed[i] for i in order))
    give_up(project, reader)
    _keep(project, test, JobState.RUNNING)
    return test


def offer(project: Project) -> tuple[int, str]:
    """Return how many cells a test can have, and why there can be none.

    Returns
    -------
    int, str
        Cells, half of them real; and where they are fewer than :data:`LEAST`, what is
        missing, with numbers. Empty: nothing is.
    """
    rng = np.random.default_rng(0)  # only counted: nothing of it is shown
    made, real = _painted(project, rng), _real(project, rng)
    held = sum(map(len, made.values())), sum(len(real.get(c, ())) for c in made)
    cells = 2 * len(_pairs(made, real, held[0]))
    if cells >= LEAST:
        return cells, ""
    return cells, (
        f"{_too_few(cells // 2)} In all there are {held[0]} such synthetic cells, and "
        f"{held[1]} labelled real ones of their classes whose picture can be shown."
    )


def _too_few(pairs: int) -> str:
    return (
        f"A blinded test needs {LEAST // 2} synthetic cells that passed the gate and "
        f"as many labelled real ones of the same classes; of such pairs there are "
        f"{pairs}. Fill a class, or label more of it."
    )


def _painted(
    project: Project, rng: np.random.Generator
) -> dict[str, list[tuple[Shown, int]]]:
    """Return by class, in an order by chance, each with the real cell it varies."""
    found: dict[str, list[tuple[Shown, int]]] = {}
    cells = [c for c in project.synthetic() if c.status is not Status.DROPPED]
    for row in rng.permutation(len(cells)).tolist():
        cell = cells[row]
        shown = Shown(True, int(cell.id), cell.code, strategy_of(cell.provenance))
        parent = cell.provenance.config.get("parent")
        varied = parent if isinstance(parent, int) else 0
        found.setdefault(cell.code, []).append((shown, varied))
    return found


def strategy_of(made: Provenance) -> str:
    """Return how a cell was made: ``"latent, variation"``."""
    strategy = made.config.get("strategy")
    return f"{made.generator}, {strategy}" if strategy else made.generator


def _real(project: Project, rng: np.random.Generator) -> dict[str, list[int]]:
    """Return sound labelled cells by class: held-out ones first, else by chance."""
    table, labels = project.cells(), project.journal.labels()
    sound = table.ids[(flaws_by_cell(project, table) == 0) & _inside(project, table)]
    mixed = sound[rng.permutation(len(sound))]
    first = np.isin(mixed, held_out_cells(project))
    found: dict[str, list[int]] = {}
    for number in np.concatenate([mixed[first], mixed[~first]]).tolist():
        label = labels.get(CellId(number))
        if label is not None and not project.taxonomy[label.code].abstain:
            found.setdefault(label.code, []).append(number)
    return found


def _inside(project: Project, table: CellTable) -> npt.NDArray[np.bool_]:
    """Tell whose picture lies within its smear: a blank rim betrays a real cell."""
    inside = np.zeros(len(table.ids), bool)
    for smear in project.smears():
        known = project.calibration(smear.id)
        mpp = smear.mpp or FALLBACK_MPP if known is None else known.mpp
        here = table.smears == smear.id
        boxes = table.boxes[here].astype(np.float64)
        middle, half = boxes[:, :2] + boxes[:, 2:] / 2, CROP_UM / mpp / 2
        size = np.array([smear.width, smear.height])
        inside[here] = ((middle >= half) & (middle <= size - half)).all(axis=1)
    return inside


def _pairs(
    made: dict[str, list[tuple[Shown, int]]], real: dict[str, list[int]], most: int
) -> list[tuple[Shown, Shown]]:
    """Pair a synthetic and a real cell of a class, classes in turn.

    A real cell does not stand beside its own variation: the two would betray it.
    """
    pairs: list[tuple[Shown, Shown]] = []
    codes = sorted(made.keys() & real.keys())
    varied: set[int] = set()
    taken: set[int] = set()
    while codes and len(pairs) < most:
        for code in codes[: most - len(pairs)]:
            shown, parent = made[code].pop()
            free = (n for n in real[code] if n != parent and n not in varied)
            partner = next(free, None)
            if partner is not None and parent not in taken:
                varied.add(parent)
                taken.add(partner)
                real[code].remove(partner)
                pairs.append((shown, Shown(False, partner, code)))
        codes = [code for code in codes if made[code] and real[code]]
    return pairs


def open_test(project: Project, reader: str) -> ReaderTest | None:
    """Return the test that this reader broke off, or None."""
    for job in reversed(project.jobs(JobState.RUNNING)):
        if job.key.startswith(PREFIX) and job.data["reader"] == reader:
            return _read(job)
    return None


def give_up(project: Project, reader: str) -> None:
    """End a reader's open test without a result; its calls stay in the journal."""
    test = open_test(project, reader)
    if test is not None:
        _keep(project, test, JobState.CANCELLED)


def pictures_of(project: Project, test: ReaderTest) -> Crops:
    """Return uint8[n, 96, 96, 3]: the cells as they are shown, compressed alike."""
    wanted = {shown.number for shown in test.cells if shown.synthetic}
    made = {int(c.id): c.pixels for c in project.synthetic() if c.id in wanted}
    numbers = [shown.number for shown in test.cells if not shown.synthetic]
    real = dict(zip(numbers, project.crops(numbers), strict=True))
    return np.stack(
        [compressed((made if s.synthetic else real)[s.number]) for s in test.cells]
    )


def compressed(pixels: Crops) -> Crops:
    """Return uint8[h, w, 3] as it looks after a JPEG, whatever its source was."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=QUALITY, subsampling=0)
    with Image.open(data) as picture:
        return np.asarray(picture.convert("RGB"), np.uint8)


def call(
    project: Project, test: ReaderTest, place: int, synthetic: bool, author: Author
) -> Event:
    """Commit what the reader says of a cell; a later call of it replaces this one.

    Parameters
    ----------
    project : Project
        Keeps the journal.
    test : ReaderTest
        Open.
    place : int
        Which of its cells, from 0.
    synthetic : bool
        What it is called.
    author : Author
        The reader.

    Raises
    ------
    InputError
        If another reader's test is answered.
    """
    if author.annotator != test.reader:
        raise InputError(
            f"This test was dealt to {test.reader}, and {author.annotator} answered. "
            "A test is read by one person; begin one of your own."
        )
    shown = test.cells[place]
    said = SYNTHETIC if synthetic else REAL
    return project.record(author.call(test.key, _key(shown), said))[0]


def calls_of(project: Project, test: ReaderTest) -> dict[int, bool]:
    """Return by place whether the cell was called synthetic, for those called."""
    places = {_key(shown): place for place, shown in enumerate(test.cells)}
    found = {}
    for event in project.journal.calls(test.key):
        kind, number = event.data["shown"]
        found[places[kind, int(number)]] = event.data["said"] == SYNTHETIC
    return found


def finish(project: Project, test: ReaderTest) -> ReaderResult:
    """End a test of which every cell was called, and say how the reader did.

    Raises
    ------
    InputError
        If a cell was not called yet: nothing is told before the end.
    """
    called = calls_of(project, test)
    if len(called) < len(test.cells):
        raise InputError(
            f"{len(test.cells) - len(called)} of {len(test.cells)} cells were not "
            "called yet. What was right is told at the end of a test; go on with it."
        )
    _keep(project, test, JobState.DONE)
    return _scored(test, called, now())


def results(project: Project) -> tuple[ReaderResult, ...]:
    """Return what the finished tests say, oldest first."""
    done = [j for j in project.jobs(JobState.DONE) if j.key.startswith(PREFIX)]
    return tuple(
        _scored(test, calls_of(project, test), str(job.data["time"]))
        for job in done
        for test in (_read(job),)
    )


def read_as(project: Project) -> dict[int, tuple[int, int]]:
    """Return, by synthetic cell, how often it was called synthetic, of how often.

    Finished tests only: before, it would tell what is to be found out.
    """
    found: dict[int, tuple[int, int]] = {}
    for job in project.jobs(JobState.DONE):
        if job.key.startswith(PREFIX):
            test = _read(job)
            for place, said in calls_of(project, test).items():
                shown = test.cells[place]
                if shown.synthetic:
                    hits, n = found.get(shown.number, (0, 0))
                    found[shown.number] = (hits + said, n + 1)
    return found


def _scored(test: ReaderTest, called: dict[int, bool], time: str) -> ReaderResult:
    said = [called[place] for place in range(len(test.cells))]
    return score(test.cells, said, (test.key, test.reader, time))


def _key(shown: Shown) -> tuple[str, int]:
    return (SYNTHETIC if shown.synthetic else REAL), shown.number


def _keep(project: Project, test: ReaderTest, state: JobState) -> None:
    cells = [[*_key(c), c.code, c.how] for c in test.cells]
    data = {"reader": test.reader, "cells": cells, "quality": QUALITY, "time": now()}
    project.put_job(Job(test.key, state, data))


def _read(job: Job) -> ReaderTest:
    cells: Sequence[Any] = job.data["cells"]
    shown = (
        Shown(kind == SYNTHETIC, int(n), str(code), str(how))
        for kind, n, code, how in cells
    )
    return ReaderTest(job.key, str(job.data["reader"]), tuple(shown))
