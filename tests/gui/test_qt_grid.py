from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cytosynth._gui.card import CARD_WIDTH
from napari_cytosynth._gui.grid import KEPT_CARDS, CardGrid, describe
from napari_cytosynth._gui.theme import Colours
from napari_cytosynth.app.panels import Card


class CountedCards:
    """Cards that know which of them were made."""

    def __init__(self, n: int) -> None:
        self.n, self.made = n, []

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: int) -> Card:
        self.made.append(row)
        shade = np.full((96, 96, 3), row % 256, np.uint8)
        return Card(row, shade, caption=f"reason {row}", code="BA", colour="#6a3d9a")

    def row_of(self, number: int) -> int | None:
        return number


@pytest.fixture
def grid(qtbot: QtBot) -> Iterator[CardGrid]:
    made = CardGrid(Colours.of("dark"))
    qtbot.addWidget(made)
    made.resize(CARD_WIDTH * 6 + 30, 420)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_only_what_is_in_view_is_made(qtbot: QtBot, grid: CardGrid) -> None:
    cards = CountedCards(1_000_000)
    grid.show_cards(cards)
    grid.show_focus(500_000)
    qtbot.waitUntil(lambda: not grid._store.waiting and len(cards.made) > 6)
    assert len(cards.made) < 200
    assert abs(grid.rowAt(10) * grid._model.columns - 500_000) < 60


def test_scrolling_keeps_no_more_than_its_share(qtbot: QtBot, grid: CardGrid) -> None:
    cards = CountedCards(20_000)
    grid.show_cards(cards)
    for row in range(0, 6000, 6):
        grid._store.load(row)
    assert len(grid._store._loaded) <= KEPT_CARDS


def test_a_click_tells_the_place(qtbot: QtBot, grid: CardGrid) -> None:
    grid.show_cards(CountedCards(40))
    place = grid.visualRect(grid._model.index_of(9)).center()
    with qtbot.waitSignal(grid.cellChosen) as told:
        QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told.args == [9]


def test_a_click_past_the_end_tells_nothing(qtbot: QtBot, grid: CardGrid) -> None:
    grid.show_cards(CountedCards(3))
    place = grid.visualRect(grid._model.index(0, 5)).center()
    with qtbot.assertNotEmitted(grid.cellChosen):
        QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_keys_are_told_and_move_nothing(qtbot: QtBot, grid: CardGrid) -> None:
    grid.show_cards(CountedCards(400))
    grid.show_focus(0)
    names: list[str] = []
    grid.keyPressed.connect(names.append)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_PageDown):
        QTest.keyClick(grid, key)
    assert names == ["Down", "Right", "PageDown"]
    assert grid.itemDelegate().focus == 0


def test_a_changed_card_is_made_again(qtbot: QtBot, grid: CardGrid) -> None:
    cards = CountedCards(12)
    grid.show_cards(cards)
    qtbot.waitUntil(lambda: not grid._store.waiting and len(cards.made) >= 12)
    cards.made.clear()
    grid.show_card_changed(4)
    assert cards.made == [4]


def test_a_narrower_window_has_fewer_columns(qtbot: QtBot, grid: CardGrid) -> None:
    grid.show_cards(CountedCards(60))
    assert grid._model.columns == 6
    grid.resize(CARD_WIDTH * 3 + 30, 420)
    qtbot.waitUntil(lambda: grid._model.columns == 3)
    assert grid._model.rowCount() == 20


def test_synthetic_cards_look_it(qtbot: QtBot, grid: CardGrid) -> None:
    """The frame of a synthetic cell is violet where a real one has none."""

    def colours(synthetic: bool) -> set[tuple[int, int, int]]:
        class One(CountedCards):
            def __getitem__(self, row: int) -> Card:
                white = np.full((96, 96, 3), 255, np.uint8)
                return Card(1, white, synthetic=synthetic)

        grid.show_cards(One(1))
        picture = grid.grab().toImage()
        width, height = CARD_WIDTH, 130
        return {
            picture.pixelColor(x, y).getRgb()[:3]
            for x in range(width)
            for y in range(height)
        }

    def violet(found: set[tuple[int, int, int]]) -> bool:
        return any(b > 180 and g < 140 and b - g > 80 for _, g, b in found)

    assert violet(colours(synthetic=True))
    assert not violet(colours(synthetic=False))


def test_words_say_what_the_picture_says() -> None:
    crop = np.zeros((96, 96, 3), np.uint8)
    card = Card(
        7,
        crop,
        "copy 0.9",
        "BA",
        "#fff",
        synthetic=True,
        verified=False,
        badge="proposed",
    )
    words = describe(card)
    for part in ("Synthetic cell 7", "made for BA", "copy 0.9", "unverified"):
        assert part in words


def test_hover_tells_every_verdict() -> None:
    crop = np.zeros((96, 96, 3), np.uint8)
    said = ("agreement passed: p(BA) = 0.93.", "copy refused: A copy of cell 7.")
    card = Card(3, crop, caption=said[1], synthetic=True, verdicts=said)
    words = describe(card).splitlines()
    assert words == ["Synthetic cell 3", *said]
