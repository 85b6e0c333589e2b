"""Labels in from other tools, and out to them, in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.workflows.exchange import ImportReport
    from napari_cytosynth.workflows.exporting import ExportReport

IMPORT, EXPORT = "import", "export"
"""Keys of the two tasks."""


class Exchange:
    """Imports and exports of one session.

    Parameters
    ----------
    project : Project
        Gives and takes labels.
    jobs : Jobs
        Runs the work.
    state : SessionState
        Told of the outcome.
    """

    def __init__(self, project: Project, jobs: Jobs, state: SessionState) -> None:
        self._project, self._jobs, self._state = project, jobs, state
        self.on_imported: Callable[[], None] = lambda: None

    def read(self, path: Path, name: str) -> None:
        """Import an annotation file of the format of this name."""
        author = Author(self._state.annotator, Mode.IMPORT, self._state.model)
        task = self._reading(path, name, author)
        self._jobs.start(Order(IMPORT, f"Importing {path.name}", task, self._imported))

    def _reading(self, path: Path, name: str, author: Author) -> Task[ImportReport]:
        from napari_cytosynth.workflows.exchange import ImportOptions, importing

        return (yield from importing(self._project, path, name, ImportOptions(author)))

    def _imported(self, report: ImportReport) -> None:
        said = (
            f"{report.labelled} cells labelled, {report.added} cells added from "
            f"{report.pictures} pictures"
        )
        if report.strangers:
            said += f"; {len(report.strangers)} pictures are no smear of this project"
        if report.kept:
            said += f"; {report.kept} cells kept their other label"
        self._state.say(". ".join((said, *report.notes)) + ".")
        self.on_imported()

    def write(self, path: Path, name: str, *, include_synthetic: bool = False) -> None:
        """Export labels in the format of this name."""
        task = self._writing(path, name, include_synthetic)
        self._jobs.start(
            Order(EXPORT, f"Exporting to {path.name}", task, self._exported)
        )

    def _writing(
        self, path: Path, name: str, include_synthetic: bool
    ) -> Task[tuple[Path, ExportReport]]:
        from napari_cytosynth.workflows.exchange import export_labels

        yield Progress(0, 1, "writing")
        report = export_labels(
            self._project, path, name, include_synthetic=include_synthetic
        )
        return path, report

    def _exported(self, done: tuple[Path, ExportReport]) -> None:
        path, report = done
        said = f"{report.cells} labelled cells written to {path}"
        if report.synthetic:
            said += f", and {report.synthetic} synthetic ones, flagged as such"
        self._state.say(said + ".")
