import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.protocols import Batch, Critic, Reference
from napari_cytosynth.core.provenance import Provenance, SyntheticCell, SyntheticVector
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.synthesis.appearance import describe, lab_to_rgb, rgb_to_lab
from napari_cytosynth.synthesis.critics import copy
from napari_cytosynth.synthesis.critics.agreement import (
    PASSING,
    PRECISION,
    AgreementCritic,
    _bars,
)
from napari_cytosynth.synthesis.critics.copy import CopyCritic
from napari_cytosynth.synthesis.starter import (
    load_starter,
    load_training_looks,
    load_training_thumbnails,
)

ORIGIN = Provenance("toy", "0" * 64, {}, 0, (), "0", "2026-01-01T00:00:00+00:00")


def pixels(crops, code):
    return Batch(tuple(SyntheticCell(c, code, ORIGIN) for c in crops), 0)


def vectors(rows, code):
    return Batch(tuple(SyntheticVector("toy:1", v, code, ORIGIN) for v in rows), 0)


def reference_of(cells):
    return Reference(cells, describe(cells.crops), describe)


@pytest.fixture(scope="module")
def reference(cells_of):
    return reference_of(cells_of({"SNE": 40, "LY": 30, "MO": 6}))


@pytest.fixture(scope="module")
def fresh(cells_of):
    return cells_of({"SNE": 10, "LY": 10, "MO": 10}, seed=77)


@pytest.mark.parametrize("critic", [AgreementCritic(), CopyCritic()])
def test_each_item_gets_a_number_and_a_reason(critic, reference, fresh):
    assert isinstance(critic, Critic)
    for batch in (pixels(fresh.crops[:3], "SNE"), vectors(fresh.vectors[:3], "SNE")):
        found = critic.assess(batch, reference)
        assert len(found) == 3
        assert all(np.isfinite(a.score) and len(a.reason) > 20 for a in found)
        assert {a.critic for a in found} == {critic.key}
    assert critic.assess(Batch((), 0), reference) == []


@pytest.mark.parametrize("make", [pixels, vectors])
def test_agreement_passes_the_right_class_and_vetoes_the_wrong(make, reference, fresh):
    rows = (fresh.crops if make is pixels else fresh.vectors)[:10]
    critic = AgreementCritic()
    right = [a.passed for a in critic.assess(make(rows, "SNE"), reference)]
    wrong = [a.passed for a in critic.assess(make(rows, "LY"), reference)]
    assert sum(right) >= 8
    assert sum(wrong) <= 1


def test_agreement_says_when_it_cannot_tell(cells_of, fresh):
    reference = reference_of(cells_of({"SNE": 20, "LY": 20, "MO": 2}))
    few = AgreementCritic().assess(pixels(fresh.crops[:1], "MO"), reference)[0]
    none = AgreementCritic().assess(pixels(fresh.crops[:1], "BA"), reference)[0]
    assert few.passed
    assert "Not calibrated (n = 2)" in few.reason
    assert "Not calibrated (n = 0)" in none.reason


def test_agreement_needs_two_classes(cells_of, fresh):
    reference = reference_of(cells_of({"SNE": 20}))
    found = AgreementCritic().assess(pixels(fresh.crops[:1], "SNE"), reference)[0]
    assert found.passed
    assert "nothing to tell it from" in found.reason


def test_agreement_survives_no_real_cells(cells_of, fresh):
    found = AgreementCritic().assess(
        pixels(fresh.crops[:1], "SNE"), reference_of(cells_of({}))
    )
    assert found[0].passed


def test_agreement_with_few_groups_deals_cells(cells_of, fresh):
    cells = cells_of({"SNE": 20, "LY": 20})
    cells = replace(cells, groups=np.full(40, "one slide"))
    found = AgreementCritic().assess(
        pixels(fresh.crops[:5], "SNE"), reference_of(cells)
    )
    assert sum(a.passed for a in found) >= 4


def test_copies_are_vetoed_however_turned(reference, fresh):
    turned = np.rot90(reference.cells.crops[:5], 3, axes=(1, 2))[:, :, ::-1]
    critic = CopyCritic()
    assert not any(a.passed for a in critic.assess(pixels(turned, "SNE"), reference))
    new = [a.passed for a in critic.assess(pixels(fresh.crops, "SNE"), reference)]
    assert sum(new) >= 27
    found = critic.assess(pixels(turned, "SNE"), reference)
    assert "(1)" in found[0].reason
    assert [a.nearest for a in found] == reference.cells.ids[:5].tolist()


def test_rare_cells_are_all_compared_with_where_cells_are_many(cells_of, monkeypatch):
    monkeypatch.setattr(copy, "MAX_REAL", 16)
    reference = reference_of(cells_of({"SNE": 60, "MO": 8}))
    rare = reference.cells.take(np.array(reference.cells.codes) == "MO")
    found = CopyCritic().assess(pixels(rare.crops, "MO"), reference)
    assert not any(a.passed for a in found)
    assert [a.nearest for a in found] == rare.ids.tolist()


