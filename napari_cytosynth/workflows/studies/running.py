"""Runs the seeds of a study beside each other, and keeps what is finished."""

from __future__ import annotations

import io
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, replace
from multiprocessing.pool import AsyncResult
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from napari_cytosynth.core.errors import StorageError, WorkerDiedError
from napari_cytosynth.core.files import sweep_partials, write_durably
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.deals import deal, judged_classes, rarest_third
from napari_cytosynth.evidence.study import (
    Study,
    hash_of,
    joined_caveats,
    rows_of,
)
from napari_cytosynth.workflows.studies import (
    pictures,
    protocol,
    race,
    ratio,
    regenerate,
)
from napari_cytosynth.workflows.studies.plan import (
    HEADS,
    Material,
    Outcome,
    Plan,
    Run,
    key_of,
)

_SECONDS, _NOT_RUN = "seconds", "not run"
_POLL = 0.5

_RUNS: dict[str, Callable[[Run], Outcome]] = {
    "ratio": ratio.run,
    "protocol": protocol.run,
    "regenerate": regenerate.run,
    "time": race.run,
}
_ABOUT = {"ratio": ratio, "protocol": protocol, "regenerate": regenerate, "time": race}


def study(material: Material, plan: Plan, kept: Path, *, jobs: int = 1) -> Task[Study]:
    """Do all runs of a study that are not finished, and say what came out.

    Parameters
    ----------
    material : Material
        Real labelled cells.
    plan : Plan
        What is done.
    kept : Path
        Folder of finished runs; made if it is not there. A run that is in it is not
        repeated unless cells, options or the program changed.
    jobs : int
        Processes, >= 1.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If there are too few cells.
    StorageError
        If a finished run cannot be kept.
    WorkerDiedError
        If a process ended in the middle of a run.
    """
    data = hash_of(material.cells)
    paths = [
        kept / f"{key_of(plan, material, data, seed)}.npz" for seed in range(plan.seeds)
    ]
    todo = {seed: path for seed, path in enumerate(paths) if not path.is_file()}
    note = f"study of {plan.study}: {plan.seeds - len(todo)} of {plan.seeds} runs kept"
    yield Progress(plan.seeds - len(todo), plan.seeds, note)
    yield from _finished(material, plan, todo, jobs)
    runs = [_read(path) for path in paths]
    about = _ABOUT[plan.study]
    seconds = sum(taken for _, taken in runs)
    rows = rows_of([found.figures for found, _ in runs])
    found = Study(
        plan.study,
        rows,
        (),
        joined_caveats(material.caveats),
        (*_refused([run.not_run for run, _ in runs]), *about.left_out(plan, rows)),
        _told(plan, material),
        data,
        seconds,
    )
    return replace(found, said=about.told(found))


def _told(plan: Plan, material: Material) -> dict[str, Any]:
    """Return the options of a study and what it was done on, for its document."""
    classes = judged_classes(material.cells, plan.shots)
    held = {code: material.cells.count(code) for code in sorted(classes)}
    cut = list(rarest_third(classes))
    return asdict(plan) | {"embedder": material.embedder, "cells": held, "cut": cut}


def _refused(runs: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Name each row that some run does without, and the runs."""
    lacking: dict[str, list[int]] = defaultdict(list)
    for number, told in enumerate(runs):
        for reason in told:
            lacking[reason].append(number)
    return tuple(
        reason
        if len(numbers) == len(runs)
        else f"{reason} (runs {', '.join(map(str, numbers))} of 0 to {len(runs) - 1})"
        for reason, numbers in lacking.items()
    )


def _finished(
    material: Material, plan: Plan, todo: dict[int, Path], jobs: int
) -> Iterator[Progress]:
    """Do the runs in processes of their own; closing this ends them."""
    if not todo:
        return
    others = set(multiprocessing.active_children())
    try:
        yield from _pooled(material, plan, todo, min(jobs, len(todo)), others)
    finally:
        # A process that is ended while it writes cannot clear up behind itself.
        for path in todo.values():
            sweep_partials(path, older=0)


def _pooled(
    material: Material,
    plan: Plan,
    todo: Mapping[int, Path],
    jobs: int,
    others: Set[BaseProcess],
) -> Iterator[Progress]:
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        begun = set(multiprocessing.active_children()) - others
        waiting: dict[int, AsyncResult[None]] = {
            seed: pool.apply_async(one_run, (material, plan, seed, path))
            for seed, path in todo.items()
        }
        while waiting:
            next(iter(waiting.values())).wait(_POLL)
            for seed in [s for s, answer in waiting.items() if answer.ready()]:
                waiting.pop(seed).get()
            _demand_alive(begun)
            done = plan.seeds - len(waiting)
            yield Progress(done, plan.seeds, f"study of {plan.study}: {done} runs done")


def _demand_alive(processes: Iterable[BaseProcess]) -> None:
    """Raise if a process ended: its pool would wait for its run for ever."""
    for process in processes:
        if process.exitcode is not None:
            raise WorkerDiedError(
                "A process of the study ended in the middle of a run (exit status "
                f"{process.exitcode}). Finished runs are kept. The machine may be out "
                "of memory: close other programs and try again."
            )


def one_run(material: Material, plan: Plan, seed: int, path: Path) -> None:
    """Do one run and keep it.

    Parameters
    ----------
    path : Path
        Where; it is there whole, or not at all.
    """
    from napari_cytosynth.worker.inline import InlineCompute

    begun = monotonic()
    run = pictures.run if plan.head != HEADS[0] else _RUNS[plan.study]
    drawn = deal(material.cells, plan.shots, seed)
    found = run(Run(material, plan, drawn, InlineCompute()))
    named = {"\x1f".join(key): values for key, values in found.figures.items()}
    named[_SECONDS] = np.array([monotonic() - begun])
    reasons = np.array(found.not_run, np.str_)
    data = io.BytesIO()
    np.savez_compressed(data, **{**named, _NOT_RUN: reasons})  # type: ignore[arg-type]
    try:
        write_durably(path, data.getvalue())
    except OSError as error:
        raise StorageError(
            f"A finished run of the study could not be kept at '{path}': {error}. Give "
            "a folder that can be written with --keep."
        ) from error


def _read(path: Path) -> tuple[Outcome, float]:
    """Return what a run found, and its seconds."""
    with np.load(path, allow_pickle=False) as held:
        figures = {}
        for name in held.files:
            if name in (_SECONDS, _NOT_RUN):
                continue
            case, setting, metric, code = name.split("\x1f")
            figures[case, setting, metric, code] = held[name]
        reasons = tuple(held[_NOT_RUN].tolist())
        return Outcome(figures, reasons), float(held[_SECONDS][0])
