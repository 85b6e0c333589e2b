from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from napari_cytosynth.bench.key_latency import key_latency
from napari_cytosynth.testing.desk import Desk, HeldRunner


def test_a_key_press_looks_at_no_whole_column(
    held: Desk, runner: HeldRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()

    def counted(thing: Any, name: str) -> None:
        plain = getattr(thing, name)

        def call(*args: Any, **options: Any) -> Any:
            asked[name] += 1
            return plain(*args, **options)

        monkeypatch.setattr(thing, name, call)

    project = held.session.project
    for name in ("cells", "synthetic", "smears", "embeddings"):
        counted(project, name)
    for name in ("labels", "events", "touched"):
        counted(project.journal, name)
    counted(held.session.index, "replace")
    press = held.views.annotate.keyPressed.emit
    for key in ("1", "8", "Space", "Ctrl+Z", "Ctrl+Z", "Ctrl+Y", "Right", "Left"):
        press(key)
    del asked["smears"]
    assert not asked


def test_the_bench_times_every_action() -> None:
    rows = key_latency(60, 5)
    assert [row.action for row in rows] == ["label", "undo", "redo", "skip"]
    assert all(0 < row.median <= row.p95 <= row.worst for row in rows)
