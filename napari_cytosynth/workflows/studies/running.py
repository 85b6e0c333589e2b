"""Runs the seeds of a study beside each other, and keeps what is finished."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from multiprocessing.pool import AsyncResult
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic

import numpy as np

from napari_cytosynth.core.errors import StorageError, WorkerDiedError
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.deals import deal
from napari_cytosynth.evidence.study import (
    Floats,
    Key,
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
from napari_cytosynth.workflows.studies.plan import HEADS, Material, Plan, Run, key_of

_SECONDS: Key = ("seconds", "", "", "")
_POLL = 0.5

_RUNS: dict[str, Callable[[Run], dict[Key, Floats]]] = {
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
    seconds = sum(float(run[_SECONDS][0]) for run in runs)
    rows = rows_of([{k: v for k, v in run.items() if k != _SECONDS} for run in runs])
    found = Study(
        plan.study,
        rows,
        (),
        joined_caveats(material.caveats),
        _ABOUT[plan.study].left_out(plan, rows),
        asdict(plan),
        data,
        seconds,
    )
    return replace(found, said=_ABOUT[plan.study].told(found))


def _finished(
    material: Material, plan: Plan, todo: dict[int, Path], jobs: int
) -> Iterator[Progress]:
    """Do the runs in processes of their own; closing this ends them."""
    if not todo:
        return
    others = set(multiprocessing.active_children())
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(todo))) as pool:
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
    found[_SECONDS] = np.array([monotonic() - begun])
    named = {"\x1f".join(key): values for key, values in found.items()}
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            np.savez_compressed(stream, **named)  # type: ignore[arg-type]
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(
            f"A finished run of the study could not be kept at '{path}': {error}. Give "
            "a folder that can be written with --keep."
        ) from error


def _read(path: Path) -> dict[Key, Floats]:
    with np.load(path, allow_pickle=False) as held:
        found: dict[Key, Floats] = {}
        for name in held.files:
            case, ratio_, metric, code = name.split("\x1f")
            found[case, ratio_, metric, code] = held[name]
        return found
