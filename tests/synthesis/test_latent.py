import json
import shutil

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, UnknownClassError, WeightsError
from napari_cytosynth.core.protocols import CellGenerator, Request, Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis.appearance import Stain
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.synthesis.starter import (
    FOLDER,
    load_starter,
    load_training_looks,
    load_training_thumbnails,
)

QUICK = {"steps": 1}


@pytest.fixture(scope="module")
def generator(starter_folder):
    return LatentGenerator(starter_folder)


@pytest.fixture(scope="module")
def expressive(starter_folder):
    """A generator that follows its condition strongly, though hardly trained."""
    import torch

    generator = LatentGenerator(starter_folder)
    rng = torch.Generator().manual_seed(0)
    generator.net.class_table.weight.mul_(20)
    last = generator.net.look[-1].weight
    last.copy_(20 * torch.randn(last.shape, generator=rng))
    return generator


def ask(code, count, *, seed=1, start=0, taxonomy="pbc11", config=QUICK):
    return Request(code, count, seed, built_in(taxonomy), start, config)


def draw(generator, request, weights=Weights({})):  # noqa: B008 - immutable
    batches = generator.generate(request, weights, np.random.default_rng(0))
    return [item for batch in batches for item in batch.items]


def fit(generator, cells, **config):
    return run_to_end(generator.fit(cells, config))


def test_it_is_a_generator(generator):
    assert isinstance(generator, CellGenerator)


