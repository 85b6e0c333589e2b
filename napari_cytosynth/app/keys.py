"""What a key does. A small state machine for chords, free of any toolkit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_cytosynth.app.panels import Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.core.rereading import Fault
from napari_cytosynth.core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Pending:
    """A chord begun.

    Parameters
    ----------
    keys : str
        What was typed so far.
    """

    keys: str


class KeyChords:
    """Turns keys into class codes.

    Parameters
    ----------
    taxonomy : Taxonomy
        Gives each class its key or chord; no key is the start of another class's chord.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._codes = {c.keys.lower(): c.code for c in taxonomy}
        self._typed = ""

    @property
    def pending(self) -> str:
        """Keys of a chord begun; empty: none."""
        return self._typed

    def feed(self, key: str) -> str | Pending | None:
        """Take one key.

        Returns
        -------
        str, Pending or None
            A class code; a chord begun; or None where the keys label nothing, which
            also ends a chord.
        """
        typed = self._typed + key.lower()
        self._typed = ""
        if typed in self._codes:
            return self._codes[typed]
        if any(keys.startswith(typed) for keys in self._codes):
            self._typed = typed
            return Pending(typed)
        return None

    def clear(self) -> None:
        """Forget a chord begun."""
        self._typed = ""


class Keyboard:
    """Keys of the grid and of the canvas, which do the same.

    Parameters
    ----------
    session : Session
        Obeys.
    show_pending : callable
        Told the keys of a chord begun, or an empty text.
    ask_comment : callable
        Opens the comment line.
    """

    def __init__(
        self,
        session: Session,
        show_pending: Callable[[str], None],
        ask_comment: Callable[[], None],
    ) -> None:
        self._session, self._show = session, show_pending
        self._chords = KeyChords(session.project.taxonomy)
        self._named: dict[str, Callable[[], object]] = {
            **history_keys(session),
            "Space": session.skip,
            "Return": ask_comment,
            "Delete": session.remove_cell,
            "Backspace": session.remove_cell,
            "?": session.second_opinion,
            "-": lambda: session.flag(Fault.BOX),
            "/": lambda: session.flag(Fault.TWO),
            "=": session.searching.like_cell,
            "+": session.fields.add_missed,
            "Right": session.next,
            "Down": session.next,
            "Left": session.previous,
            "Up": session.previous,
            "PageDown": lambda: session.move(10),
            "PageUp": lambda: session.move(-10),
            "Home": lambda: session.move(-len(session.state.listing)),
            "End": lambda: session.move(len(session.state.listing)),
        }

    def press(self, key: str) -> bool:
        """Do what a key means; False where it means nothing."""
        if key == "Escape" or len(key) > 1:
            self._chords.clear()
            self._show("")
            return self._do(key)
        begun = self._chords.pending
        fed = self._chords.feed(key)
        self._show(fed.keys if isinstance(fed, Pending) else "")
        if isinstance(fed, Pending):
            return True
        if fed is not None:
            self._session.label(fed)
            return True
        if begun:
            self._session.state.say(f"The keys {begun} {key} label nothing.")
            return True
        return self._do(key)

    def _do(self, key: str) -> bool:
        if key == "Escape":
            self._session.searching.leave()
        action = self._named.get(key)
        if action is not None:
            action()
        return action is not None or key == "Escape"


def history_keys(session: Session) -> dict[str, Callable[[], object]]:
    """Return the keys of undo and redo."""
    return {
        "Ctrl+Z": session.undo,
        "Ctrl+Shift+Z": session.redo,
        "Ctrl+Y": session.redo,
    }


def review_keys(session: Session) -> dict[str, Callable[[], object]]:
    """Return the keys of the tab *Synthetic*."""
    return {
        **history_keys(session),
        "a": lambda: session.judging.judge(True),
        "Return": lambda: session.judging.judge(True),
        "r": lambda: session.judging.judge(False),
        "Delete": lambda: session.judging.judge(False),
        "Backspace": lambda: session.judging.judge(False),
        "Right": lambda: session.judging.move(1),
        "Down": lambda: session.judging.move(1),
        "Left": lambda: session.judging.move(-1),
        "Up": lambda: session.judging.move(-1),
        "Home": lambda: session.judging.move(-len(session.state.synthetic)),
        "End": lambda: session.judging.move(len(session.state.synthetic)),
    }


def canvas_key(session: Session, keyboard: Keyboard, key: str) -> None:
    """Do what a key on the canvas means: what it means in the tab in front."""
    if session.state.tab is Tab.SYNTHETIC:
        action = review_keys(session).get(key)
        if action is not None:
            action()
    elif session.state.tab is not Tab.EVIDENCE:
        keyboard.press(key)
