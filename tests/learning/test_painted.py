"""What ``bench synthesis`` tells of painted cells: the whole road, on made-up ones."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.bench.copies import copies_of_cells
from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.bench.painted import (
    SHOTS_PEER,
    TRAINING_PEER,
    Brush,
    copied_pictures,
    measure_painted,
)
from napari_cytosynth.bench.rare_trial import REPEATS, EmbeddedSet, Trial
from napari_cytosynth.bench.synthesis import decided
from napari_cytosynth.bench.texture import texture_auc
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.morphology import MorphologyEmbedder
from napari_cytosynth.learning.use_gate import unanswered
from napari_cytosynth.testing.fakes import FakeCellGenerator

CODES = ("BA", "EO", "LY")
LOOKS = {"BA": (14, (90, 50, 130)), "EO": (22, (150, 70, 90)), "LY": (18, (50, 40, 90))}


def crop(code: str, rng: np.random.Generator) -> np.ndarray:
    """Return a disc in the size and colour of a class, on a pale field."""
    axis = np.arange(96) - 47.5
    distance = np.hypot(
        axis[:, None] + rng.normal(0, 3), (axis + rng.normal(0, 3)) * rng.uniform(1, 2)
    )
    radius, colour = LOOKS[code]
    found = np.full((96, 96, 3), (235, 220, 205), np.float64)
    found[distance < radius + rng.normal(0, 1)] = colour
    return np.clip(found + rng.normal(0, 6, found.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trial() -> Trial:
    rng = np.random.default_rng(0)
    codes = np.repeat(CODES, 40)
    crops = np.stack([crop(code, rng) for code in codes])
    vectors = MorphologyEmbedder().embed(crops)
    source = Counter({code: 100 * (i + 2) for i, code in enumerate(CODES)})
    cells = EmbeddedSet(
        "toy", "morphology", Pack(crops, codes), vectors, source, built_in("pbc11")
    )
    return Trial(cells, 5, 0)


def test_painted_cells_are_told_before_and_after_the_gate(trial: Trial) -> None:
    made = measure_painted(trial, Brush(FakeCellGenerator(), each=6), trial.rare)
    told = {key[0] for key in made.rows}
    assert {"coverage_ratio", "first_pass_ratio", "acceptance", "texture_auc"} <= told
    assert all(values.shape == (REPEATS + 1,) for values in made.rows.values())
    share = made.rows["acceptance", "", "BA", ""]
    np.testing.assert_array_equal(share, made.rows["acceptance", "", "", ""])
    passed = "gated_ratio" in told
    assert (share[0] > 0) == passed == (made.answer is not None)


def test_copies_are_told_by_picture_and_new_cells_are_not(trial: Trial) -> None:
    shots = trial.train.crops[:8]
    turned = np.rot90(shots, axes=(1, 2))
    assert copies_of_cells(turned, trial.train.crops).all()
    rng = np.random.default_rng(9)
    new = np.stack([crop("BA", rng) for _ in range(8)])
    assert copies_of_cells(new, trial.train.crops).mean() < 0.5
    vectors = trial.train.vectors[:8]
    peers = {key[1] for key in copied_pictures(trial, turned, vectors, "latent")}
    assert peers == {SHOTS_PEER, TRAINING_PEER}
    other = copied_pictures(trial, turned, vectors, "fake")
    assert {key[1] for key in other} == {SHOTS_PEER}


def test_texture_tells_blurred_cells_and_not_equal_ones(trial: Trial) -> None:
    rng = np.random.default_rng(3)
    first, second = (np.stack([crop("EO", rng) for _ in range(40)]) for _ in range(2))
    assert texture_auc(first, second) == pytest.approx(0.5, abs=0.25)
    blurred = (second[:, ::2, ::2].repeat(2, axis=1)).repeat(2, axis=2)
    assert texture_auc(first, blurred) > 0.95


def test_a_shut_gate_lets_no_gain_and_no_harm_through() -> None:
    gains = np.array([[0.1, 0.2], [-0.3, -0.2], [0.5, 0.5]])
    answers = [unanswered(9, "why"), replace(unanswered(9, "why"), opened=True)]
    np.testing.assert_array_equal(decided(gains, answers), [[0, 0], [-0.3, -0.2]])
