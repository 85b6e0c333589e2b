"""The folded part of the *Fill* form: what the chosen generator lets one choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cytosynth.core.settings import Setting

HEIGHT = 140
"""Pixels of the unfolded rows; with more of them they are scrolled."""

BOX_WIDTH = 100


class MoreWidget(QWidget):
    """A row for each setting, with a sentence on it; folded until *More* is pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fold = QToolButton(self)
        self.fold.setText("More")
        self.fold.setToolTip("Options of the generator; as they stand they will do")
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.rows: dict[str, SettingRow] = {}
        self._area = QScrollArea(self)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFixedHeight(HEIGHT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.fold)
        column.addWidget(self._area)
        self.fold.toggled.connect(self._unfold)
        self._unfold(False)

    def _unfold(self, opened: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow
        self.fold.setArrowType(arrow)
        self._area.setVisible(opened)

    def show_settings(self, settings: Sequence[Setting]) -> None:
        """Offer these, at their defaults; without any, nothing is shown."""
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(4, 0, 4, 0)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(2, 1)
        self.rows = {setting.name: SettingRow(setting, body) for setting in settings}
        for number, row in enumerate(self.rows.values()):
            grid.addWidget(row.title, number, 0)
            grid.addWidget(row.box.native, number, 1)
            grid.addWidget(row.told, number, 2)
            row.box.changed.connect(self._follow)
        self._area.setWidget(body)
        self._follow()
        self.setVisible(bool(self.rows))

    def chosen(self) -> dict[str, Any]:
        """Return the value of each setting by its name."""
        return {name: row.box.value for name, row in self.rows.items()}

    def _follow(self) -> None:
        """Grey out what does nothing beside what else is chosen."""
        for row in self.rows.values():
            row.explain()
            if row.setting.needs is not None:
                other, value = row.setting.needs
                row.box.enabled = self.rows[other].box.value == value


class SettingRow:
    """The widgets of one setting.

    Parameters
    ----------
    setting : Setting
        What is asked.
    parent : QWidget
        Holds the labels.
    """

    def __init__(self, setting: Setting, parent: QWidget) -> None:
        self.setting = setting
        self.title = QLabel(setting.title, parent)
        self.told = QLabel("", parent)
        self.told.setObjectName("hint")
        self.told.setWordWrap(True)
        self.box: Any = create_widget(
            setting.value,
            annotation=type(setting.value),
            name=setting.name,
            label="",
            options=_bounds(setting),
        )
        self.box.native.setAccessibleName(setting.title)
        self.box.native.setFixedWidth(BOX_WIDTH)

    def explain(self) -> None:
        """Say what the setting does, or what its chosen value does."""
        setting, chosen = self.setting, str(self.box.value)
        told = setting.choices.get(chosen, "")
        self.told.setText(f"{told[:1].upper()}{told[1:]}." if told else setting.told)
        for widget in (self.title, self.told, self.box.native):
            widget.setToolTip(setting.told)


def _bounds(setting: Setting) -> dict[str, Any]:
    if setting.choices:
        return {"choices": list(setting.choices)}
    if isinstance(setting.value, bool):
        return {"text": " "}
    if isinstance(setting.value, str):
        return {}
    kind = type(setting.value)
    step = 1 if kind is int else 0.05
    return {"min": kind(setting.low), "max": kind(setting.high), "step": step}