def test_vectors_that_copy_are_vetoed(reference, fresh):
    near = reference.cells.vectors[:5] + np.float32(1e-3)
    critic = CopyCritic()
    assert not any(a.passed for a in critic.assess(vectors(near, "SNE"), reference))
    new = [a.passed for a in critic.assess(vectors(fresh.vectors, "SNE"), reference)]
    assert sum(new) >= 27


def test_without_real_cells_nothing_is_a_copy(cells_of, fresh):
    reference = reference_of(cells_of({}))
    for batch in (pixels(fresh.crops[:2], "SNE"), vectors(fresh.vectors[:2], "SNE")):
        found = CopyCritic().assess(batch, reference)
        assert all(a.passed and "n = 0" in a.reason for a in found)
        assert all(a.nearest is None for a in found)


def test_one_real_cell_is_copied_only_by_itself(cells_of, fresh):
    cells = cells_of({"SNE": 1})
    reference = reference_of(cells)
    critic = CopyCritic()
    assert not critic.assess(pixels(cells.crops, "SNE"), reference)[0].passed
    turned = np.rot90(cells.crops, axes=(1, 2))
    assert not critic.assess(pixels(turned, "SNE"), reference)[0].passed
    assert critic.assess(pixels(fresh.crops[10:11], "LY"), reference)[0].passed


def test_painted_cells_are_compared_with_the_training_cells(reference):
    trained, _ = load_training_thumbnails()
    crops = np.kron(trained[[10, 500]], np.ones((1, 6, 6), np.uint8))
    crops = np.repeat(crops[..., None], 3, axis=3)
    for generator, passes in (("latent", False), ("other", True)):
        origin = replace(ORIGIN, generator=generator)
        items = tuple(SyntheticCell(c, "SNE", origin) for c in crops)
        found = CopyCritic().assess(Batch(items, 0), reference)
        assert [a.passed for a in found] == [passes, passes]
        assert ("training cell" in found[0].reason) is not passes
        assert [a.trained for a in found] == ([None, None] if passes else [10, 500])


def test_painted_cells_are_compared_with_the_embeddings_of_the_training_cells(
    reference, fresh, monkeypatch
):
    """A cell whose look is that of a training cell is a copy, whatever its pixels."""
    painted = fresh.crops[[0, 5]]
    look = load_starter().space.looks(StarterEmbedder().embed(painted[:1]))
    known = load_training_looks()[:50].copy()
    known[7] = look[0]
    monkeypatch.setattr(copy, "load_training_looks", lambda: known)
    copy._training_looks.cache_clear()
    origin = replace(ORIGIN, generator="latent")
    items = tuple(SyntheticCell(c, "SNE", origin) for c in painted)
    first, second = CopyCritic().assess(Batch(items, 0), reference)
    copy._training_looks.cache_clear()
    assert not first.passed
    assert first.trained == 7
    assert "training cell by its embedding" in first.reason
    assert "by its embedding" not in second.reason


@pytest.mark.parametrize("change", ["jpeg", "moved", "stained", "all"])
def test_copies_that_were_changed_a_little_are_vetoed(cells_of, change):
    rng = np.random.default_rng(4)
    real = blotches(rng, 130)
    cells = replace(cells_of({"SNE": 120}), crops=real[:120])
    copies = np.stack([CHANGES[change](crop, rng) for crop in real[:20]])
    assert not any(np.array_equal(a, b) for a, b in zip(copies, real, strict=False))
    critic, reference = CopyCritic(), reference_of(cells)
    said = critic.assess(pixels(copies, "SNE"), reference)
    assert not any(a.passed for a in said)
    assert [a.nearest for a in said] == cells.ids[:20].tolist()
    assert all(a.passed for a in critic.assess(pixels(real[120:], "SNE"), reference))


def blotches(rng, n):
    """Return uint8[n, 96, 96, 3] of dark spots, each crop unlike the others."""
    rows = np.arange(96)
    crops = np.full((n, 96, 96, 3), 225.0)
    for crop in crops:
        for y, x, r in rng.uniform((15, 15, 6), (81, 81, 16), (6, 3)):
            crop[np.hypot(rows[:, None] - y, rows - x) < r] = rng.uniform(60, 190, 3)
    return np.clip(crops + rng.normal(0, 4, crops.shape), 0, 255).astype(np.uint8)


def jpeg(crop, rng):
    stream = io.BytesIO()
    Image.fromarray(crop).save(stream, "JPEG", quality=60)
    return np.asarray(Image.open(stream))


