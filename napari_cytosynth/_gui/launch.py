"""Opens a project in a napari window: what ``cytosynth open`` and ``demo`` call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.viewer import Viewer

from napari_cytosynth._gui.main import Window, build
from napari_cytosynth._gui.runner import QtRunner
from napari_cytosynth._gui.settings import Settings, read_settings, watch_embedder
from napari_cytosynth.app.session import Session
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute, Finder
from napari_cytosynth.core.taxonomies import built_in

if TYPE_CHECKING:
    from napari_cytosynth.worker.critics import BesideGates
    from napari_cytosynth.worker.heads import BesideFitter


def open_window(
    path: Path, *, annotator: str = "", break_lock: bool = False, block: bool = True
) -> Window:
    """Open a project in a new napari window.

    Parameters
    ----------
    path : Path
        Folder ``NAME.cytosynth``.
    annotator : str
        Who labels; from the settings, else asked, if empty.
    break_lock : bool
        Take a lock that a dead machine left behind.
    block : bool
        Return when the window is closed; False returns at once.
    """
    from napari_cytosynth.store import open_project

    project = open_project(path, break_lock=break_lock)
    viewer = napari.Viewer(title=f"{project.name} \u2013 CytoSynth")
    window = window_for(viewer, project, annotator=annotator)
    window.show()
    if block:
        napari.run()
        window.close()
    return window


def window_for(
    viewer: Viewer,
    project: Project,
    *,
    annotator: str = "",
    compute: Compute | None = None,
) -> Window:
    """Make the window of an open project in this viewer, by the user's settings."""
    settings = read_settings()
    runner = QtRunner()
    session = Session(
        project,
        compute or compute_for(settings),
        runner,
        annotator=annotator or settings.annotator,
    )
    session.smears.finder = finder_beside()
    session.learner.fitter = fitter = fitter_beside()
    session.helpers.callback(fitter.close)
    session.fills.gates = gates = gates_beside()
    session.helpers.callback(gates.close)
    session.fills.critics = settings.critics
    session.state.blind = settings.blind
    session.state.strategy = settings.strategy
    session.state.embedder = settings.embedder
    session.helpers.callback(watch_embedder(session.set_embedder))
    return build(viewer, session, runner)


def compute_for(settings: Settings) -> Compute:
    """Return the worker of the settings, or one of our own that starts when needed."""
    from napari_cytosynth.worker import FarWorker, WorkerProcess

    if settings.address:
        return FarWorker(settings.address, settings.token, settings.certificate)
    return WorkerProcess()


def finder_beside() -> Finder:
    """Return what finds cells in a process of its own, which starts at once."""
    from napari_cytosynth.worker.beside import BesideFinder, SideProcess

    side = SideProcess()
    side.wake()
    return BesideFinder(side)


def fitter_beside() -> BesideFitter:
    """Return what fits heads in a process of its own, which starts when needed."""
    from napari_cytosynth.worker.beside import SideProcess
    from napari_cytosynth.worker.heads import COMMAND, BesideFitter

    return BesideFitter(SideProcess(COMMAND))


def gates_beside() -> BesideGates:
    """Return what makes gates in a process of its own, which starts when needed."""
    from napari_cytosynth.worker.beside import SideProcess
    from napari_cytosynth.worker.critics import COMMAND, BesideGates

    return BesideGates(SideProcess(COMMAND))


def open_or_create(path: Path, taxonomy: str, *, break_lock: bool = False) -> Project:
    """Open the project at ``path``, or make one there."""
    from napari_cytosynth.store import create_project, open_project

    if path.exists():
        return open_project(path, break_lock=break_lock)
    path.parent.mkdir(parents=True, exist_ok=True)
    return create_project(path, built_in(taxonomy))


def holder_elsewhere(path: Path) -> str:
    """Return who holds a project on another computer; empty: nobody there does.

    A living process of this computer is never taken over from: end it instead.
    """
    from napari_cytosynth.store.lock import LOCK_NAME, Holder

    try:
        holder = Holder.read((path / LOCK_NAME).read_text(encoding="utf-8"))
    except OSError:
        return ""
    if holder is None or holder.here:
        return ""
    return f"process {holder.pid} on '{holder.host}'"
