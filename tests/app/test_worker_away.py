from __future__ import annotations

from typing import Any

from napari_cytosynth.core.errors import WorkerUnreachableError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.testing.fakes import FakeCompute


class AwayCompute(FakeCompute):
    """A backend that does not answer while ``away``."""

    away = True

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        yield Progress(0, len(crops), "asking")
        if self.away:
            raise WorkerUnreachableError("Nothing answers at http://x. Start a worker.")
        return (yield from super().embed(embedder, crops))


def test_without_a_backend_one_can_still_label_and_is_told_once(
    open_desk: Any,
) -> None:
    compute = AwayCompute()
    desk = open_desk(compute=compute)
    assert desk.session.state.focus is not None
    desk.label_truly(4)
    assert [said for said in desk.failures if "Nothing answers" in said] == [
        desk.failures[0]
    ]
    compute.away = False
    desk.label_truly(6)
    assert desk.session.state.model
    compute.away = True
    desk.session.fill("BA", 2, "no generator here")
    assert len(desk.failures) == 2


def test_a_model_is_there_again_after_reopening_without_a_backend(
    open_desk: Any,
) -> None:
    first = open_desk()
    first.label_truly(10)
    second = open_desk(first.session.project, compute=AwayCompute())
    assert second.session.state.model
    assert any(row.predicted for row in second.session.state.classes)
