import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Batch, Reference, Request
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
)
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis.appearance import describe
from napari_cytosynth.synthesis.gate import Gate


class Source:
    """Draws whose first pixel is their number; notes how it was used."""

    def __init__(self, size=4, limit=10_000):
        self.size, self.limit, self.closed = size, limit, False

    def __call__(self, request):
        try:
            yield Batch((), request.start)
            stop = min(request.start + request.count, self.limit)
            for at in range(request.start, stop, self.size):
                numbers = range(at, min(at + self.size, stop))
                yield Batch(tuple(map(cell, numbers)), at)
        finally:
            self.closed = True


def cell(number):
    origin = Provenance("toy", "0" * 64, {"draw": number}, 0, (), "0", "now")
    return SyntheticCell(np.full((96, 96, 3), number, np.uint8), "MO", origin)


class EveryThird:
    key = "third"

    def assess(self, batch, reference):
        return [
            Assessment(self.key, n, passed=n % 3 == 0, reason=f"{n} over 3")
            for n in (int(item.pixels[0, 0, 0]) for item in batch.items)
        ]


class Never:
    key = "never"

    def assess(self, batch, reference):
        return [Assessment(self.key, 0, passed=False, reason="no") for _ in batch.items]


@pytest.fixture
def reference(cells):
    return Reference(cells, describe(cells.crops), describe)


def ask(count, code="MO", start=0):
    return Request(code, count, 0, built_in("pbc11"), start)


def test_it_draws_until_enough_passed(reference):
    source, shown = Source(), []
    task = Gate([EveryThird()], reference).fill(ask(5), source)
    report = run_to_end(task, lambda p: shown.extend(p.payload))
    assert [int(c.pixels[0, 0, 0]) for c in report.accepted] == [0, 3, 6, 9, 12]
    assert shown == list(report.accepted)
    assert report.drawn == 13
    assert report.acceptance == pytest.approx(5 / 13)
    assert report.reasons == {"third": 8}
    assert report.ended == "enough"
    assert source.closed


def test_dropped_cells_keep_their_reasons(reference):
    task = Gate([EveryThird(), Never()], reference).fill(ask(1), Source())
    report = run_to_end(task)
    assert report.accepted == ()
    assert report.drawn == len(report.dropped) == 8
    assert report.ended == "draws"
    assert report.reasons == {"never": 3, "third": 5}
    assert report.reason_of(report.dropped[1]) == "1 over 3"
    assert {c.status for c in report.dropped} == {Status.DROPPED}
    assert all(len(c.assessments) == 2 for c in report.dropped)


def test_time_ends_a_fill(reference):
    report = run_to_end(Gate([Never()], reference, seconds=0).fill(ask(5), Source()))
    assert report.ended == "time"
    assert report.drawn == 0
    assert np.isnan(report.acceptance)


def test_a_source_that_dries_up_ends_a_fill(reference):
    report = run_to_end(Gate([], reference).fill(ask(5), Source(limit=2)))
    assert len(report.accepted) == 2
    assert report.ended == "draws"


def test_cells_of_a_class_without_real_ones_are_unverified(reference):
    gate = Gate([], reference)
    assert run_to_end(gate.fill(ask(1), Source())).accepted[0].verified
    assert gate.verifies("MO")
    assert not gate.verifies("BA")
    assert not run_to_end(gate.fill(ask(1, "BA"), Source())).verified


def test_a_cancelled_fill_stops_its_source(reference):
    source = Source()
    task = Gate([Never()], reference).fill(ask(50), source)
    next(task)
    task.close()
    assert source.closed


def test_numbers_go_on_from_the_start(reference):
    report = run_to_end(Gate([], reference).fill(ask(2, start=7), Source()))
    assert [int(c.pixels[0, 0, 0]) for c in report.accepted] == [7, 8]


def test_nothing_asked_is_refused(reference):
    with pytest.raises(InputError, match="at least one"):
        run_to_end(Gate([], reference).fill(ask(0), Source()))
