"""Fidelity and memorisation of planted sets, in clouds and on real cells' vectors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.bench.planted import labelled
from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.agreement import measure_agreement
from napari_cytosynth.evidence.fidelity import measure_fidelity
from napari_cytosynth.evidence.figures import FIGURES, Fidelity
from napari_cytosynth.evidence.findings import Kind, findings_of
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import (
    HELD_OUT,
    LEFT_OUT,
    PAIRS,
    Memorisation,
    measure_memorisation,
)
from napari_cytosynth.evidence.sets import ALL, Sets, SyntheticSet
from napari_cytosynth.metrics.coverage import coverage
from napari_cytosynth.metrics.same_size import splits
from napari_cytosynth.testing.tiny import tiny_synthetic

CLASSES = ("SNE", "LY", "BA")
DIM = 24
MEANS = dict(zip(CLASSES, np.random.default_rng(5).normal(size=(3, DIM)), strict=True))
SPREAD = np.linspace(1.6, 0.2, DIM)


def _draw(code: str, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng([seed, CLASSES.index(code)]).normal(size=(n, DIM))
    return (MEANS[code] + SPREAD * noise).astype(np.float32)


def _cells(n: int, seed: int, first: int) -> LabelledCells:
    return labelled({code: _draw(code, n, seed) for code in CLASSES}, first)


def _made(code: str, vectors: np.ndarray) -> SyntheticSet:
    n = len(vectors)
    return SyntheticSet(np.arange(500, 500 + n), (code,) * n, np.float32(vectors))


def _sets(made: np.ndarray, *, train: int = 40, held_out: int = 26) -> Sets:
    real = _cells(train, 1, 1), _cells(held_out, 2, 1000)
    return Sets(*real, _made("BA", made), CLASSES)


def _inspected(sets: Sets, code: str) -> Inspection:
    agreed = run_to_end(measure_agreement(sets))
    fidelity = run_to_end(measure_fidelity(sets, code)).having(agreed[code])
    memorisation = run_to_end(measure_memorisation(sets))
    own = tuple(m for m in memorisation if m.code == code)
    return Inspection("cells", "fake", (fidelity,), own, (), 0)


def _kinds(sets: Sets, code: str = "BA") -> list[Kind]:
    return [finding.kind for finding in _inspected(sets, code).findings]


def _planted() -> dict[Kind, np.ndarray]:
    rng, n = np.random.default_rng(3), 26
    noise = SPREAD * rng.normal(size=(n, DIM))
    return {
        Kind.GOOD: _draw("BA", n, 9),
        Kind.COPIES: _cells(40, 1, 1).vectors[80 : 80 + n] + 0.02 * noise,
        Kind.OFF_CLASS: _draw("LY", n, 9),
        Kind.COLLAPSED: _draw("BA", 1, 9) + 0.05 * noise,
        Kind.UNLIKE: MEANS["BA"] + 2.5 * noise,
    }


@pytest.mark.parametrize("kind", list(_planted()))
def test_planted_sets_are_told_apart_with_the_right_words(kind: Kind) -> None:
    sets = _sets(_planted()[kind])
    assert _kinds(sets) == [kind]
    assert _kinds(sets, ALL) == [kind]


@pytest.mark.parametrize("kind", [Kind.GOOD, Kind.COPIES, Kind.COLLAPSED])
def test_planted_sets_are_told_apart_without_held_out_cells(kind: Kind) -> None:
    sets = _sets(_planted()[kind], held_out=3)
    assert _kinds(sets) == [kind]
    (found, _) = run_to_end(measure_memorisation(sets))
    assert found.beside == LEFT_OUT
    assert found.copying is None
    assert "20 held-out" in found.hidden


def test_words_hold_the_numbers_of_both_sides() -> None:
    planted = _planted()
    told = {
        kind: str(_inspected(_sets(made), "BA").findings[0])
        for kind, made in planted.items()
    }
    assert told[Kind.COPIES].startswith("BA: copies. 100% [87%, 100%] lie at less than")
    assert "of held-out cells 0% [0%, 13%]" in told[Kind.COPIES]
    assert "0% [0%, 13%] of them the class that was asked" in told[Kind.OFF_CLASS]
    assert "look like 1.0 different cells, 26 real ones" in told[Kind.COLLAPSED]
    assert "With 26 cells a side only large faults show" in told[Kind.GOOD]


def test_altered_copies_are_told_where_the_one_third_rule_is_silent() -> None:
    real = _cells(150, 1, 1), _cells(80, 2, 1000)
    noise = np.random.default_rng(0).normal(size=(80, DIM))
    altered = real[0].vectors[300:380] + 0.6 * SPREAD * noise
    inspection = _inspected(Sets(*real, _made("BA", altered), CLASSES), "BA")
    (finding,) = inspection.findings
    assert finding.kind is Kind.NEAR
    assert "Averages of cells look so, and so do altered copies" in finding.sentence
    (found,) = inspection.memorisation
    assert found.third.synthetic.value < 0.05
    assert found.authentic.real is not None
    assert found.authentic.synthetic.high < found.authentic.real.low


def test_averages_of_cells_are_too_much_alike() -> None:
    """What SMOTE makes, from pairs that lie far apart."""
    real = _cells(150, 1, 1), _cells(80, 2, 1000)
    own, rng = real[0].vectors[300:], np.random.default_rng(0)
    pairs = rng.integers(150, size=(80, 2))
    mixed = (own[pairs[:, 0]] + own[pairs[:, 1]]) / 2
    assert _kinds(Sets(*real, _made("BA", mixed), CLASSES)) == [Kind.COLLAPSED]


def test_a_set_of_another_mean_is_different_as_a_set_only() -> None:
    real = _cells(150, 1, 1), _cells(80, 2, 1000)
    moved = _draw("BA", 80, 9) + 0.5 * SPREAD
    assert _kinds(Sets(*real, _made("BA", moved), CLASSES)) == [Kind.SHIFTED]


def test_good_sets_are_hardly_ever_blamed() -> None:
    real = _cells(40, 1, 1), _cells(26, 2, 1000)
    blamed = 0
    for seed in range(12):
        made = _made("BA", _draw("BA", 26, 100 + seed))
        blamed += _kinds(Sets(*real, made, CLASSES, seed)) != [Kind.GOOD]
    assert blamed <= 1


def test_figures_stand_beside_real_cells_at_the_same_size() -> None:
    fidelity = run_to_end(measure_fidelity(_sets(_draw("BA", 29, 9)), "BA"))
    assert (fidelity.real, fidelity.synthetic) == (66, 29)
    assert [f.key for f in fidelity.figures] == list(FIGURES)[:8]
    for figure in fidelity.figures:
        assert figure.beside is not None
        assert figure.beside.n == 29
        assert figure.beside.repeats == 10
        assert np.isfinite(figure.beside.real_spread)


def test_the_frechet_distance_is_hidden_under_as_many_cells_as_dimensions() -> None:
    few = run_to_end(measure_fidelity(_sets(_draw("BA", DIM - 1, 9)), "BA"))
    assert few["fd"].beside is None
    assert few["fd"].hidden == "23 cells a side are fewer than the 24 dimensions"
    assert few["kd"].beside is not None
    enough = run_to_end(measure_fidelity(_sets(_draw("BA", DIM, 9)), "BA"))
    assert enough["fd"].beside is not None


def test_few_cells_are_not_judged() -> None:
    sets = _sets(_draw("BA", 9, 9), train=8, held_out=4)
    inspection = _inspected(sets, "BA")
    assert all(f.beside is None and f.hidden for f in inspection.classes[0].figures)
    (finding,) = inspection.findings
    assert finding.kind is Kind.UNKNOWN
    assert "9 synthetic and 12 real cells are too few" in finding.sentence


def test_few_real_cells_bring_a_warning() -> None:
    few, _ = run_to_end(measure_memorisation(_sets(_draw("BA", 20, 9), train=29)))
    enough, _ = run_to_end(measure_memorisation(_sets(_draw("BA", 20, 9), train=30)))
    assert "only 29 real training cells" in few.warning
    assert enough.warning == ""
    (good,) = _inspected(_sets(_draw("BA", 26, 9), train=29), "BA").findings
    assert good.kind is Kind.GOOD
    assert "Caution: only 29 real training cells" in good.sentence


def test_over_all_classes_the_mixture_is_that_of_the_synthetic_cells() -> None:
    """A hundred of one class and twenty of another are no fault by themselves."""
    real = _cells(80, 1, 1), _cells(40, 2, 1000)
    made = SyntheticSet(
        np.arange(80),
        ("BA",) * 60 + ("LY",) * 20,
        np.concatenate([_draw("BA", 60, 9), _draw("LY", 20, 9)]),
    )
    sets = Sets(*real, made, CLASSES)
    fidelity = run_to_end(measure_fidelity(sets))
    assert fidelity["kd"].beside is not None
    assert fidelity["kd"].beside.n == 80
    assert (fidelity.real, fidelity.synthetic) == (240, 80)
    assert _kinds(sets, ALL) == [Kind.GOOD]


def test_nearest_pairs_name_both_cells() -> None:
    made = _draw("BA", 30, 9)
    own = _cells(40, 1, 1).vectors[80:]
    made[7] = own[5] + 1e-4
    made[8] = own[6]
    sets = _sets(made)
    found, _ = run_to_end(measure_memorisation(sets))
    assert len(found.pairs) == PAIRS
    exact, near, *others = found.pairs
    # BA are the last forty of the training cells, whose ids begin with 1.
    assert (exact.synthetic, exact.real, exact.copy) == (508, 87, True)
    assert (near.synthetic, near.real, near.copy) == (507, 86, True)
    assert near.ratio < 0.01
    assert not any(pair.copy for pair in others)
    distances = [pair.distance for pair in others]
    assert distances == sorted(distances)


def test_copies_of_cells_of_another_class_are_found() -> None:
    copied = _cells(40, 1, 1).vectors[:20] + 1e-3
    found, _ = run_to_end(measure_memorisation(_sets(copied)))
    assert found.beside == HELD_OUT
    assert found.third.synthetic.value == 1
    assert found.authentic.synthetic.value == 0
    assert found.authentic.real is not None
    assert found.authentic.real.value > 0.3


def test_without_training_cells_nothing_can_be_copied() -> None:
    sets = replace(_sets(_draw("BA", 20, 9)), train=_cells(0, 1, 1))
    assert run_to_end(measure_memorisation(sets)) == ()
    fidelity = run_to_end(measure_fidelity(sets, "BA"))
    agreed = run_to_end(measure_agreement(sets))["BA"]
    (finding,) = findings_of(fidelity.having(agreed), None)
    assert finding.kind is Kind.UNKNOWN


def test_a_validator_weighs_classes_alike() -> None:
    """All basophils wrong, all lymphocytes right: two of three or a half."""
    made = SyntheticSet(
        np.arange(60),
        ("BA",) * 20 + ("LY",) * 40,
        np.concatenate([_draw("SNE", 20, 9), _draw("LY", 40, 9)]),
    )
    sets = Sets(_cells(60, 1, 1), _cells(40, 2, 1000), made, CLASSES)
    agreed = run_to_end(measure_agreement(sets))
    (own,), (both, macro) = agreed["BA"], agreed[ALL]
    assert own.beside is not None
    assert both.beside is not None
    assert macro.beside is not None
    assert own.beside.value < 0.1
    assert both.beside.value == pytest.approx(2 / 3, abs=0.05)
    assert macro.beside.value == pytest.approx(1 / 2, abs=0.06)
    assert macro.beside.real > 0.95


def test_chance_is_the_seeds_and_each_parts_own() -> None:
    sets = _sets(_draw("BA", 20, 9))
    first = run_to_end(measure_fidelity(sets, "BA"))
    assert run_to_end(measure_fidelity(sets, "BA")) == first
    assert run_to_end(measure_fidelity(replace(sets, seed=1), "BA")) != first


def test_an_inspection_survives_json() -> None:
    inspection = _inspected(_sets(_draw("BA", 20, 9)), "BA")
    data = json.loads(json.dumps(inspection.to_json(), allow_nan=False))
    assert Inspection.from_json(data) == inspection
    assert data["findings"][0]["kind"] == "no fault found"
    assert "not a medical device" in data["notice"]
    assert Fidelity.from_json(data["classes"][0]) == inspection.classes[0]
    (found,) = data["memorisation"]
    assert Memorisation.from_json(found) == inspection.memorisation[0]


def test_no_synthetic_cell_stands_on_the_real_side() -> None:
    pbc11 = built_in("pbc11")
    made, real = _made("BA", _draw("BA", 5, 9)), _cells(20, 1, 1)
    with pytest.raises(ProvenanceError, match="SyntheticSet was given as the real"):
        Sets(made, real, made, CLASSES)  # type: ignore[arg-type]
    with pytest.raises(ProvenanceError, match="'held_out'"):
        Sets(real, tiny_synthetic(pbc11, "BA", 3), made, CLASSES)  # type: ignore[arg-type]
    with pytest.raises(ProvenanceError, match="no real cell is judged"):
        Sets(real, real, real, CLASSES)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Each object needs one"):
        SyntheticSet(np.arange(2), ("BA",), np.zeros((2, 3), np.float32))


def test_a_figure_is_the_mean_of_the_metric_over_the_splits() -> None:
    sets = _sets(_draw("BA", 30, 9))
    found = run_to_end(measure_fidelity(sets, "BA"))["coverage"].beside
    assert found is not None
    real = sets.real_points[sets.rows(sets.real_codes, "BA")]
    drawn = list(splits(len(real), 30, sets.rng("BA"), 10))
    made = [coverage(real[s.half], sets.synthetic_points[s.fake]) for s in drawn]
    own = [coverage(real[s.half], real[s.other]) for s in drawn]
    assert found.value == pytest.approx(np.mean([c.coverage for c in made]))
    assert found.real == pytest.approx(np.mean([c.coverage for c in own]))
    assert found.real_spread == pytest.approx(np.std([c.coverage for c in own]))
