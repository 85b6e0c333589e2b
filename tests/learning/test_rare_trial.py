"""The trials of ``bench synthesis``: a perfect and a copying generator are told."""

from collections import Counter

import numpy as np
import pytest

from napari_cytosynth.bench.few_shots import interval
from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.bench.rare_trial import EACH, EmbeddedSet, Trial, Validator
from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.learning.training import joined

CODES = ("BA", "EO", "LY", "MO", "MY", "SNE")
MEANS = np.random.default_rng(0).normal(0, 0.8, (len(CODES), 16))


def truly(code: str, n: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=(n, 16))
    return (MEANS[CODES.index(code)] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def cells() -> EmbeddedSet:
    rng = np.random.default_rng(1)
    codes = np.repeat(CODES, 120)
    vectors = np.concatenate([truly(code, 120, rng) for code in CODES])
    pack = Pack(np.zeros((len(codes), 0, 0, 3), np.uint8), codes)
    source = Counter({code: 100 * (i + 2) for i, code in enumerate(CODES)})
    return EmbeddedSet("toy", "toy:1", pack, vectors, source, built_in("pbc11"))


@pytest.fixture(scope="module")
def trial(cells: EmbeddedSet) -> Trial:
    return Trial(cells, 5, 0)


def test_the_rarest_third_is_cut_down_and_no_cell_serves_twice(cells, trial):
    assert trial.rare == ("BA", "EO")
    counts = Counter(trial.train.codes)
    assert counts == {"BA": 5, "EO": 5, "LY": 40, "MO": 40, "MY": 40, "SNE": 40}
    parts = [set(trial.train.ids.tolist())]
    parts += [set(trial.reference.tolist()), set(trial.held.tolist())]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 720
    other = Trial(cells, 5, 1)
    assert set(other.train.ids.tolist()) != parts[0]


def test_a_perfect_generator_fills_and_copies_nothing(trial):
    rng = np.random.default_rng(2)
    drawn = {code: truly(code, EACH, rng) for code in trial.rare}
    covered, density = trial.filled(drawn)
    assert covered[0] == pytest.approx(1, abs=0.15)
    assert density[0] == pytest.approx(1, abs=0.35)
    assert trial.copied(drawn)[0] == 0
    everything = {code: truly(code, EACH, rng) for code in trial.classes}
    guess = Validator(trial, "kernel")
    real = trial.recognised(trial.held_as_drawn(trial.classes), guess)
    assert trial.recognised(everything, guess)[0] / real[0] == pytest.approx(1, abs=0.1)


def test_copies_and_one_point_for_all_are_told(trial):
    own = {
        code: trial.train.vectors[[c == code for c in trial.train.codes]]
        for code in trial.rare
    }
    shaken = {code: np.tile(v, (6, 1)) + np.float32(0.01) for code, v in own.items()}
    assert trial.copied(shaken)[0] == 1
    collapsed = {code: np.tile(v[:1], (EACH, 1)) for code, v in own.items()}
    assert trial.filled(collapsed)[0][0] < 0.5


def test_a_class_of_which_nothing_passed_covers_nothing(trial):
    rng = np.random.default_rng(2)
    whole = {code: truly(code, EACH, rng) for code in trial.rare}
    covered, density = trial.filled(whole)
    first = trial.rare[0]
    half, same = trial.filled({**whole, first: whole[first][:0]})
    assert half[0] == pytest.approx(covered[0] / 2, abs=0.1)
    assert same[0] == pytest.approx(density[0], abs=0.35)


def test_gains_are_measured_on_cells_that_did_not_train(trial):
    rng = np.random.default_rng(3)
    added = [truly(code, 35, rng) for code in trial.rare]
    codes = [code for code in trial.rare for _ in range(35)]
    train = trial.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    better = trial.head_scores(joined(alone, np.concatenate(added), codes))
    gain = better - trial.baseline
    value, low, high = interval(gain[:1])
    assert value == gain[0, 0] > 0
    assert low < value < high


def test_shuffled_labels_leave_nothing_to_learn(cells):
    shuffled = Trial(cells, 5, 0, shuffled=True)
    assert Counter(shuffled.train.codes) == Counter(Trial(cells, 5, 0).train.codes)
    assert shuffled.baseline[0, 0] < 0.3 < Trial(cells, 5, 0).baseline[0, 0]