def moved(crop, rng):
    y, x = rng.choice([-2, -1, 1, 2], 2)
    return np.pad(crop, ((4, 4), (4, 4), (0, 0)), "edge")[4 + y : 100 + y, 4 + x :][
        :, :96
    ]


def stained(crop, rng):
    lab = rgb_to_lab(crop) * rng.uniform(0.9, 1.1, 3) + rng.uniform(-5, 5, 3)
    return lab_to_rgb(lab)


CHANGES = {
    "jpeg": jpeg,
    "moved": moved,
    "stained": stained,
    "all": lambda crop, rng: jpeg(stained(moved(np.rot90(crop)[::-1], rng), rng), rng),
}


def test_what_passes_depends_on_the_bar_only(cells_of, fresh):
    """Cells that just reach the bar are not thinned out: no chance, no second bar."""
    cells = cells_of({"SNE": 40, "LY": 40})
    between = np.linspace(0, 1, 41)[:, None] * (
        cells.crops[45].astype(float) - cells.crops[3]
    ).reshape(1, -1)
    blends = (cells.crops[3].reshape(1, -1) + between).reshape(-1, 96, 96, 3)
    critic, reference = AgreementCritic(), reference_of(cells)
    said = critic.assess(pixels(blends.astype(np.uint8), "LY"), reference)
    (bar,) = {float(a.reason.split("bar is ")[1].split(",")[0]) for a in said}
    scores = np.array([a.score for a in said])
    assert {True, False} == {a.passed for a in said}
    lowest = min(a.score for a in said if a.passed)
    assert lowest == scores[scores >= bar - 0.005].min()
    assert [a.passed for a in said] == (scores >= lowest).tolist()


def test_the_bar_of_a_rare_class_is_drawn_towards_that_of_all(cells_of):
    rng = np.random.default_rng(0)
    labels = np.array(["A"] * 200 + ["B"] * 200 + ["C"] * 8)
    truth = labels[:, None] == np.array(["A", "B", "C"])
    logits = 2.5 * truth + rng.normal(size=(408, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    bars = _bars(p, labels, ["A", "B", "C"])
    for j, code in enumerate("AB"):
        above = p[:, j] >= bars[code].height
        share = [above[labels == c].mean() for c in "ABC"]
        assert share[j] / sum(share) >= PRECISION
        assert bars[code].judge(code, 0.99).calibrated
        assert bars[code].judge(code, bars[code].height).passed
    few = bars["C"].judge("C", 0.99)
    assert "Not calibrated (n = 8)" in few.reason
    assert not few.calibrated
    assert not few.abstained
    own = [_bars(p, labels, ["A", "B", "C"])]
    again = _bars(
        np.vstack([p, np.repeat(p[400:], 3, 0)]),
        np.append(labels, ["C"] * 24),
        ["A", "B", "C"],
    )["C"]
    assert again.n == 32
    assert own[0]["C"].height != again.height


def test_a_bar_refuses_no_more_than_a_third_of_its_own_real_cells():
    """Of classes that run into each other, no bar reaches the precision."""
    rng = np.random.default_rng(0)
    labels = np.array(["A"] * 90 + ["B"] * 90 + ["C"] * 90)
    alike = np.array([[3, 2.5, 0], [2.5, 3, 0], [0, 0, 4]])
    logits = alike[np.repeat(range(3), 90)] + rng.normal(size=(270, 3)) / 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    bars = _bars(p, labels, ["A", "B", "C"])
    for j, code in enumerate("ABC"):
        own = p[labels == code, j]
        assert bars[code].passing == (own >= bars[code].height).mean() >= PASSING
        said = bars[code].judge(code, 0.99)
        assert f"which {bars[code].passing:.0%} of the real {code} reach" in said.reason
    assert bars["A"].passing == pytest.approx(PASSING, abs=0.02)
    assert bars["A"].precision < PRECISION
    assert bars["C"].precision >= PRECISION


def test_only_a_model_that_never_saw_its_source_judges_a_variation(cells_of):
    reference = reference_of(cells_of({"SNE": 40, "LY": 30}))
    critic = AgreementCritic()
    row = 35
    between = reference.cells.crops[[row, 60]].astype(float).mean(axis=0)
    crop = between.astype(np.uint8)[None]
    origin = replace(ORIGIN, parents=(int(reference.cells.ids[row]),))
    varied = Batch((SyntheticCell(crop[0], "SNE", origin),), 0)
    (alone,) = critic.assess(varied, reference)
    (mean,) = critic.assess(pixels(crop, "SNE"), reference)
    jury = critic._known[2]
    fold = jury.folds[int(reference.cells.ids[row])]
    unseen = jury.models[fold].probability(describe(crop).astype(float), "SNE")
    assert alone.score == pytest.approx(float(unseen[0]))
    assert alone.score != mean.score
