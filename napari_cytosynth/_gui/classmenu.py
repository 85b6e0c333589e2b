"""The menu of one class: what else can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMenu

from napari_cytosynth._gui.paint import symbol_icon
from napari_cytosynth.app.panels import ClassRow

if TYPE_CHECKING:
    from napari_cytosynth._gui.classes import ClassesWidget


def class_menu(view: ClassesWidget, rows: Sequence[ClassRow], at: int) -> QMenu:
    """Return the menu of a row; what is chosen comes as the view's own signals.

    Parameters
    ----------
    view : ClassesWidget
        Parent of the menu.
    rows : sequence of ClassRow
        All classes.
    at : int
        Position of the class that the menu is for.
    """
    row = rows[at]
    menu = QMenu(view)
    menu.setObjectName("class menu")

    def add(text: str, signal: object) -> None:
        chosen = menu.addAction(text)
        chosen.triggered.connect(lambda: signal.emit(row.code))  # type: ignore[attr-defined]

    add(f"Label the focused cell {row.code}", view.classChosen)
    add(f"Show only {row.code}", view.filterAsked)
    if row.can_fill:
        add(f"Fill {row.code}\u2026", view.fillAsked)
        add(f"Find more {row.code}", view.findAsked)
    menu.addSeparator()
    targets = menu.addMenu(f"Count {row.code} as")
    targets.setEnabled(not row.counts_as)
    for other in rows:
        if other.code != row.code and not other.counts_as:
            merge = targets.addAction(
                symbol_icon(other.symbol, other.colour), f"{other.code}  {other.name}"
            )
            merge.triggered.connect(
                lambda _=False, into=other.code: view.mergeAsked.emit(row.code, into)
            )
    return menu
