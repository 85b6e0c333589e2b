"""What the verbs print: the result on stdout, all the rest on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
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

from napari_cytosynth.core import tasks

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
        grid.add_row(*("" if v is None else str(v) for v in row))
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    return [line.rstrip() for line in captured.get().splitlines()]


def drive(
    task: tasks.Task[T],
    title: str,
    on_progress: Callable[[tasks.Progress], None] | None = None,
) -> T:
    """Run a task to its end with a progress bar, where stderr is a terminal."""
    console = Console(stderr=True)
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
            if on_progress is not None:
                on_progress(progress)

        return tasks.run_to_end(task, step)
