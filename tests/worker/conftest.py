from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_SERVE = """
import json, sys
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.worker.app import Limits
from napari_cytosynth.worker.serve import ServeSettings, serve

said = json.loads(sys.argv[1])
limits = Limits(**said.pop("limits", {}))
settings = ServeSettings(limits=limits, **said)
serve(settings, lambda url: print(url, flush=True), FakeCompute())
"""


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., str]]:
    """Start a worker that serves by itself; returns its address."""
    running: list[subprocess.Popen[str]] = []

    def begin(**settings: Any) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, json.dumps(settings)],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield begin
    for process in running:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
