import numpy as np
import pytest
from scipy.stats import t as student

from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.learning import use_gate
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.learning.use_gate import (
    RATIOS,
    UseAnswer,
    answer_of,
    ask_use_gate,
    halves,
    lower_bound,
)

DIM = 60
MEANS = np.random.default_rng(1).normal(0, 0.25, (4, DIM))
CODES = ("BA", "LY", "MO", "SNE")


def cells_of(counts: dict[str, int], seed: int = 0, groups: int = 12) -> LabelledCells:
    """Return overlapping classes: a few cells do not tell their means."""
    rng = np.random.default_rng(seed)
    codes = tuple(code for code, n in counts.items() for _ in range(n))
    vectors = np.stack([truly(code, 1, rng)[0] for code in codes])
    names = np.array([f"g{i % groups}" for i in range(len(codes))])
    none = np.zeros((0, 96, 96, 3), np.uint8)
    return LabelledCells(np.arange(len(codes)), codes, none, vectors, "toy", names)


def truly(code: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from the very distribution of a class."""
    noise = rng.normal(size=(n, DIM))
    return (MEANS[CODES.index(code)] + noise).astype(np.float32)


def oracle(cells: LabelledCells, seed: int):
    """Make cells as a perfect generator would: ten for each real one."""
    yield Progress(0, 1, "drawing")
    rng = np.random.default_rng(seed)
    rows = [truly(code, 1, rng)[0] for code in cells.codes for _ in range(10)]
    codes = tuple(code for code in cells.codes for _ in range(10))
    return TrainingSet(np.stack(rows), codes, np.ones(len(codes)))


def repeats(cells: LabelledCells, seed: int):
    """Make ten slightly shaken copies of each cell: nothing new."""
    yield Progress(0, 1, "drawing")
    rng = np.random.default_rng(seed)
    rows = np.repeat(cells.vectors, 10, axis=0)
    codes = tuple(code for code in cells.codes for _ in range(10))
    shaken = rows + rng.normal(0, 1, rows.shape).astype(np.float32)
    return TrainingSet(shaken.astype(np.float32), codes, np.ones(len(codes)))


def nothing(cells: LabelledCells, seed: int):
    """Make none."""
    del seed
    yield Progress(0, 1, "drawing")
    return TrainingSet(
        np.zeros((0, cells.vectors.shape[1]), np.float32), (), np.ones(0)
    )


COUNTS = {"BA": 10, "LY": 24, "MO": 24, "SNE": 24}


@pytest.mark.parametrize("seed", [0, 1])
def test_it_opens_on_a_planted_benefit(seed):
    answer = run_to_end(ask_use_gate(cells_of(COUNTS, seed), oracle, fit_head))
    assert answer.opened
    assert answer.gain > 0.02
    assert answer.low == pytest.approx(lower_bound(np.array(answer.differences)))
    assert answer.ratio in RATIOS
    assert str(answer).startswith("synthetic cells help: +")


@pytest.mark.parametrize("seed", range(4))
def test_it_stays_shut_on_shuffled_labels(seed):
    cells = cells_of(COUNTS, seed)
    codes = np.random.default_rng(seed).permutation(cells.codes)
    none = np.zeros((0, 96, 96, 3), np.uint8)
    shuffled = LabelledCells(
        cells.ids, tuple(codes.tolist()), none, cells.vectors, "toy", cells.groups
    )
    answer = run_to_end(ask_use_gate(shuffled, repeats, fit_head))
    assert not answer.opened
    assert "no benefit found" in str(answer)
    assert "macro-F1" in str(answer)


def test_the_generator_sees_one_half_only():
    cells, seen = cells_of(COUNTS), []

    def watching(train: LabelledCells, seed: int):
        seen.append(set(train.groups.tolist()))
        return (yield from repeats(train, seed))

    tried = []

    def fit(training, **options):
        head = fit_head(training, **options)
        tried.append(training)
        return head

    run_to_end(ask_use_gate(cells, watching, fit))
    assert len(seen) == 10
    everyone = set(cells.groups.tolist())
    for one, other in zip(seen[::2], seen[1::2], strict=True):
        assert not one & other
        assert one | other == everyone
    real = {v.tobytes() for v in cells.vectors}
    for training in tried:
        assert len({v.tobytes() for v in training.vectors} & real) < 0.65 * len(cells)


def test_halves_are_even_in_every_class():
    cells = cells_of({"BA": 5, "LY": 31, "MO": 40}, groups=76)
    for seed in range(5):
        side = halves(cells, np.random.default_rng(seed))
        for code in ("BA", "LY", "MO"):
            own = side[np.array(cells.codes) == code]
            assert abs(2 * own.sum() - len(own)) <= 1


def test_few_groups_are_not_kept_together_and_that_is_said():
    cells = cells_of(COUNTS, groups=3)
    answer = run_to_end(ask_use_gate(cells, repeats, fit_head))
    assert "one by one" in answer.caveat
    assert "one by one" in str(answer)


def test_nothing_made_and_too_few_cells_leave_it_shut():
    answer = run_to_end(ask_use_gate(cells_of(COUNTS), nothing, fit_head))
    assert not answer.opened
    assert "could be made" in str(answer)
    few = cells_of({"LY": 1, "MO": 1})
    answer = run_to_end(ask_use_gate(few, repeats, fit_head))
    assert not answer.opened
    assert "too few" in str(answer)


def test_the_bound_is_the_corrected_t_test():
    rng = np.random.default_rng(0)
    gains = rng.normal(0.01, 0.02, 10)
    spread = gains.std(ddof=1) * np.sqrt(1 / 10 + 1)
    expected = gains.mean() - student.ppf(0.8, 9) * spread
    assert lower_bound(gains) == pytest.approx(expected, abs=1e-5)


def test_the_smallest_ratio_within_reach_of_the_best_is_taken():
    curve = np.array([0.010, 0.021, 0.024, 0.0255])
    answer = answer_of(np.tile(curve, (10, 1)), cells_of(COUNTS), 5.0)
    assert answer.ratio == 2
    assert answer.gain == pytest.approx(0.021)
    found = [answer.curve[key] for key in ("1", "2", "5", "10")]
    assert found == pytest.approx(curve.tolist())


def test_the_ratio_is_chosen_without_the_halves_that_measure_it():
    # One lucky halving at 10 : 1, nothing elsewhere.
    gains = np.zeros((10, len(RATIOS)))
    gains[:2, 3] = 0.5
    answer = answer_of(gains, cells_of(COUNTS), 5.0)
    assert answer.ratio == 10
    assert answer.gain == 0.0
    assert not answer.opened


def test_an_answer_survives_json():
    answer = run_to_end(ask_use_gate(cells_of(COUNTS), repeats, fit_head))
    assert UseAnswer.from_json(answer.to_json()) == answer


def test_same_seed_same_answer():
    first = run_to_end(ask_use_gate(cells_of(COUNTS), repeats, fit_head, seed=3))
    again = run_to_end(ask_use_gate(cells_of(COUNTS), repeats, fit_head, seed=3))
    assert first == again


def test_no_ratio_is_above_ten_to_one():
    assert max(RATIOS) == use_gate.SYNTHETIC_CAP == 10
