"""The side process finds the same cells, survives its death, and ends when told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import InputError, WorkerDiedError, WorkerError
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.ingest.finding import InlineFinder
from napari_cytosynth.ingest.opening import open_smear
from napari_cytosynth.worker.beside import BesideFinder, SideProcess
from napari_cytosynth.worker.side import SideDesk
from napari_cytosynth.worker.wire import Frame

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finder() -> Iterator[BesideFinder]:
    made = BesideFinder(SideProcess())
    yield made
    made.close()


@pytest.fixture(scope="module")
def sample() -> Iterator[SmearImage]:
    image = open_smear(ROOT / "sample_data" / "marrow.ome.zarr")
    yield image
    image.close()


@pytest.fixture(scope="module")
def calibration(sample: SmearImage) -> Calibration:
    return InlineFinder().calibrate(sample)


def same(one: Detections, other: Detections) -> bool:
    columns = ("boxes", "scores", "edges", "kinds")
    return all(
        np.array_equal(getattr(one, c), getattr(other, c)) for c in columns
    ) and all(map(np.array_equal, one.outlines, other.outlines))


def test_the_same_calibration(
    finder: BesideFinder, sample: SmearImage, calibration: Calibration
) -> None:
    assert finder.calibrate(sample) == calibration
    assert finder.calibrate(sample, 0.3).mpp == 0.3


def test_the_same_quality(finder: BesideFinder, sample: SmearImage) -> None:
    boxes = np.array([[0, 0, 50, 50], [300, 300, 60, 50]], np.float32)
    here = InlineFinder().measure(sample, boxes, 0.25)
    np.testing.assert_array_equal(finder.measure(sample, boxes, 0.25), here)
    assert here.shape == (2, 2)
    assert finder.measure(sample, boxes[:0], 0.25).shape == (0, 2)


def test_the_same_cells_and_crops_though_it_is_killed(
    finder: BesideFinder, sample: SmearImage, calibration: Calibration
) -> None:
    here = InlineFinder()
    wanted = here.scan(sample, "classic", calibration, 0)
    found = finder.scan(sample, "classic", calibration, 0)
    cells = 0
    for tile in range(3):
        expected, step = next(wanted), next(found)
        assert step[:2] == expected[:2]
        assert same(step[2], expected[2])
        cells += len(step[2])
        pid = finder.side.pid
        if tile == 1 and pid is not None:
            os.kill(pid, signal.SIGTERM)
    assert cells > 20
    boxes = expected[2].boxes
    crops = finder.crops(sample, boxes, calibration.mpp)
    assert np.array_equal(crops, here.crops(sample, boxes, calibration.mpp))


def test_the_last_tile_ends_the_scan(
    finder: BesideFinder, sample: SmearImage, calibration: Calibration
) -> None:
    _, total, _ = next(finder.scan(sample, "classic", calibration, 0))
    steps = list(finder.scan(sample, "classic", calibration, total - 1))
    assert [step[:2] for step in steps] == [(total, total)]
    assert not list(finder.scan(sample, "classic", calibration, total))


def test_errors_keep_their_type_and_words(
    finder: BesideFinder, sample: SmearImage
) -> None:
    boxes = np.zeros((1, 4), np.float32)
    with pytest.raises(InputError, match="micrometres wide"):
        finder.crops(sample, boxes, 0.0)
    with pytest.raises(WorkerError, match="the side process"):
        finder.side.ask(Frame({"verb": "unheard of"}))


def test_it_is_given_up_where_it_cannot_live(sample: SmearImage) -> None:
    side = SideProcess((sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(WorkerDiedError, match="3 times"):
        BesideFinder(side).calibrate(sample)
    side.close()


def test_closed_it_is_gone_and_refuses(sample: SmearImage) -> None:
    finder = BesideFinder(SideProcess())
    finder.side.wake()
    pid = finder.side.pid
    assert pid is not None
    finder.close()
    finder.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(WorkerError, match="closed"):
        finder.calibrate(sample)


def test_the_desk_keeps_one_picture(sample: SmearImage) -> None:
    desk = SideDesk()
    uri = sample.smear.uri
    gone = desk.answer(Frame({"verb": "calibrate", "uri": uri + "x", "mpp": None}))
    assert gone.data["error"] == "InputError"
    kept = desk.answer(Frame({"verb": "calibrate", "uri": uri, "mpp": 0.25}))
    assert kept.data["calibration"]["mpp"] == 0.25
    desk.close()
