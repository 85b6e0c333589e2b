from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_project

OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk() -> Iterator[OpenDesk]:
    opened: list[Desk] = []

    def make(project: Any = None, *, compute: Any = None, **options: Any) -> Desk:
        project = project or MemoryProject(built_in("pbc11"))
        truth = opened[-1].truth if opened else {}
        if not project.smears():
            truth = tiny_project(project, smears=6)
        desk = Desk.over(project, compute or FakeCompute(), **options)
        desk.truth = truth
        opened.append(desk)
        desk.session.start()
        return desk

    yield make
    for desk in opened:
        desk.session.close()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk()


@pytest.fixture
def runner() -> HeldRunner:
    return HeldRunner()


@pytest.fixture
def held(open_desk: OpenDesk, runner: HeldRunner) -> Desk:
    """Return a desk whose tasks run when told; the first round of learning is over."""
    desk = open_desk(runner=runner)
    runner.release("learn")
    return desk


@pytest.fixture
def taught(held: Desk, runner: HeldRunner) -> Desk:
    """Return a desk with 25 labels of 60 cells and a model that learnt from them."""
    held.label_truly(25)
    runner.release("learn")
    return held
