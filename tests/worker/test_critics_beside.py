"""A gate in a process beside judges as it would here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from napari_cytosynth.core.errors import RegistryError
from napari_cytosynth.core.protocols import Batch, LabelledCells
from napari_cytosynth.core.provenance import Provenance, SyntheticCell
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.synthesis.gate import GatePlan, Judge, gate_here
from napari_cytosynth.testing.contracts_generator import tiny_labelled
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.critics import COMMAND, BesideGates

ORIGIN = Provenance("tiny", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")
PLAN = GatePlan(seed=4)


@pytest.fixture(scope="module")
def gates() -> Iterator[BesideGates]:
    made = BesideGates(SideProcess(COMMAND))
    yield made
    made.close()


@pytest.fixture(scope="module")
def real() -> LabelledCells:
    return tiny_labelled(each=20)


def drawn(seed: int = 7) -> tuple[Batch, Batch]:
    """Return two batches; the second begins with a cell of the first, turned."""
    cells = tiny_labelled(each=3, seed=seed)
    items = [
        SyntheticCell(c, k, ORIGIN)
        for c, k in zip(cells.crops, cells.codes, strict=True)
    ]
    again = SyntheticCell(np.rot90(cells.crops[0]).copy(), cells.codes[0], ORIGIN)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    strange = SyntheticCell(noise, "LY", ORIGIN)
    return Batch(tuple(items), 0), Batch((again, strange), 9)


def judged(gate: Judge, first: Batch, second: Batch) -> list[object]:
    said = gate.judge(first)
    gate.remember([item for item in said if item.passed])
    said += gate.judge(second)
    return [
        (i.assessments, i.status, i.verified)
        for i in said
        if isinstance(i, SyntheticCell)
    ]


def test_the_same_verdicts(gates: BesideGates, real: LabelledCells) -> None:
    here = judged(run_to_end(gate_here(real, PLAN)), *drawn())
    gate = run_to_end(gates(real, PLAN))
    assert judged(gate, *drawn()) == here
    gate.close()


def test_it_is_told_anew_after_its_death(
    gates: BesideGates, real: LabelledCells
) -> None:
    first, second = drawn()
    wanted = judged(run_to_end(gate_here(real, PLAN)), first, second)
    gate = run_to_end(gates(real, PLAN))
    said = gate.judge(first)
    gate.remember([item for item in said if item.passed])
    pid = gates.side.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    said += gate.judge(second)
    assert gates.side.pid != pid
    assert [
        (i.assessments, i.status, i.verified)
        for i in said
        if isinstance(i, SyntheticCell)
    ] == wanted


def test_a_death_while_it_learns_loses_no_real_cell(gates: BesideGates) -> None:
    real = tiny_labelled(each=40)
    copy = SyntheticCell(real.crops[0], real.codes[0], ORIGIN)
    making, killed = gates(real, PLAN), None
    try:
        while True:
            said = next(making)
            if said.done and killed is None:
                killed = gates.side.pid
                assert killed is not None
                os.kill(killed, signal.SIGTERM)
    except StopIteration as stop:
        gate: Judge = stop.value
    assert killed is not None
    assert gates.side.pid != killed
    (found,) = gate.judge(Batch((copy,), 0))
    (verdict,) = (a for a in found.assessments if a.critic == "copy")
    assert not verdict.passed
    assert verdict.nearest == real.ids[0]


def test_two_gates_are_kept_apart(gates: BesideGates, real: LabelledCells) -> None:
    first, _ = drawn()
    one, other = run_to_end(gates(real, PLAN)), run_to_end(gates(real, PLAN))
    kept = [item for item in one.judge(first) if item.passed]
    assert kept
    one.remember(kept)
    alike = {item.passed for item in one.judge(first)}
    assert alike == {False}
    assert any(item.passed for item in other.judge(first))


def test_without_real_cells(gates: BesideGates, real: LabelledCells) -> None:
    none = real.take(np.zeros(0, int))
    first, _ = drawn()
    said = run_to_end(gates(none, PLAN)).judge(first)
    assert all(isinstance(i, SyntheticCell) and not i.verified for i in said)
    assert run_to_end(gates(none, PLAN)).judge(Batch((), 0)) == []


def test_a_refusal_keeps_its_type_and_words(
    gates: BesideGates, real: LabelledCells
) -> None:
    with pytest.raises(RegistryError, match="no 'mine' among the critics"):
        run_to_end(gates(real, GatePlan(also=("mine",))))


def test_it_can_be_stopped_while_it_learns(real: LabelledCells) -> None:
    gates = BesideGates(SideProcess(COMMAND))
    making = gates(real, PLAN)
    next(making)
    next(making)
    making.close()
    gates.close()
    assert gates.side.pid is None


def test_whoever_asks_loads_no_heavy_library() -> None:
    code = """
import sys
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.synthesis.gate import GatePlan
from napari_cytosynth.testing.contracts_generator import tiny_labelled
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.critics import COMMAND, BesideGates
gates = BesideGates(SideProcess(COMMAND))
run_to_end(gates(tiny_labelled(each=6), GatePlan()))
gates.close()
sys.exit("sklearn" in sys.modules or "skimage" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
