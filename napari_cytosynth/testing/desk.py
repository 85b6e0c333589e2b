"""A session with panels that nobody sees, for tests of presenters and commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.learner import LearnerConfig
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.window import Presenters, present
from napari_cytosynth.core.errors import InputError
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


class HeldRunner(InlineRunner):
    """Holds tasks back until a test lets them run: answers come as late as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[tuple[str, Any, dict[str, Any]]] = []

    def start(self, key: str, task: Any, **listeners: Any) -> None:
        """Hold a task back; an older one of the same key is held, too."""
        self._held.append((key, task, listeners))

    def release(self, key: str) -> None:
        """Run the oldest held task of this key, superseded or not."""
        i = next(i for i, held in enumerate(self._held) if held[0] == key)
        _, task, listeners = self._held.pop(i)
        super().start(key, task, **listeners)

    def count(self, key: str) -> int:
        """Return how many tasks of this key are held."""
        return sum(held[0] == key for held in self._held)


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
        cls, project: Any, compute: Any, *, runner: Any = None, annotator: str = "Ada"
    ) -> Desk:
        """Seat a reader at a project; call ``session.start()`` next."""
        session = Session(
            project,
            compute,
            runner or InlineRunner(),
            annotator=annotator,
            opener=PaperOpener(),
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
