"""The evidence against its references, on planted sets of real cells, and its price."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.bench import evidence
from napari_cytosynth.bench.evidence import (
    SIZES,
    clouds,
    our_figures,
    planted_rows,
    reference_rows,
    relative,
)
from napari_cytosynth.bench.evidence_cost import WHOLE, cost_of
from napari_cytosynth.bench.planted import NEEDED, planted, told_of
from napari_cytosynth.bench.references import REFERENCES, Reference
from napari_cytosynth.evidence.findings import Kind

DATA = Path(os.environ.get("CYTOSYNTH_DATA", "") or "no developer data")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.peer)
def test_figures_are_those_of_the_reference(reference: Reference, size) -> None:
    if not reference.installed:
        pytest.skip(f"{reference.peer} comes with the extras [bench] and [dev]")
    drawn = clouds(size, 5)
    ours, theirs = our_figures(drawn), reference.figures(drawn)
    assert set(theirs) == set(reference.cases)
    for case in reference.cases:
        assert ours[case] == pytest.approx(theirs[case], rel=1e-9)
        # Nothing trivial is compared: no figure stands at either end.
        assert abs(theirs[case]) > 1e-4
        assert theirs[case] != 1


def test_every_figure_has_a_reference_and_its_row() -> None:
    rows = list(reference_rows(1))
    cases = [case for reference in REFERENCES for case in reference.cases]
    assert (
        sorted(set(cases)) == sorted(cases) == sorted(our_figures(clouds((60, 45), 0)))
    )
    assert len(rows) == len(SIZES) * len(cases)
    run = [row for row in rows if row["unit"] == "relative"]
    assert all(row["value"] < 1e-9 for row in run)


def test_packages_that_are_absent_are_listed_as_not_run(monkeypatch) -> None:
    class Absent(Reference):
        @property
        def installed(self) -> bool:
            return False

    old = REFERENCES[2]
    absent = Absent(old.peer, old.package, old.cases, old.figures)
    monkeypatch.setattr(evidence, "REFERENCES", (absent,))
    rows = list(reference_rows(2))
    (said,) = {row["unit"] for row in rows}
    assert said == "not run: prdc is not installed; pip install '.[bench]'"
    assert {row["value"] for row in rows} == {None}
    assert [row["case"] for row in rows[:4]] == list(old.cases)


def test_an_error_in_a_figure_would_show() -> None:
    assert relative(1.1, 1.0) == pytest.approx(0.1)
    assert relative(0.2, 0.0) == 0.2
    assert find_spec("sklearn")


def test_without_data_planted_sets_are_not_run(tmp_path) -> None:
    rows = planted_rows(tmp_path, 1)
    assert {row["unit"] for row in rows} == {"not run"}
    assert len(rows) == 8


def test_planted_cells_stand_on_one_side_only() -> None:
    rng = np.random.default_rng(0)
    vectors = {
        code: rng.normal(size=(NEEDED, 3)).astype(np.float32) for code in ("A", "B")
    }
    for case in planted(vectors, 1):
        sets = case.sets[Kind.GOOD]
        train, held_out, made = (
            set(map(tuple, part.vectors.tolist()))
            for part in (sets.train, sets.held_out, sets.synthetic)
        )
        assert not train & held_out
        assert not made & (train | held_out)
        off = case.sets[Kind.OFF_CLASS].synthetic
        assert set(map(tuple, off.vectors.tolist())) <= set(
            map(tuple, vectors[case.other].tolist())
        )
        assert case.other != case.code
        assert set(off.codes) == {case.code}


def test_cost_is_taken_of_figures_and_of_the_whole() -> None:
    for case in ("kd", WHOLE):
        cost = cost_of(case, 500)
        assert min(cost.seconds, cost.floor, cost.cpu) > 0
        assert cost.peak >= 0


@pytest.fixture(scope="module")
def real_vectors() -> dict[str, np.ndarray]:
    if not (DATA / "pack_pbc128").is_dir():
        pytest.skip("set CYTOSYNTH_DATA to a folder with the PBC pack")
    known = evidence.real_vectors(DATA)
    return {code: known[code] for code in ("BA", "EO", "LY", "MO", "SNE")}


def test_planted_sets_are_told_apart_on_real_cells(real_vectors) -> None:
    """Forty cells of a class train, 25 are held out, and 25 play a good generator."""
    for case in planted(real_vectors):
        for kind, sets in case.sets.items():
            told = told_of(sets, case.code)
            assert [finding.kind for finding in told] == [kind], (case.code, told)


def test_a_class_that_is_never_said_is_among_what_is_compared() -> None:
    drawn = clouds((60, 45), 0)
    assert set(drawn.guesses) == {0, 1, 2}
    assert set(drawn.truth) == {0, 1, 2, 3}
    assert len(set(drawn.chances.tolist())) < len(drawn.chances)
    assert drawn.counts.max() > 1
