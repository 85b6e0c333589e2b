from __future__ import annotations

from napari_cytosynth.app.keys import KeyChords, Pending
from napari_cytosynth.app.panels import Tab
from napari_cytosynth.core.rereading import comments
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.testing.desk import Desk


def test_a_single_key_labels_at_once() -> None:
    chords = KeyChords(built_in("marrow21"))
    assert chords.feed("5") == "NGS"
    assert chords.feed("b") == "BLA"
    assert chords.pending == ""


def test_a_chord_waits_for_its_second_key() -> None:
    chords = KeyChords(built_in("marrow21"))
    assert chords.feed("g") == Pending("g")
    assert chords.feed("6") == "ABE"
    assert chords.feed("6") == "EOS"


def test_an_unknown_chord_labels_nothing_and_is_over() -> None:
    chords = KeyChords(built_in("marrow21"))
    chords.feed("g")
    assert chords.feed("9") is None
    assert chords.feed("9") == "LYT"


def test_every_class_of_every_taxonomy_can_be_typed() -> None:
    for name in BUILT_IN:
        taxonomy = built_in(name)
        for cell_class in taxonomy:
            chords = KeyChords(taxonomy)
            *begun, last = cell_class.keys
            assert all(isinstance(chords.feed(key), Pending) for key in begun)
            assert chords.feed(last) == cell_class.code


def test_keys_of_the_grid_do_what_the_commands_do(desk: Desk) -> None:
    grid, state = desk.views.annotate, desk.session.state
    first = state.focus
    grid.keyPressed.emit("8")
    assert desk.session.index.label(first) == "MO"
    second = state.focus
    grid.keyPressed.emit("Space")
    assert desk.session.project.journal.skipped(second)
    grid.keyPressed.emit("Ctrl+Z")
    assert state.focus == second
    grid.keyPressed.emit("Ctrl+Z")
    assert state.focus == first
    grid.keyPressed.emit("Ctrl+Shift+Z")
    assert desk.session.index.label(first) == "MO"
    grid.keyPressed.emit("Right")
    third = state.focus
    grid.keyPressed.emit("Delete")
    assert third not in desk.session.index


def test_the_canvas_labels_with_the_same_keys(desk: Desk) -> None:
    cell, n = desk.session.state.focus, len(desk.session.index)
    desk.views.canvas.keyPressed.emit("1")
    assert desk.session.index.label(cell) == "SNE"
    desk.views.canvas.keyPressed.emit("q")
    assert len(desk.session.index) == n
    assert len(desk.session.project.journal.labels()) == 1


def test_in_the_synthetic_tab_digits_on_the_canvas_label_nothing(desk: Desk) -> None:
    desk.session.set_tab(Tab.SYNTHETIC)
    desk.views.canvas.keyPressed.emit("1")
    assert not desk.session.project.journal.labels()


def test_return_opens_the_comment_line_and_it_answers(desk: Desk) -> None:
    grid, cell = desk.views.annotate, desk.session.state.focus
    grid.keyPressed.emit("Return")
    assert grid.shown("ask_comment") == ""
    grid.commentGiven.emit("  Auer rod? ")
    assert comments(desk.session.project.journal, cell) == ["Auer rod?"]
    grid.keyPressed.emit("Return")
    assert grid.shown("ask_comment") == "Auer rod?"
