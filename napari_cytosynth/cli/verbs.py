"""Entry point of ``cytosynth``: finds the verb, turns every outcome into an exit code.

0 done, 1 failed with a one-line reason and a way out, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import functools
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

import napari_cytosynth
from napari_cytosynth.cli.output import FAILED, complain
from napari_cytosynth.core.errors import Cancelled, CytoSynthError

DONE, INTERRUPTED = 0, 130

VERBS = {
    "demo": "Run the whole job on the sample; open the window, or write pictures.",
    "new": "Make an empty project.",
    "add": "Add smears to a project and find their cells.",
    "info": "Say what a project holds; back it up.",
    "label": "Label a cell, or undo and redo.",
    "suggest": "List the cells most worth a label.",
    "progress": "Say how good the model is, what more labels bring, which it doubts.",
    "train": "Fit the classifier head on the labelled cells.",
    "synthesize": "Fill a rare class with synthetic cells, checked by the gate.",
    "review": "List, accept or reject synthetic cells.",
    "evaluate": "Measure on real audit cells whether synthesis helped.",
    "import": "Read labels from VOC, COCO, YOLO or CSV.",
    "export": "Write labels as VOC, COCO, YOLO or CSV; or generators.",
    "detect": "Find cells in pictures, without a project.",
    "embed": "Turn a folder of cell pictures into vectors.",
    "bench": "Measure this program on this machine.",
    "worker": "Serve the compute backend to a viewer.",
    "doctor": "Check that everything that is needed is there.",
    "open": "Open a project in napari.",
}
"""Every verb with its sentence, in the order of the job."""


class Verbs(TyperGroup):
    """Imports a verb's file only when that verb is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of the job."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a verb, or None."""
        if cmd_name not in VERBS:
            return None
        try:
            module = import_module(f"napari_cytosynth.cli.{_module_of(cmd_name)}")
        except KeyboardInterrupt:
            complain("Interrupted before it began.")
            raise typer.Exit(INTERRUPTED) from None
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name=cmd_name, help=module.__doc__)(_guarded(module.run))
        return typer.main.get_command(app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs without importing their files."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cytosynth {napari_cytosynth.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show it."
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log more to stderr."),
) -> None:
    """Label the smear cells that matter; fill in the rare ones. Research use only."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    logging.getLogger("napari_cytosynth").setLevel(level)


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return the exit code.

    Parameters
    ----------
    arguments : sequence of str
        Command line without the program's name.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        app(list(arguments), prog_name="cytosynth")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE
    return DONE


def _guarded(run: Callable[..., None]) -> Callable[..., None]:
    """Turn what a verb raises into a sentence and an exit code."""

    @functools.wraps(run)
    def guarded(**options: Any) -> None:
        as_json = bool(options.get("as_json"))
        try:
            run(**options)
        except (KeyboardInterrupt, Cancelled):
            complain("Interrupted. What was acknowledged is saved.")
            raise typer.Exit(INTERRUPTED) from None
        except (CytoSynthError, OSError) as error:
            complain(_sentence(error), kind=type(error).__name__, as_json=as_json)
            raise typer.Exit(FAILED) from error

    return guarded


def _sentence(error: Exception) -> str:
    """Return our own sentence; for what the system alone refused, one of that kind."""
    if isinstance(error, CytoSynthError) or not isinstance(error, OSError):
        return str(error)
    if error.filename is None or not error.strerror:
        return str(error)
    return (
        f"'{error.filename}' cannot be used ({error.strerror}). Check that it is "
        "there, that its disk is not full, and that you may write to it."
    )


def _module_of(verb: str) -> str:
    """``import`` cannot be a module's name."""
    return {"import": "import_", "open": "open_"}.get(verb, verb)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
