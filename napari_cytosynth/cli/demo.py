"""Run the whole job on the sample smear; open the window, or write pictures.

Example: cytosynth demo --out demo/
"""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli import display
from napari_cytosynth.cli.output import Json, Seed, complain, drive, show
from napari_cytosynth.core.errors import CytoSynthError, InputError
from napari_cytosynth.core.taxonomies import built_in

if TYPE_CHECKING:
    from napari_cytosynth.workflows.demo import DemoResult

FOLDER = "cytosynth-demo"
"""Where the demo goes if nothing else was said."""

PICTURES_SECONDS = 300
"""After this the window is taken to hang, and the demo goes on without pictures."""


def run(
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for project and report; cytosynth-demo, or that with the next "
            "free number."
        ),
    ] = None,
    window: Annotated[
        bool, typer.Option(help="Open napari, or picture it where there is no display.")
    ] = True,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Do the job; then show it."""
    out = free_folder() if out is None else out
    project = out / "demo.cytosynth"
    if project.exists():
        raise InputError(
            f"{project} is there already, and the demo never touches an old project. "
            f"Remove it, open it (cytosynth open {project}), or give another --out."
        )
    result = _do_the_job(project, out, seed)
    pictures = _picture(project, out) if window and not display.has_display() else []
    show(_describe(project, out, result, pictures), _lines(out, result), as_json)
    if window and display.has_display():
        display.demand_display()
        from napari_cytosynth._gui.launch import open_window

        open_window(project, annotator="demo")


def free_folder() -> Path:
    """Return a folder of this place that is not there: a demo can be run again."""
    names = (f"{FOLDER}-{n}" if n > 1 else FOLDER for n in count(1))
    return next(Path(name) for name in names if not Path(name).exists())


def _do_the_job(path: Path, out: Path, seed: int) -> DemoResult:
    from napari_cytosynth.evidence.report import write_report
    from napari_cytosynth.store import create_project
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.demo import run_demo

    out.mkdir(parents=True, exist_ok=True)
    project = create_project(path, built_in("marrow21"))
    try:
        task = run_demo(project, InlineCompute(), out, seed=seed)
        result = drive(task, "demo")
    finally:
        project.close()
    write_report(result.evidence, out / "report.html")
    return result


def _picture(project: Path, out: Path) -> list[str]:
    """Take pictures of the real window on a virtual display; say so if that fails."""
    try:
        display.demand_window()
    except CytoSynthError as error:
        complain(f"No pictures of the window: {error}")
        return []
    if not display.has_virtual_display():
        complain("No pictures of the window: no display, and no xvfb-run to make one.")
        return []
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
    program = [sys.executable, "-m", "napari_cytosynth._gui.pictures"]
    command = [*screen, *program, str(project), str(out)]
    try:
        done = subprocess.run(
            command,
            check=False,
            timeout=PICTURES_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except subprocess.TimeoutExpired:
        complain(f"No pictures of the window: it hung for {PICTURES_SECONDS} s.")
        return []
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        complain(f"No pictures of the window: {reason}")
    return sorted(str(path) for path in out.glob("*.png"))


def _describe(
    project: Path, out: Path, result: DemoResult, pictures: list[str]
) -> dict[str, Any]:
    return {
        "project": str(project),
        "cells": result.cells,
        "labelled": result.labelled,
        "synthetic": result.filled,
        "verdict": result.evidence.verdict,
        "report": str(out / "report.html"),
        "labels": str(result.labels),
        "pictures": pictures,
    }


def _lines(out: Path, result: DemoResult) -> list[str]:
    return [
        f"Found {result.cells} cells on the sample smear; labelled {result.labelled} "
        "from its truth.",
        f"The gate passed {result.filled} synthetic cells. The demo accepted them by "
        "itself; in your work a person judges each.",
        f"Did they help? {result.evidence.verdict}",
        f"Report, labels and pictures: {out}",
        "Research use only; not a medical device.",
    ]
