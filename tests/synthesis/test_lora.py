"""The ``lora`` generator on a tiny Stable Diffusion of the true classes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from napari_cytosynth.core.errors import (
    Cancelled,
    InputError,
    MissingExtraError,
    UnknownClassError,
    WeightsError,
)
from napari_cytosynth.core.protocols import (
    Batch,
    CellGenerator,
    ChoosyGenerator,
    LabelledCells,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.synthesis import lora_base
from napari_cytosynth.synthesis.centre import centre_masks
from napari_cytosynth.synthesis.lora import LoraGenerator
from napari_cytosynth.synthesis.lora_files import write_adapter
from napari_cytosynth.synthesis.lora_options import PRESETS, LoraConfig
from napari_cytosynth.synthesis.lora_prompts import MAX_TOKENS, prompts_of, too_long
from napari_cytosynth.testing.contracts_generator import (
    CellGeneratorContract,
    stacked,
    tiny_labelled,
)

PBC = built_in("pbc11")
QUICK: dict[str, Any] = {
    "seed": 0,
    "train_steps": 6,
    "warmup": 1,
    "rate": 0.02,
    "text_rate": 0.02,
    "rank": 4,
    "alpha": 4,
    "train_batch": 4,
    "steps": 4,
    "only": "MO",
}


class TestContract(CellGeneratorContract):
    """The suite that every generator must pass."""

    config = QUICK
    folder = Path()
    scratch = Path()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _base(
        cls, stable_folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        cls.folder, cls.scratch = stable_folder, tmp_path_factory.mktemp("scratch")

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, _base: None) -> Weights:
        return run_to_end(cls().make().fit(cls().cells(), cls.config))

    def make(self) -> CellGenerator:
        return LoraGenerator(str(self.folder), self.scratch)


@pytest.fixture(scope="module")
def generator(
    stable_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> LoraGenerator:
    return LoraGenerator(str(stable_folder), tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def real() -> LabelledCells:
    return tiny_labelled()


@pytest.fixture(scope="module")
def weights(generator: LoraGenerator, real: LabelledCells) -> Weights:
    return run_to_end(generator.fit(real, QUICK))


@pytest.fixture
def no_gpu(stable_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from napari_cytosynth.synthesis._torch import stable_base

    monkeypatch.setattr(stable_base, "pick_device", lambda: torch.device("cpu"))


def ask(count: int = 4, *, seed: int = 5, start: int = 0, **config: Any) -> Request:
    return Request("MO", count, seed, PBC, start, config)


def drawn(
    generator: LoraGenerator, request: Request, weights: Weights
) -> list[SyntheticCell]:
    batches: Iterator[Batch] = generator.generate(
        request, weights, np.random.default_rng(0)
    )
    items = [item for batch in batches for item in batch.items]
    return [item for item in items if isinstance(item, SyntheticCell)]


def without_adapter(weights: Weights) -> Weights:
    """Return the same weights with adapters that change nothing."""
    none = {
        k: np.zeros_like(v) if ".lora_B." in k else v
        for k, v in weights.tensors.items()
    }
    return Weights(none, weights.meta)


# What was learned


def test_both_adapters_change_the_pictures(
    generator: LoraGenerator, weights: Weights
) -> None:
    learned = stacked(drawn(generator, ask(), weights))
    bare = stacked(drawn(generator, ask(), without_adapter(weights)))
    assert np.abs(learned.astype(int) - bare).mean() > 1
    for part in ("unet.", "text_encoder."):
        one = {
            k: np.zeros_like(v) if k.startswith(part) and ".lora_B." in k else v
            for k, v in weights.tensors.items()
        }
        half = stacked(drawn(generator, ask(), Weights(one, weights.meta)))
        assert not np.array_equal(half, learned), f"the adapter of {part} has no effect"


def test_learning_lowers_the_loss_on_the_cells(
    generator: LoraGenerator, real: LabelledCells
) -> None:
    notes: list[str] = []
    config = {**QUICK, "train_steps": 60, "train_batch": 8}
    run_to_end(generator.fit(real, config), lambda p: notes.append(p.note))
    losses = [float(n.split("loss ")[1]) for n in notes if "loss" in n]
    assert len(losses) == 60
    assert np.mean(losses[-15:]) < 0.9 * np.mean(losses[:5])


def test_an_adapter_file_holds_the_adapters_and_nothing_of_the_cells(
    weights: Weights, tmp_path: Path
) -> None:
    write_adapter(weights, tmp_path / "adapter.safetensors")
    written = load_file(tmp_path / "adapter.safetensors")
    assert set(written) == {k for k in weights.tensors if ".lora_" in k}
    for name, tensor in written.items():
        np.testing.assert_array_equal(tensor, weights.tensors[name])


def test_weights_hold_adapters_and_cells_but_not_the_base(weights: Weights) -> None:
    kinds = {k.split(".")[0] for k in weights.tensors}
    assert kinds == {"unet", "text_encoder", "cells", "parents"}
    adapted = [k for k in weights.tensors if not k.startswith(("cells.", "parents."))]
    assert all(".lora_" in k for k in adapted)
    assert weights.meta["personal"] is True
    assert weights.meta["counts"] == {"MO": 6}


def test_one_adapter_learns_all_classes_where_wished(
    generator: LoraGenerator, real: LabelledCells
) -> None:
    made = run_to_end(generator.fit(real, {**QUICK, "train_steps": 1, "joint": True}))
    assert made.meta["codes"] == ["LY", "MO", "SNE"]
    assert len(drawn(generator, replace(ask(1), code="LY"), made)) == 1


# Resuming


class _Cut(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("cut", [3, 5])
def test_a_resumed_training_equals_one_in_one_go(
    cut: int, stable_folder: Path, real: LabelledCells, tmp_path: Path
) -> None:
    config = {**QUICK, "save_every": 2}
    whole = run_to_end(
        LoraGenerator(str(stable_folder), tmp_path / "a").fit(real, config)
    )

    def crash(progress: Progress) -> None:
        if progress.done == cut and "loss" in progress.note:
            raise _Cut

    with pytest.raises(_Cut):
        run_to_end(
            LoraGenerator(str(stable_folder), tmp_path / "b").fit(real, config), crash
        )
    left = list((tmp_path / "b").iterdir())
    assert len(left) == 1
    notes: list[str] = []
    again = run_to_end(
        LoraGenerator(str(stable_folder), tmp_path / "b").fit(real, config),
        lambda p: notes.append(p.note),
    )
    assert again.sha256 == whole.sha256
    steps = [note for note in notes if "loss" in note]
    assert len(steps) == 6 - cut // 2 * 2
    assert all(f"went on from step {cut // 2 * 2}" in note for note in steps)
    assert not list((tmp_path / "b").iterdir()), "a checkpoint was left"


def test_other_options_or_a_torn_checkpoint_start_anew(
    stable_folder: Path, real: LabelledCells, tmp_path: Path
) -> None:
    config = {**QUICK, "save_every": 2}

    def cancel(progress: Progress) -> None:
        if progress.done == 3 and "loss" in progress.note:
            raise Cancelled("enough")

    def run(config: dict[str, Any], until: Any = None) -> Weights:
        made = LoraGenerator(str(stable_folder), tmp_path).fit(real, config)
        return run_to_end(made, until)

    with pytest.raises(Cancelled):
        run(config, cancel)
    (left,) = tmp_path.iterdir()
    notes: list[str] = []
    run({**config, "seed": 1}, lambda p: notes.append(p.note))
    assert not any("went on" in note for note in notes)
    left.write_bytes(left.read_bytes()[:500])
    run(config, lambda p: notes.append(p.note))
    assert not any("went on" in note for note in notes)
    assert not left.exists()


# Strategies


def test_a_variation_stays_nearer_to_its_cell_than_a_new_one(
    generator: LoraGenerator, real: LabelledCells, weights: Weights
) -> None:
    def distance(**config: Any) -> float:
        cells = drawn(generator, ask(6, **config), weights)
        at = {int(n): i for i, n in enumerate(real.ids)}
        crops = stacked(cells).astype(int)
        own = [at[c.provenance.config.get("parent", real.ids[-1])] for c in cells]
        return float(np.abs(crops - real.crops[own]).mean())

    little = distance(strategy="variation", strength=0.25)
    much = distance(strategy="variation", strength=0.75)
    assert little < much < distance(strategy="class")


def test_inpainting_keeps_the_cell_and_changes_the_background(
    generator: LoraGenerator, real: LabelledCells, weights: Weights
) -> None:
    at = {int(n): i for i, n in enumerate(real.ids)}
    for cell in drawn(generator, ask(6, strategy="inpaint"), weights):
        source = real.crops[at[cell.provenance.config["parent"]]]
        mask = centre_masks(source[None])[0]
        change = np.abs(cell.pixels.astype(int) - source).max(axis=-1)
        assert change[mask > 0.99].max() <= 3
        assert np.mean(change[mask < 0.01] > 10) > 0.5


def test_in_then_out_changes_cell_and_background(
    generator: LoraGenerator, real: LabelledCells, weights: Weights
) -> None:
    at = {int(n): i for i, n in enumerate(real.ids)}
    inpainted = drawn(generator, ask(6, strategy="inpaint"), weights)
    both = drawn(generator, ask(6, strategy="in-then-out"), weights)
    for cell, other in zip(both, inpainted, strict=True):
        source = real.crops[at[cell.provenance.config["parent"]]]
        mask = centre_masks(source[None])[0]
        change = np.abs(cell.pixels.astype(int) - source).max(axis=-1)
        assert np.mean(change[mask > 0.99] > 10) > 0.5
        assert np.mean(change[mask < 0.01] > 10) > 0.5
        assert not np.array_equal(cell.pixels, other.pixels)


def test_the_real_cells_behind_a_draw_are_named(
    generator: LoraGenerator, weights: Weights
) -> None:
    cells = drawn(generator, ask(12, strategy="variation"), weights)
    sources = {c.provenance.config["parent"] for c in cells}
    assert len(sources) > 2
    assert sources <= set(weights.tensors["parents.id"].tolist())
    learned = set(weights.tensors["cells.id"].tolist())
    for cell in cells:
        assert cell.provenance.parents[0] == cell.provenance.config["parent"]
        assert set(cell.provenance.parents) == learned
    assert {c.provenance.config["strength"] for c in cells} == {0.5}


@pytest.mark.parametrize("strategy", ["variation", "inpaint", "in-then-out"])
def test_a_draw_from_a_cell_depends_on_its_number_only(
    strategy: str, generator: LoraGenerator, weights: Weights
) -> None:
    whole = drawn(generator, ask(7, strategy=strategy), weights)
    rest = drawn(generator, ask(4, start=3, strategy=strategy), weights)
    np.testing.assert_array_equal(stacked(whole[3:]), stacked(rest))
    told = [c.provenance.config for c in whole[3:]]
    assert told == [c.provenance.config for c in rest]


def test_the_provenance_names_everything(
    generator: LoraGenerator, weights: Weights, stable_folder: Path
) -> None:
    (cell,) = drawn(generator, ask(1), weights)
    told = cell.provenance.config
    assert told["base"] == stable_folder.name
    assert told["base sha256"] == weights.meta["base sha256"]
    assert told["adapter sha256"] == weights.sha256
    assert told["strategy"] == "class"
    assert told["prompt"] == weights.meta["prompts"]["MO"]
    assert told["prompt"].startswith("monocyte, ")
    assert cell.provenance.seed == 5
    assert "parent" not in told
    assert "flaw" not in told


# What cannot be done


def test_prompts_of_all_built_in_classes_are_read_whole(
    generator: LoraGenerator, weights: Weights
) -> None:
    base = generator.loaded
    assert base is not None
    for name in BUILT_IN:
        table = built_in(name)
        concepts = {c.code: c.concept for c in table}
        prompts = prompts_of(concepts, concepts)
        assert len(set(prompts.values())) == len(prompts)
        assert max(map(base.count_tokens, prompts.values())) < MAX_TOKENS
        too_long(prompts, base.count_tokens)


def test_a_class_of_the_user_is_told_by_its_own_words() -> None:
    prompt = prompts_of(["XX"], {"XX": "sezary cell.large"})["XX"]
    assert prompt.startswith("sezary cell large, single cell")
    assert prompts_of(["BA"], {})["BA"].startswith("basophil, granulocytic lineage")


def test_a_prompt_that_would_be_cut_is_refused_by_name(
    generator: LoraGenerator, real: LabelledCells
) -> None:
    long = {"MO": "monocyte " * 76}
    with pytest.raises(InputError, match=r"class MO has 78 tokens.*reads 77"):
        run_to_end(generator.fit(real, {**QUICK, "prompts": long}))
    fits = {"MO": "monocyte " * 75}
    config = {**QUICK, "prompts": fits, "train_steps": 1}
    assert run_to_end(generator.fit(real, config)).meta["prompts"] == fits


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("strategy", "outpaint", "one of class, variation"),
        ("strength", 0.0, "above 0"),
        ("guidance", 0.5, "at least 1"),
        ("sampler", "lcm", "LCM-LoRA named"),
        ("colour", "red", "has no option"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: object, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        LoraConfig.read({option: value})


def test_few_cells_take_few_steps() -> None:
    config = LoraConfig()
    assert [config.training_steps(n) for n in (1, 5, 10, 20, 100)] == [
        200,
        200,
        400,
        800,
        800,
    ]
    assert LoraConfig.read(PRESETS["cytodiff"].options).training_steps(16) == 600


def test_too_few_cells_are_refused_with_their_number(
    generator: LoraGenerator, real: LabelledCells
) -> None:
    assert isinstance(generator, ChoosyGenerator)
    generator.refuse_unknown("MO", 3, PBC)
    with pytest.raises(UnknownClassError, match=r"2 of .BA. .Basophil. are labelled"):
        generator.refuse_unknown("BA", 2, PBC)
    with pytest.raises(InputError, match="fewer than 3 of class BA"):
        run_to_end(generator.fit(real, {**QUICK, "only": "BA"}))


def test_a_class_that_was_not_learned_is_refused(
    generator: LoraGenerator, weights: Weights
) -> None:
    with pytest.raises(UnknownClassError, match="learned MO, not 'LY'"):
        drawn(generator, replace(ask(), code="LY"), weights)


def test_another_base_than_the_learned_one_is_refused(
    weights: Weights, stable_folder: Path, tmp_path: Path
) -> None:
    from napari_cytosynth.synthesis._torch.stable_random import random_base

    other = LoraGenerator(str(random_base(tmp_path / "other", seed=1)))
    with pytest.raises(WeightsError, match="learned on the base 'tiny-stable'"):
        drawn(other, ask(), weights)


def test_a_missing_base_says_how_to_get_it(real: LabelledCells, tmp_path: Path) -> None:
    missing = LoraGenerator(str(tmp_path / "nowhere"))
    with pytest.raises(
        WeightsError, match="hf download stable-diffusion-v1-5/"
    ) as told:
        run_to_end(missing.fit(real, QUICK))
    assert "lora:/PATH/stable-diffusion-v1-5" in str(told.value)


def test_an_id_that_is_not_cached_says_how_to_get_it(
    real: LabelledCells, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    missing = LoraGenerator("somebody/some-base")
    with pytest.raises(WeightsError, match="hf download somebody/some-base"):
        run_to_end(missing.fit(real, {**QUICK, "cpu": True}))


def test_a_base_without_a_part_is_named(
    stable_folder: Path, real: LabelledCells, tmp_path: Path
) -> None:
    folder = tmp_path / "half"
    shutil.copytree(stable_folder, folder)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsError, match="not whole: no safetensors weights of vae"):
        run_to_end(LoraGenerator(str(folder)).fit(real, QUICK))


def test_on_a_cpu_a_base_that_is_not_here_says_what_it_would_need(
    real: LabelledCells, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_gpu: None
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"no GPU here.*4.3 GB of disk.*'latent'"):
        run_to_end(LoraGenerator("somebody/some-base").fit(real, QUICK))


def test_the_base_can_be_named_by_the_environment(
    stable_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYTOSYNTH_LORA_BASE", str(stable_folder))
    assert LoraGenerator().base.name == str(stable_folder)
    monkeypatch.setenv("CYTOSYNTH_LORA_BASE", "cytodiff")
    assert LoraGenerator().base.options["steps"] == 50
    monkeypatch.delenv("CYTOSYNTH_LORA_BASE")
    assert LoraGenerator().base.name == "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_on_a_cpu_a_real_base_says_what_it_needs(
    no_gpu: None,
    stable_folder: Path,
    real: LabelledCells,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lora_base, "SMALL_BYTES", 1000)
    large = LoraGenerator(str(stable_folder))
    with pytest.raises(InputError) as told:
        run_to_end(large.fit(real, {**QUICK, "train_steps": 600, "train_batch": 8}))
    said = str(told.value)
    assert "no GPU here" in said
    assert "12 GB of memory" in said
    assert "GB of disk" in said
    assert "about 10 minutes" in said
    assert "about 85 hours" in said
    assert "'latent' generator" in said


def test_without_the_extra_it_says_what_to_install(
    generator: LoraGenerator, real: LabelledCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lora_base, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"napari-cytosynth\[lora\]"):
        run_to_end(generator.fit(real, QUICK))
