from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QLocale
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDoubleSpinBox

from napari_cytosynth._gui.forms import form_of, take_comma, values_of


def verb(project: object, path: str | Path, kind: str, *, count: int = 7) -> None:
    """Stand for a workflow."""


def test_types_and_defaults_come_from_the_signature(qtbot: QtBot) -> None:
    form = form_of(
        verb,
        ("path", "kind", "count"),
        choices={"kind": ("voc", "coco")},
        options={"count": {"min": 1, "max": 9}},
    )
    qtbot.addWidget(form.native)
    form["kind"].value = "coco"
    form["path"].value = Path("/a/b")
    assert values_of(form) == {"path": Path("/a/b"), "kind": "coco", "count": 7}
    with pytest.raises(ValueError, match="9"):
        form["count"].value = 10


@pytest.mark.parametrize("language", ["C", "de_DE"])
@pytest.mark.parametrize("typed", ["0,35", "0.35"])
def test_comma_and_point_are_both_taken(
    qtbot: QtBot, language: str, typed: str
) -> None:
    box = QDoubleSpinBox()
    qtbot.addWidget(box)
    box.setLocale(QLocale(language))
    box.setDecimals(3)
    take_comma(box)
    box.selectAll()
    QTest.keyClicks(box, typed)
    assert box.value() == pytest.approx(0.35)
