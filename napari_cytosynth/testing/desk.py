"""A session with panels that nobody sees, for tests of presenters and commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.learner import LearnerConfig
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.window import Presenters, present
from napari_cytosynth.core.errors import Cancelled, InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.smear import Smear
from napari_cytosynth.core.tasks import InlineRunner
from napari_cytosynth.testing.fake_views import FakeViews
from napari_cytosynth.testing.tiny import tiny_smear


class PaperImage:
    """An open picture of empty glass.

    Parameters
    ----------
    smear : Smear
        Its record.
    """

    def __init__(self, smear: Smear) -> None:
        self.smear = smear
        self.levels = [np.zeros((4, 4, 3), np.uint8)]
        self.downsamples = [1.0]
        self.notes: list[str] = []
        self.closed = False

    def read(
        self, x: int, y: int, width: int, height: int, level: int = 0
    ) -> npt.NDArray[np.uint8]:
        """Return white, uint8[height, width, 3]."""
        return np.full((height, width, 3), 255, np.uint8)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


class PaperOpener:
    """Opens the smears of :func:`~napari_cytosynth.testing.tiny.tiny_project`.

    Attributes
    ----------
    images : list of PaperImage
        All that it opened.
    missing : set of str
        Uris that it refuses, as of moved files.
    """

    def __init__(self) -> None:
        self.images: list[PaperImage] = []
        self.missing: set[str] = set()

    def __call__(self, uri: str) -> PaperImage:
        """Open a picture of empty glass."""
        if uri in self.missing:
            raise InputError(f"There is no picture at '{uri}'. Relink the smear.")
        number = int(uri.removeprefix("tiny-").removesuffix(".png"))
        self.images.append(PaperImage(tiny_smear(number)))
        return self.images[-1]


@dataclass(eq=False)
class _Held:
    key: str
    task: Any
    listeners: dict[str, Any]

    def tell(self, kind: str, value: object) -> None:
        listener = self.listeners.get(kind)
        if listener is not None:
            listener(value)


class HeldRunner:
    """A runner whose tasks go on when a test says so: answers come as late as it likes.

    It supersedes nothing by itself, so a late answer of an older task does arrive.
    """

    def __init__(self) -> None:
        self._held: list[_Held] = []

    def start(self, key: str, task: Any, **listeners: Any) -> None:
        """Hold a task at its beginning."""
        self._held.append(_Held(key, task, listeners))

    def step(self, key: str, steps: int = 1) -> bool:
        """Let the oldest task of this key make some steps; False once it ended."""
        held = next(held for held in self._held if held.key == key)
        try:
            for _ in range(steps):
                held.tell("on_progress", next(held.task))
        except StopIteration as stop:
            self._held.remove(held)
            held.tell("on_done", stop.value)
            return False
        except Exception as error:  # noqa: BLE001  told as a runner tells it
            self._held.remove(held)
            held.tell("on_error", error)
            return False
        return True

    def release(self, key: str) -> None:
        """Run the oldest task of this key to its end."""
        while self.step(key):
            pass

    def cancel(self, key: str) -> bool:
        """Close the tasks of this key, and tell that they were cancelled."""
        stopped = [held for held in self._held if held.key == key]
        for held in stopped:
            self._held.remove(held)
            held.task.close()
            held.tell("on_error", Cancelled(f"'{key}' was cancelled."))
        return bool(stopped)

    def running(self) -> tuple[str, ...]:
        """Return the keys of the tasks held."""
        return tuple(held.key for held in self._held)

    def count(self, key: str) -> int:
        """Return how many tasks of this key are held."""
        return self.running().count(key)

    def close(self) -> None:
        """Close all tasks and tell nobody, as when a window is closed."""
        for held in self._held:
            held.task.close()
        self._held.clear()


@dataclass
class Desk:
    """A session, its panels, and what was said.

    Parameters
    ----------
    session : Session
        Started or not.
    views : FakeViews
        Its panels.
    presenters : Presenters
        Bind both.
    truth : dict of cell id to code
        To label by.
    failures, messages : list of str
        What was told, oldest first.
    """

    session: Session
    views: FakeViews
    presenters: Presenters
    truth: dict[CellId, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @classmethod
    def over(
        cls,
        project: Any,
        compute: Any,
        *,
        runner: Any = None,
        annotator: str = "Ada",
        opener: Any = None,
    ) -> Desk:
        """Seat a reader at a project; call ``session.start()`` next."""
        session = Session(
            project,
            compute,
            runner or InlineRunner(),
            annotator=annotator,
            opener=opener or PaperOpener(),
            learning=LearnerConfig(cards=30),
        )
        views = FakeViews()
        desk = cls(session, views, present(session, views))
        session.events.failed.connect(desk.failures.append)
        session.events.message.connect(desk.messages.append)
        return desk

    def label_truly(self, count: int) -> list[CellId]:
        """Label the next cells as they are; return them in order."""
        cells: list[CellId] = []
        for _ in range(count):
            focus = self.session.state.focus
            if focus is None or not self.session.label(self.truth[focus]):
                raise AssertionError(f"after {cells}: {self.failures}")
            cells.append(focus)
        return cells
