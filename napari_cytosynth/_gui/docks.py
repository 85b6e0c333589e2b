"""The two docks as wholes: what stands where."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_cytosynth._gui.annotate import AnnotateWidget
from napari_cytosynth._gui.canvas import CanvasAdapter
from napari_cytosynth._gui.classes import ClassesWidget
from napari_cytosynth._gui.evidence import EvidenceWidget
from napari_cytosynth._gui.plain import plain_button
from napari_cytosynth._gui.review import ReviewWidget
from napari_cytosynth._gui.status import StatusStrip
from napari_cytosynth._gui.style import style_sheet
from napari_cytosynth._gui.synthesize import SynthesizeWidget
from napari_cytosynth._gui.theme import Colours

ACTIONS = (
    ("add", "Add smears\u2026", "Add pictures to the project and find their cells"),
    ("find", "Find cells\u2026", "Find the cells of a smear again"),
    ("stain", "Stain\u2026", "Show smears in the stain of one of them, to compare"),
    ("import", "Import\u2026", "Read labels from a VOC, COCO, YOLO or CSV file"),
    ("export", "Export\u2026", "Write labels for other tools"),
)


class ActionRow(QWidget):
    """Buttons for what is done seldom."""

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 6)
        row.setSpacing(5)
        for key, text, hint in ACTIONS:
            button = plain_button(text, hint, self)
            button.clicked.connect(lambda _=False, k=key: self.asked.emit(k))
            row.addWidget(button, 1)


class Column(QWidget):
    """Widgets one above the other; the first takes the room that is left.

    Attributes
    ----------
    owner : object
        Whose dock it is; a menu's command finds it by that.
    """

    def __init__(self, first: QWidget, *others: QWidget) -> None:
        super().__init__()
        self.owner: object = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(first, 1)
        for widget in others:
            column.addWidget(widget)


@dataclass(frozen=True)
class Panels:
    """All views of one window; satisfies :class:`napari_cytosynth.app.views.Views`."""

    annotate: AnnotateWidget
    classes: ClassesWidget
    canvas: CanvasAdapter
    synthesize: SynthesizeWidget
    review: ReviewWidget
    evidence: EvidenceWidget
    status: StatusStrip


class Docks:
    """Builds the panels and lays them out in two widgets.

    Parameters
    ----------
    canvas : CanvasAdapter
        The view of the napari canvas.
    theme : str
        Name of the napari theme.
    """

    def __init__(self, canvas: CanvasAdapter, theme: str) -> None:
        colours = Colours.of(theme)
        review, evidence = ReviewWidget(colours), EvidenceWidget(colours)
        self.panels = Panels(
            annotate=AnnotateWidget(colours, review, evidence),
            classes=ClassesWidget(colours),
            canvas=canvas,
            synthesize=SynthesizeWidget(),
            review=review,
            evidence=evidence,
            status=StatusStrip(),
        )
        self.actions = ActionRow()
        self.panels.synthesize.setObjectName("fill")
        self.below = Column(self.panels.annotate, self.panels.status)
        self.right = Column(self.panels.classes, self.panels.synthesize, self.actions)
        self.right.setMinimumWidth(470)
        self.show_theme(theme)

    def show_theme(self, theme: str) -> None:
        """Take the colours of another theme."""
        colours = Colours.of(theme)
        for widget in (self.below, self.right):
            widget.setStyleSheet(style_sheet(colours))
        self.panels.annotate.grid.show_colours(colours)
        self.panels.review.grid.show_colours(colours)
        self.panels.classes.show_colours(colours)
        self.panels.evidence.show_colours(colours)
