"""Labels in from other tools, and out to them, in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.records import DATASETS
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.workflows.exchange import ImportOptions, ImportReport
    from napari_cytosynth.workflows.exporting import ExportReport
    from napari_cytosynth.workflows.exporting_datasets import DatasetReport
    from napari_cytosynth.workflows.exporting_models import ModelsReport

IMPORT, EXPORT = "import", "export"
"""Keys of the two tasks."""

MODELS = "generators"
"""What is chosen in place of a format to export the generators."""


@dataclass(frozen=True, slots=True)
class ExportForm:
    """What is asked for when something is to leave the project.

    Parameters
    ----------
    format : str
        A format of labels, :data:`MODELS`, or one of
        :data:`~napari_cytosynth.core.records.DATASETS`.
    path : Path
        File or folder.
    include_synthetic : bool
        Of labels: accepted synthetic cells too, flagged.
    include_adapter : bool
        Of generators: those that learned patients' cells too.
    real : bool
        Of a data set: the labelled real cells too.
    licence, creator : str
        Of a data set: URL of its terms, and who gives it.
    """

    format: str
    path: Path
    include_synthetic: bool = False
    include_adapter: bool = False
    real: bool = False
    licence: str = ""
    creator: str = ""

    @property
    def of_patients(self) -> str:
        """What of patients would leave: ``"adapter"``, ``"real"`` or nothing."""
        if self.format == MODELS:
            return "adapter" if self.include_adapter else ""
        return "real" if self.format in DATASETS and self.real else ""


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

    def read(
        self, path: Path, name: str, *, mapping: str = "", replace_labels: bool = False
    ) -> None:
        """Import annotations of the format of this name; classes as ``mapping`` says.

        Raises
        ------
        InputError
            If ``mapping`` cannot be read; see :func:`mapping_of`.
        """
        from napari_cytosynth.workflows.exchange import ImportOptions

        author = self._state.author(Mode.IMPORT)
        options = ImportOptions(author, mapping_of(mapping), replace_labels)
        task = self._reading(path, name, options)
        self._jobs.start(Order(IMPORT, f"Importing {path.name}", task, self._imported))

    def _reading(
        self, path: Path, name: str, options: ImportOptions
    ) -> Task[ImportReport]:
        from napari_cytosynth.workflows.exchange import importing

        return (yield from importing(self._project, path, name, options))

    def _imported(self, report: ImportReport) -> None:
        said = (
            f"{report.labelled} cells labelled, {report.added} cells added from "
            f"{report.pictures} pictures"
        )
        if report.strangers:
            said += f"; {len(report.strangers)} pictures are no smear of this project"
        if report.kept:
            said += f"; {report.kept} cells kept their other label"
        self.on_imported()
        self._state.say(". ".join((said, *report.notes)) + ".")

    def write(self, path: Path, name: str, *, include_synthetic: bool = False) -> None:
        """Export labels in the format of this name."""
        task = self._writing(path, name, include_synthetic)
        self._jobs.start(
            Order(EXPORT, f"Exporting to {path.name}", task, self._exported)
        )

    def _writing(
        self, path: Path, name: str, include_synthetic: bool
    ) -> Task[tuple[Path, ExportReport]]:
        from napari_cytosynth.workflows.exporting import ExportOptions, exporting

        options = ExportOptions(include_synthetic=include_synthetic)
        return path, (yield from exporting(self._project, path, name, options))

    def write_models(self, folder: Path, *, include_adapter: bool = False) -> None:
        """Export generators; what learned patients' cells only where it was confirmed.

        Parameters
        ----------
        folder : Path
            New, or what an earlier export wrote.
        include_adapter : bool
            See :func:`napari_cytosynth.workflows.exporting_models.export_models`.
        """
        task = self._writing_models(folder, include_adapter)
        title = f"Exporting generators to {folder.name}"
        self._jobs.start(Order(EXPORT, title, task, self._models_exported))

    def _writing_models(
        self, folder: Path, include_adapter: bool
    ) -> Task[ModelsReport]:
        from napari_cytosynth.workflows.exporting_models import export_models

        yield Progress(0, 0, "reading weights")
        return export_models(self._project, folder, include_adapter=include_adapter)

    def write_dataset(self, asked: ExportForm) -> None:
        """Export the synthetic cells as a data set; real ones where that was confirmed.

        Parameters
        ----------
        asked : ExportForm
            See :func:`napari_cytosynth.workflows.exporting_datasets.exporting_dataset`.
        """
        title = f"Exporting a data set to {asked.path.name}"
        task = self._writing_dataset(asked)
        self._jobs.start(Order(EXPORT, title, task, self._dataset_exported))

    def _writing_dataset(self, asked: ExportForm) -> Task[DatasetReport]:
        from napari_cytosynth.formats.dataset import About
        from napari_cytosynth.workflows.exporting_datasets import (
            DatasetOptions,
            exporting_dataset,
        )

        terms = {"licence": asked.licence.strip(), "creator": asked.creator.strip()}
        about = About(**{name: said for name, said in terms.items() if said})
        options = DatasetOptions(about, asked.real)
        return (yield from exporting_dataset(self._project, asked.path, options))

    def _dataset_exported(self, report: DatasetReport) -> None:
        said = f"{report.synthetic} synthetic cells"
        if report.real:
            said += f" and {report.real} real ones, under pseudonyms,"
        self._state.say(f"{said} written to {report.path}.")

    def _models_exported(self, report: ModelsReport) -> None:
        said = f"{len(report.models)} generators and their cards written to "
        said += report.path
        if report.withheld:
            said += (
                f"; {len(report.withheld)} that hold or learned patients' cells were "
                "withheld, as nobody confirmed that they may leave"
            )
        self._state.say(said + ".")

    def _exported(self, done: tuple[Path, ExportReport]) -> None:
        path, report = done
        said = f"{report.cells} labelled cells written to {path}"
        if report.synthetic:
            said += f", and {report.synthetic} synthetic ones, flagged as such"
        self._state.say(said + ".")


def mapping_of(text: str) -> dict[str, str]:
    """Read ``"Seg=NGS, Junk="``: their class and ours; nothing behind = leaves it out.

    Raises
    ------
    InputError
        If a part has no ``=`` or names no class before it.
    """
    pairs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        theirs, sign, ours = (word.strip() for word in part.partition("="))
        if not sign or not theirs:
            raise InputError(
                f"The class mapping '{part}' cannot be read, so nothing was imported. "
                "Write THEIRS=OURS, parted by commas: Seg=NGS, Junk="
            )
        pairs[theirs] = ours
    return pairs
