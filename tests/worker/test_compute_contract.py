from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from napari_cytosynth.core.protocols import Compute
from napari_cytosynth.testing.contracts_compute import ComputeContract
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.worker import FarWorker, WorkerClient, WorkerProcess
from napari_cytosynth.worker.child import Child

FAKE_WORKER = (sys.executable, "-m", "napari_cytosynth.testing.fake_worker")


class TestInline(ComputeContract):
    def make(self) -> Compute:
        return FakeCompute()


class TestProcess(ComputeContract):
    def make(self) -> Compute:
        return WorkerProcess(FAKE_WORKER)


class TestClient(ComputeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compute(cls) -> Iterator[WorkerClient]:
        child = Child(FAKE_WORKER)
        assert child.wait_ready(60)
        client = child.client()
        yield client
        client.close()
        child.stop()


class TestFar(ComputeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compute(
        cls, start: Callable[..., str], certified: Callable[[str], dict[str, str]]
    ) -> Iterator[FarWorker]:
        made = certified("far")
        address = start(token="for tests", **made)
        far = FarWorker(address, "for tests", made["certificate"])
        yield far
        far.close()
