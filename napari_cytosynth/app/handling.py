"""What the reader does with smears and with the pictures of cells.

Smears are opened, searched, measured, stained alike, read from and written to files;
cells get other boxes, or are split. Whatever changes the set of cells ends in
``reload``, ``summarise`` and ``on_labels_changed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_cytosynth.app.crops import CropCache
from napari_cytosynth.app.details import Details
from napari_cytosynth.app.exchange import MODELS, Exchange, ExportForm
from napari_cytosynth.app.jobs import Jobs
from napari_cytosynth.app.reading import Reading
from napari_cytosynth.app.scaling import Scaling
from napari_cytosynth.app.shaping import Point, Shaping
from napari_cytosynth.app.smears import Opener, Smears
from napari_cytosynth.app.stain import Stains
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.records import DATASETS
from napari_cytosynth.core.smear import Smear, SmearImage

_AHEAD, _SMEARS_AHEAD = 24, 4
"""Cards after the focused one whose smears are opened, and how many smears at most."""


class Handling(Reading):
    """Reading, with smears and pictures at hand.

    Parameters
    ----------
    project : Project
        Takes the events.
    state : SessionState
        The fields.
    jobs : Jobs
        Runs what takes time, and tells of failures.
    opener : callable, optional
        Opens a smear's picture by its uri.

    Attributes
    ----------
    smears : Smears
        Pictures, opened when needed.
    scaling : Scaling
        Pixel sizes, as words, and their correction.
    stains : Stains
        The smear shown in the stain of another one.
    details : Details
        What is said of single cells.
    crops : CropCache
        Pictures of cells.
    """

    def __init__(
        self,
        project: Project,
        state: SessionState,
        jobs: Jobs,
        opener: Opener | None = None,
    ) -> None:
        super().__init__(project, state, jobs)
        self.smears = Smears(project, jobs, opener)
        self.stains = Stains(project, self.smears, jobs, state)
        self.exchange = Exchange(project, jobs, state)
        self.shaping = Shaping(project, jobs, state)
        self.scaling = Scaling(project, jobs, state, self.smears)
        self.crops = CropCache(project)
        self.details = Details(project, jobs, state)
        self.smears.on_added = self._on_smear_added
        self.smears.on_cells = self._on_cells_changed
        self.exchange.on_imported = self._on_cells_changed
        self.shaping.on_box = self._on_box_changed
        self.shaping.on_split = self._on_split
        self.scaling.on_scaled = self._on_scaled
        self.scaling.on_cut = self._on_pictures_cut
        self.scaling.on_gone = self._on_cells_gone
        self.events.cells.connect(self.details.clear)
        self.events.focus.connect(self._prefetch)
        self.events.listing.connect(self._prefetch)

    def open_smears(self, uris: Sequence[str], group: str = "") -> None:
        """Add pictures, find their cells in the background, and rank them in.

        ``group`` is the patient or slide of all of them; empty: each is its own.
        """
        self.smears.open(uris, group)

    def find_cells(
        self, smear: SmearId, *, detector: str = "classic", anew: bool = False
    ) -> None:
        """Find the cells of a smear that was added before.

        ``anew``: those that nobody touched go first; undo brings them back.
        """
        if anew and self.has_name():
            self.scaling.find_anew(smear, detector=detector)
        elif not anew:
            self.smears.find(smear, detector=detector)

    def change_scale(self, smear: SmearId, mpp: float, *, anew: bool = False) -> bool:
        """Correct the pixel size of a smear, um; pictures and vectors follow.

        ``anew``: its cells are looked for anew, as by :meth:`find_cells`.
        """
        if not self.has_name():
            return False
        self.scaling.change(smear, mpp, anew=anew)
        return True

    def _on_scaled(self, smear: SmearId) -> None:
        self.remember()
        self.events.rescaled.emit(int(smear))

    def _on_cells_gone(self, smear: SmearId) -> None:
        self.linger(smear)
        self._take_in_cells()

    def on_scale_switched(self, smear: SmearId) -> None:
        """Show the pixel size that holds now, and the pictures cut by it."""
        self._on_scaled(smear)
        self.crops.forget_all()
        # What was measured and said of the cells is of other pictures too.
        self.events.cells.emit()
        self.events.predictions.emit()
        self.scaling.cut()

    def _on_pictures_cut(self) -> None:
        self.crops.forget_all()
        self._on_cells_changed()

    def image(self, smear: SmearId) -> SmearImage | None:
        """Return the picture of a smear; None, said by ``failed``, if unreadable."""
        return self.smears.image(smear)

    def _on_smear_added(self, smear: Smear) -> None:
        if self.state.smear is None:
            self.state.smear = smear.id
        self.events.reopened.emit(int(smear.id))
        self.scaling.tell(smear.id)

    def import_labels(
        self,
        path: str | Path,
        format: str,  # noqa: A002
        *,
        mapping: str = "",
        replace_labels: bool = False,
    ) -> None:
        """Read labels of another tool; their mode is "import".

        ``mapping`` is as in ``"Seg=NGS, Junk="``; ``replace_labels`` relabels cells
        that have another label already.
        """
        if not self.has_name():
            return
        try:
            self.exchange.read(
                Path(path), format, mapping=mapping, replace_labels=replace_labels
            )
        except CytoSynthError as error:
            self.jobs.tell("Importing", error)

    def export_labels(
        self,
        path: str | Path,
        format: str,  # noqa: A002
        *,
        include_synthetic: bool = False,
        include_adapter: bool = False,
    ) -> None:
        """Write labels for another tool; synthetic cells only if asked for.

        The format :data:`MODELS` writes the generators instead, and with
        ``include_adapter``, which the user confirms, what learned patients' cells too.
        """
        if format == MODELS:
            self.exchange.write_models(Path(path), include_adapter=include_adapter)
        else:
            self.exchange.write(Path(path), format, include_synthetic=include_synthetic)

    def export(self, asked: ExportForm) -> None:
        """Write what a form asks for: labels, generators, or a data set."""
        if asked.format in DATASETS:
            self.exchange.write_dataset(asked)
            return
        self.export_labels(
            asked.path,
            asked.format,
            include_synthetic=asked.include_synthetic,
            include_adapter=asked.include_adapter,
        )

    def change_box(self, box: Box) -> bool:
        """Give the focused cell another box; its picture is cut and embedded anew."""
        cell = self.state.focus
        if cell is None or not self.has_name():
            return False
        self.shaping.change_box(cell, box)
        return True

    def split_cell(self, centres: tuple[Point, Point]) -> bool:
        """Make two cells of the focused one, around two centres."""
        cell = self.state.focus
        if cell is None or not self.has_name():
            return False
        self.shaping.split(cell, centres)
        return True

    def _on_box_changed(self, cell: CellId) -> None:
        self.on_picture_cut(cell)
        self._take_in_cells()
        self.touch(cell)

    def on_picture_cut(self, cell: CellId) -> None:
        """Show the picture that a cell has now."""
        self.crops.forget(cell)
        self.details.forget(cell)

    def _on_split(self, old: CellId, first: CellId) -> None:
        self._take_in_cells()
        self.focus_cell(first)
        self.state.listing = self.state.listing.without(old)

    def _on_cells_changed(self) -> None:
        self.reload()
        self.summarise()
        self.on_labels_changed()

    def places_ahead(self) -> list[tuple[float, float]]:
        """Return where the next cell lies, if on the smear shown; level-0 pixels."""
        cell = self.upcoming()
        if cell is None or self.index.table.smear_of(cell) != self.state.smear:
            return []
        x, y = self.index.centres(self.index.table.rows([cell]))[0].tolist()
        return [(x, y)]

    def _prefetch(self) -> None:
        """Open the smears of the next cells ahead, where they are others."""
        focus, listing, index = self.state.focus, self.state.listing, self.index
        row = listing.row_of(focus) if focus is not None else None
        ahead = listing.ids[0 if row is None else row + 1 :][:_AHEAD]
        known = ahead[np.isin(ahead, index.table.ids)]
        smears = index.table.smears[index.table.rows(known)].tolist()
        for smear in list(dict.fromkeys(smears))[:_SMEARS_AHEAD]:
            self.smears.prefetch(SmearId(int(smear)))