def test_draws_depend_on_seed_class_and_number_only(generator):
    whole = draw(generator, ask("LY", 6))
    part = draw(generator, ask("LY", 3, start=2))
    for a, b in zip(whole[2:5], part, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
    other = draw(generator, ask("LY", 1, seed=2))
    assert (other[0].pixels != whole[0].pixels).any()
    assert (draw(generator, ask("SNE", 1))[0].pixels != whole[0].pixels).any()


def test_batches_are_numbered_and_small(generator):
    batches = list(
        generator.generate(ask("LY", 7, start=3), Weights({}), np.random.default_rng())
    )
    full = [(b.start, len(b)) for b in batches if len(b)]
    assert full == [(3, 1), (4, 4), (8, 2)]
    signs = [b.start for b in batches if not len(b)]
    assert signs == sorted(signs)
    assert len(signs) == 3 * QUICK["steps"]


def test_every_cell_says_how_it_was_made(generator, cells):
    weights = fit(generator, cells)
    cell = draw(generator, ask("BA", 1), weights)[0]
    made = cell.provenance
    assert cell.code == "BA"
    assert made.generator == "latent"
    assert made.config["real cells"] == 0
    assert made.config["stain"]["cells"] == len(cells)
    assert made.config["starter"] == generator.starter.sha256
    assert json.dumps(made.to_json())
    assert made.weights != draw(generator, ask("BA", 1))[0].provenance.weights


def test_stain_moves_towards_the_real_cells(generator, cells_of):
    cells = cells_of({"SNE": 30, "LY": 30})
    bluish = np.clip(cells.crops * np.array([0.7, 0.8, 1.05]), 0, 255).astype(np.uint8)
    object.__setattr__(cells, "crops", bluish)
    weights = fit(generator, cells)

    def mean(config):
        drawn = draw(generator, ask("LY", 4, config={**QUICK, **config}), weights)
        return Stain.of(np.stack([c.pixels for c in drawn])).mean

    moved = mean({}) - mean({"match_stain": False})
    assert moved[0] < -3
    assert moved[2] < -3


def test_classes_are_matched_by_concept(generator):
    assert draw(generator, ask("NGS", 1, taxonomy="aml15"))[0].code == "NGS"
    assert draw(generator, ask("NEU", 1, taxonomy="blood5"))[0].code == "NEU"


def test_an_unknown_class_without_real_cells_is_refused(generator, cells):
    with pytest.raises(UnknownClassError, match="Label 3 or more"):
        draw(generator, ask("BLA", 1, taxonomy="marrow21"), fit(generator, cells))


def test_an_unknown_class_is_learned_from_real_cells(generator, cells_of):
    cells = cells_of({"PLM": 4, "LYT": 4})
    weights = fit(generator, cells, tune_steps=2)
    assert weights.meta["tuned"] == ["PLM"]
    cell = draw(generator, ask("PLM", 1, taxonomy="marrow21"), weights)[0]
    assert cell.provenance.config["tuned"]
    assert cell.provenance.parents == (1, 2, 3, 4)
    assert fit(generator, cells, tune_steps=2).sha256 == weights.sha256


def test_known_classes_are_tuned_on_request(generator, cells_of):
    weights = fit(generator, cells_of({"LYT": 4}), tune="all", tune_steps=1)
    assert weights.meta["tuned"] == ["LYT"]
    assert fit(generator, cells_of({"LYT": 4})).meta["tuned"] == []


def test_a_lesson_says_how_long_it_was_and_how_much_it_copied(generator, cells_of):
    weights = fit(generator, cells_of({"PLM": 4, "LYT": 4}), tune_steps=2)
    (lesson,) = weights.meta["lessons"]
    assert lesson["steps"] == 2
    assert lesson["copy rate"] <= 0.05
    cell = draw(generator, ask("PLM", 1, taxonomy="marrow21"), weights)[0]
    assert cell.provenance.config["tuned steps"] == 2


def test_a_variation_begins_with_a_real_cell(generator, cells):
    weights = fit(generator, cells, match_stain=False)

    def distances(strength):
        options = {"strategy": "variation", "strength": strength, "steps": 4}
        made = draw(generator, ask("LY", 4, config={**options, "guidance": 1}), weights)
        for cell in made:
            (parent,) = cell.provenance.parents
            assert cells.codes[parent - 1] == "LY"
            assert cell.provenance.config["parent"] == parent
            assert cell.provenance.config["strategy"] == "variation"
            assert cell.provenance.config["strength"] == strength
            assert cell.provenance.config["look"] == "none"
        real = [cells.crops[c.provenance.parents[0] - 1].astype(float) for c in made]
        return [np.abs(c.pixels - r).mean() for c, r in zip(made, real, strict=True)]

    assert np.mean(distances(0.1)) < np.mean(distances(1.0))


def test_a_kept_cell_keeps_its_pixels_and_gets_new_surroundings(generator, cells):
    weights = fit(generator, cells, match_stain=False)
    made = draw(
        generator, ask("MO", 2, config={**QUICK, "strategy": "inpaint"}), weights
    )
    for cell in made:
        real = cells.crops[cell.provenance.parents[0] - 1].astype(int)
        change = np.abs(cell.pixels.astype(int) - real).max(axis=2)
        assert change[42:54, 42:54].max() == 0
        assert change[:8, :8].mean() > 3


def test_in_then_out_makes_both_anew(generator, cells):
    weights = fit(generator, cells, match_stain=False)
    options = {**QUICK, "strategy": "in-then-out"}
    request = ask("MO", 2, config=options)
    made = draw(generator, request, weights)
    for cell in made:
        real = cells.crops[cell.provenance.parents[0] - 1].astype(int)
        change = np.abs(cell.pixels.astype(int) - real).mean(axis=2)
        assert change[42:54, 42:54].mean() > 3
        assert change[:8, :8].mean() > 3
    again = draw(generator, ask("MO", 1, start=1, config=options), weights)
    np.testing.assert_array_equal(again[0].pixels, made[1].pixels)


def test_a_strategy_without_a_real_cell_is_refused(generator, cells_of):
    weights = fit(generator, cells_of({"LY": 4}))
    with pytest.raises(InputError, match="Label one, or choose strategy 'class'"):
        draw(generator, ask("BA", 1, config={"strategy": "variation"}), weights)
    with pytest.raises(InputError, match="in-then-out"):
        draw(generator, ask("LY", 1, config={"strategy": "outpaint"}), weights)
    with pytest.raises(InputError, match="strength above 0"):
        draw(generator, ask("LY", 1, config={"strength": 0.0}), weights)


def test_a_fit_for_one_class_keeps_its_real_cells_alone(generator, cells):
    weights = fit(generator, cells, only="LY")
    kept = weights.tensors["parents.id"]
    assert {cells.codes[i - 1] for i in kept} == {"LY"}
    assert len(kept) == len(weights.tensors["parents.crops"]) == 30


def test_weights_that_hold_pictures_of_patients_say_so(generator, cells_of):
    assert fit(generator, cells_of({"LY": 4})).meta["personal"]
    assert not fit(generator, cells_of({})).meta["personal"]


def test_vectors_are_painted_in_turn(expressive, cells):
    vectors = cells.vectors[[0, 50]].tolist()
    options = {**QUICK, "vector": vectors, "embedder": expressive.starter.embedder}
    made = draw(expressive, ask("LY", 3, config=options))
    assert made[0].provenance.config["look"] == "given"
    same = draw(
        expressive, ask("LY", 3, config={**options, "vector": [vectors[0]] * 2})
    )
    changes = [(a.pixels != b.pixels).any() for a, b in zip(made, same, strict=True)]
    assert changes == [False, True, False]
    with pytest.raises(InputError, match="of embedder 'other'"):
        draw(expressive, ask("LY", 1, config={**options, "embedder": "other"}))


def test_looks_of_a_class_are_drawn_or_not(expressive):
    drawn = draw(expressive, ask("LY", 2))
    plain = draw(expressive, ask("LY", 2, config={**QUICK, "looks": 0}))
    assert drawn[0].provenance.config["look"] == "drawn"
    assert plain[0].provenance.config["look"] == "none"
    assert (drawn[0].pixels != plain[0].pixels).any()


def test_guidance_acts_within_its_interval(expressive):
    def pixels(**options):
        made = draw(expressive, ask("LY", 1, config={"steps": 4, **options}))
        return made[0].pixels

    never = pixels(guidance_start=0.99, guidance_stop=0.99)
    np.testing.assert_array_equal(never, pixels(guidance=1.0))
    assert (never != pixels(guidance=6.0)).any()


def test_solvers_agree_where_steps_are_many(generator):
    def pixels(solver, steps):
        config = {"solver": solver, "steps": steps}
        return draw(generator, ask("LY", 1, config=config))[0].pixels.astype(float)

    far = np.abs(pixels("heun", 24) - pixels("multistep", 2)).mean()
    assert np.abs(pixels("heun", 24) - pixels("multistep", 24)).mean() < far / 3
    with pytest.raises(InputError, match="heun, multistep"):
        draw(generator, ask("LY", 1, config={"solver": "euler"}))


def test_no_real_cells_at_all_will_do(generator, cells_of):
    weights = fit(generator, cells_of({}))
    cell = draw(generator, ask("BA", 1), weights)[0]
    assert cell.provenance.config["stain"]["cells"] == 0


def test_odd_options_are_refused(generator, cells):
    with pytest.raises(InputError, match="no option"):
        fit(generator, cells, stepz=1)
    with pytest.raises(InputError, match="tune"):
        fit(generator, cells, tune="some")


def test_weights_fitted_on_another_starter_are_refused(generator):
    with pytest.raises(WeightsError, match="Fit the generator again"):
        draw(generator, ask("LY", 1), Weights({}, {"base": "0" * 64, "tuned": ["LY"]}))


def test_damaged_weights_are_refused(starter_folder, tmp_path):
    folder = shutil.copytree(starter_folder, tmp_path / "w")
    path = folder / "latent.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="damaged or was exchanged"):
        draw(LatentGenerator(folder), ask("LY", 1))
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_starter(folder)
    (folder / "latent.json").write_text("{")
    with pytest.raises(WeightsError, match="card"):
        load_starter(folder / ".")


def test_the_shipped_weights_are_those_of_their_card():
    starter = load_starter()
    assert len(starter.concepts) == starter.card["size"]["classes"] == 11
    assert starter.card["source"]["licence"] == "CC BY 4.0"
    files = [FOLDER / starter.card[k] for k in ("file", "cells_file")]
    assert files[0].stat().st_size < 15e6
    assert files[1].stat().st_size < 4e6


def test_reference_looks_of_the_training_cells_ship(generator, starter_folder):
    looks = load_training_looks(starter_folder)
    thumbnails, _ = load_training_thumbnails(starter_folder)
    assert looks.dtype == np.float16
    assert looks.shape == (
        len(thumbnails),
        generator.starter.card["size"]["descriptor"],
    )
