"""What the verbs print: the result on stdout, all the rest on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from napari_cytosynth.core import tasks
from napari_cytosynth.core.smear import Calibration

T = TypeVar("T")

Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout, for machines.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Makes chance repeatable.")]


def show(document: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print the result: the document for machines, or the lines for a person."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def complain(reason: str, *, kind: str = "", as_json: bool = False) -> None:
    """Print a one-line reason on stderr, and for machines as JSON on stdout."""
    sys.stderr.write(f"cytosynth: {' '.join(reason.split())}\n")
    if as_json:
        document = {"error": {"type": kind, "message": reason}}
        sys.stdout.write(json.dumps(document) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a plain table as lines."""
    grid = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        # As text: words in brackets would be taken for markup, and left out.
        grid.add_row(*(Text("" if v is None else str(v)) for v in row))
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    return [line.rstrip() for line in captured.get().splitlines()]


def plain(value: object) -> str:
    """Return a value as a person writes it: ``"BA 3, EO 12"``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``"1 cell"``, ``"2 cells"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def scale_row(calibration: Calibration | None) -> dict[str, Any]:
    """Return a pixel size as keys of a document: for machines, and in words."""
    if calibration is None:
        return {
            "mpp": None,
            "mpp_source": "",
            "confidence": "",
            "words": "not measured yet",
        }
    return {
        "mpp": calibration.mpp,
        "mpp_source": str(calibration.mpp_source),
        "confidence": str(calibration.trust),
        "words": calibration.words,
    }


FAILED = 1
"""Exit code of a verb that could not do all that it was asked."""

EVERY = 5.0
"""Seconds between two lines of progress, where stderr is no terminal."""


def drive(
    task: tasks.Task[T],
    title: str,
    on_progress: Callable[[tasks.Progress], None] | None = None,
) -> T:
    """Run a task to its end: with a bar on a terminal, else now and then a line."""
    console = Console(stderr=True)
    lines = None if console.is_terminal else _Lines(title)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        line = bar.add_task(title, total=None)

        def step(progress: tasks.Progress) -> None:
            note = f"{title}: {progress.note}" if progress.note else title
            total = progress.total or None
            bar.update(line, completed=progress.done, total=total, description=note)
            if lines is not None:
                lines.step(progress)
            if on_progress is not None:
                on_progress(progress)

        return tasks.run_to_end(task, step)


class Unread:
    """What could not be read while the rest went on: said at once, and at the end."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def __call__(self, path: Path | str, error: Exception) -> None:
        """Say it on stderr, and keep it for the document."""
        complain(str(error))
        kind = type(error).__name__
        self.rows.append({"file": str(path), "type": kind, "message": str(error)})

    def failure(self) -> dict[str, Any]:
        """Return the key that tells machines of the failure."""
        said = f"{len(self.rows)} could not be read; see errors."
        return {"error": {"type": self.rows[-1]["type"], "message": said}}


class _Lines:
    """Progress for a log file: one plain line every few seconds."""

    def __init__(self, title: str) -> None:
        self._title, self._due = title, time.monotonic() + EVERY

    def step(self, progress: tasks.Progress) -> None:
        """Write a line on stderr if the last one, or the start, was long enough ago."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        note = f": {progress.note}" if progress.note else ""
        sys.stderr.write(f"{self._title}{count}{note}\n")
        sys.stderr.flush()
