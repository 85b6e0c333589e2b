"""What the ``lora`` generator does with numbers and memory, beside diffusers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_cytosynth.core.errors import InputError, MemoryShortError, WeightsError
from napari_cytosynth.core.protocols import Request, Weights
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis.lora import LoraGenerator
from napari_cytosynth.synthesis.lora_draws import CRITIC
from napari_cytosynth.synthesis.lora_files import write_adapter
from napari_cytosynth.testing.contracts_generator import stacked, tiny_labelled

QUICK: dict[str, Any] = {
    "seed": 0,
    "train_steps": 4,
    "warmup": 1,
    "rate": 0.02,
    "text_rate": 0.02,
    "rank": 4,
    "alpha": 4,
    "train_batch": 4,
    "steps": 4,
    "only": "MO",
}
REAL = tiny_labelled()


@pytest.fixture
def generator(stable_folder: Path, tmp_path: Path) -> LoraGenerator:
    """Return one with a base of its own, so that a test may break it."""
    return LoraGenerator(str(stable_folder), tmp_path / "scratch")


@pytest.fixture(scope="module")
def weights(stable_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    scratch = tmp_path_factory.mktemp("scratch")
    return run_to_end(LoraGenerator(str(stable_folder), scratch).fit(REAL, QUICK))


def drawn(
    generator: LoraGenerator, weights: Weights, count: int = 4, **config: Any
) -> list[SyntheticCell]:
    request = Request("MO", count, 5, built_in("pbc11"), 0, config)
    batches = generator.generate(request, weights, np.random.default_rng(0))
    items = [item for batch in batches for item in batch.items]
    return [item for item in items if isinstance(item, SyntheticCell)]


def loaded(generator: LoraGenerator, weights: Weights) -> Any:
    """Return the base of a generator, after a first draw."""
    drawn(generator, weights, 1)
    return generator.loaded


@pytest.fixture
def hooked() -> Iterator[Callable[[Any], None]]:
    """Take hooks off again at the end."""
    handles: list[Any] = []
    yield handles.append
    for handle in handles:
        handle.remove()


# Beside diffusers


def test_draws_equal_those_of_the_bare_pipeline(
    generator: LoraGenerator, weights: Weights, stable_folder: Path, tmp_path: Path
) -> None:
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    from napari_cytosynth.synthesis._torch.stable_draw import Plan, Start, draw

    base = loaded(generator, weights)
    noise = np.random.default_rng(3).standard_normal((3, *base.latent_shape))
    start = Start(noise.astype(np.float32), (1, 2, 3))
    prompt = weights.meta["prompts"]["MO"]
    plan = Plan(prompt, steps=6, guidance=2.0, side=base.pixels)
    ours = next(made for made in draw(base, plan, start) if made is not None).crops

    write_adapter(weights, tmp_path / "adapter.safetensors")
    bare = StableDiffusionPipeline.from_pretrained(
        stable_folder,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
        local_files_only=True,
    )
    bare.set_progress_bar_config(disable=True)
    bare.load_lora_weights(tmp_path, weight_name="adapter.safetensors")
    bare.scheduler = DPMSolverMultistepScheduler.from_config(
        bare.scheduler.config, algorithm_type="dpmsolver++"
    )
    pictures = bare(
        [prompt] * 3,
        num_inference_steps=6,
        guidance_scale=2.0,
        latents=torch.from_numpy(start.noise),
        output_type="np",
    ).images
    theirs = np.rint(pictures * 255).astype(int)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_the_base_is_loaded_without_a_safety_checker(
    generator: LoraGenerator, weights: Weights
) -> None:
    pipeline = loaded(generator, weights).pipeline
    assert pipeline.safety_checker is None
    assert pipeline.config.requires_safety_checker is False


def test_adapters_sit_on_the_attention_of_both_networks(weights: Weights) -> None:
    layers: dict[str, set[str]] = {"unet": set(), "text_encoder": set()}
    for name in weights.tensors:
        part, _, rest = name.partition(".")
        if part in layers:
            layers[part].add(rest.partition(".lora_")[0].split("attn")[-1][1:])
    unet = {name.lstrip("12.") for name in layers["unet"]}
    assert unet == {"to_q", "to_k", "to_v", "to_out.0"}
    text = {name.rpartition(".")[2] for name in layers["text_encoder"]}
    assert text == {"q_proj", "k_proj", "v_proj", "out_proj"}
    ranks = {v.shape[0] for k, v in weights.tensors.items() if ".lora_A." in k}
    assert ranks == {4}


def test_a_base_that_tells_velocities_is_taught_them(
    generator: LoraGenerator, weights: Weights
) -> None:
    base = loaded(generator, weights)
    config = {**base.training_scheduler.config, "prediction_type": "v_prediction"}
    base.training_scheduler = type(base.training_scheduler).from_config(config)
    made = run_to_end(generator.fit(REAL, {**QUICK, "watch": False}))
    assert made.meta["skipped steps"] == 0
    changed = [
        not np.array_equal(weights.tensors[k], v) for k, v in made.tensors.items()
    ]
    assert any(changed)


# Pictures that came out wrong


def test_pictures_that_are_not_finite_are_counted_and_vetoed(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    base = loaded(generator, weights)
    whole = drawn(generator, weights)

    def spoil(module: Any, given: Any, made: Any) -> None:
        made[0][1] = float("nan")  # of the second draw, unguided half

    hooked(base.unet.register_forward_hook(spoil))
    cells = drawn(generator, weights)
    assert [c.provenance.config.get("flaw", "") for c in cells] == [
        "",
        "not finite",
        "",
        "",
    ]
    assert [c.passed for c in cells] == [True, False, True, True]
    assert cells[1].assessments[0].critic == CRITIC
    assert not cells[1].pixels.any()
    kept = [0, 2, 3]
    np.testing.assert_array_equal(
        stacked([cells[i] for i in kept]), stacked([whole[i] for i in kept])
    )


def test_black_pictures_are_counted_and_vetoed(
    generator: LoraGenerator, weights: Weights
) -> None:
    base = loaded(generator, weights)
    with torch.no_grad():
        base.vae.decoder.conv_out.weight.zero_()
        base.vae.decoder.conv_out.bias.fill_(-1.5)
    cells = drawn(generator, weights)
    assert [c.provenance.config["flaw"] for c in cells] == ["black"] * 4
    assert not any(c.passed for c in cells)
    assert "all black" in cells[0].assessments[0].reason


def test_what_overflows_in_half_precision_is_drawn_again_in_full(
    generator: LoraGenerator, weights: Weights, stable_folder: Path
) -> None:
    from napari_cytosynth.synthesis._torch.stable_base import StableBase

    loaded(generator, weights)
    half = StableBase.load(stable_folder, torch.device("cpu"), torch.float16)
    with torch.no_grad():
        half.vae.post_quant_conv.weight.mul_(1e4)
    half.adapters.put(weights.tensors, 4, 4)
    before = half.adapters.arrays()
    generator.loaded = half
    cells = drawn(generator, weights)
    assert {c.provenance.config.get("drawn again in") for c in cells} == {"float32"}
    assert all(c.passed for c in cells)
    assert all(c.pixels.any() for c in cells)
    assert half.precision == torch.float16
    assert half.unet.conv_in.weight.dtype == torch.float16
    after = half.adapters.arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    kinds = {p.dtype for n, p in half.unet.named_parameters() if ".lora_" in n}
    assert kinds == {torch.float32}


def test_a_draw_made_again_leaves_those_beside_it_as_they_are(
    generator: LoraGenerator, weights: Weights, stable_folder: Path
) -> None:
    from napari_cytosynth.synthesis._torch.stable_base import StableBase

    loaded(generator, weights)
    half = StableBase.load(stable_folder, torch.device("cpu"), torch.bfloat16)
    half.adapters.put(weights.tensors, 4, 4)
    generator.loaded = half
    whole = drawn(generator, weights)
    hook = half.unet.register_forward_hook(_spoil_second)
    cells = drawn(generator, weights)
    hook.remove()
    again = [c.provenance.config.get("drawn again in") for c in cells]
    assert again == [None, "float32", None, None]
    kept = [0, 2, 3]
    np.testing.assert_array_equal(
        stacked([cells[i] for i in kept]), stacked([whole[i] for i in kept])
    )
    assert cells[1].pixels.any()


def _spoil_second(module: Any, given: Any, made: Any) -> None:
    """Spoil the second of four draws in low precision, and none made alone."""
    if len(made[0]) > 2:
        made[0][1] = float("nan")


def test_steps_whose_gradients_are_not_finite_change_nothing_and_are_counted(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    base = loaded(generator, weights)

    def spoil(module: Any, given: Any, made: Any) -> Any:
        return tuple(part * float("inf") for part in made)

    hooked(base.unet.register_forward_hook(spoil))
    notes: list[str] = []
    made = run_to_end(generator.fit(REAL, QUICK), lambda p: notes.append(p.note))
    assert made.meta["skipped steps"] == 4
    assert "4 steps not finite" in notes[-1]
    ends = [v for k, v in made.tensors.items() if ".lora_B." in k]
    assert not any(v.any() for v in ends)


# Memory


def limit(base: Any, most: int, seen: list[int]) -> Any:
    """Have the U-Net run out of memory above so many pictures at once."""

    def check(module: Any, given: Any) -> None:
        seen.append(len(given[0]))
        if len(given[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory, says this test")

    return base.unet.register_forward_pre_hook(check)


@pytest.mark.parametrize("strategy", ["class", "in-then-out"])
def test_draws_go_on_in_halves_where_memory_runs_out(
    strategy: str,
    generator: LoraGenerator,
    weights: Weights,
    hooked: Callable[[Any], None],
) -> None:
    whole = drawn(generator, weights, 6, strategy=strategy)
    seen: list[int] = []
    hooked(limit(generator.loaded, 4, seen))
    halved = drawn(generator, weights, 6, strategy=strategy)
    assert seen[0] == 8
    assert set(seen[1:]) == {4}
    difference = stacked(whole).astype(int) - stacked(halved)
    assert np.abs(difference).max() <= 1


def test_training_goes_on_in_halves_and_learns_the_same(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    base = loaded(generator, weights)
    seen: list[int] = []
    hooked(limit(base, 2, seen))
    notes: list[str] = []
    config = {**QUICK, "watch": False}
    made = run_to_end(generator.fit(REAL, config), lambda p: notes.append(p.note))
    assert seen[0] == 4
    # Of each part, the forward pass; checkpoints call blocks, not the whole U-Net.
    assert seen[1:] == [2, 2] * 4
    assert "memory is short: 2 at once" in notes[-1]
    for name, array in weights.tensors.items():
        # Adam divides a gradient by its own size: where it is all but zero, the order
        # of a sum shows in single entries, so tensors are compared whole.
        apart = np.linalg.norm(made.tensors[name] - array)
        assert apart <= 0.02 * np.linalg.norm(array), name


def test_no_memory_for_one_picture_is_said(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    hooked(limit(loaded(generator, weights), 0, []))
    with pytest.raises(MemoryShortError, match="drawing with lora, even one"):
        drawn(generator, weights)
    with pytest.raises(MemoryShortError, match="learning cells with lora, even one"):
        run_to_end(generator.fit(REAL, QUICK))


# Copies


def repeating(base: Any, crop: Any) -> Any:
    """Have the autoencoder decode every latent to one real cell."""
    pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
    picture = torch.nn.functional.interpolate(
        pixels, (base.pixels, base.pixels), mode="area"
    )

    def decode(module: Any, given: Any, made: Any) -> Any:
        return picture.expand(len(made), -1, -1, -1)

    return base.vae.decoder.register_forward_hook(decode)


def test_training_ends_where_draws_become_copies(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    base = loaded(generator, weights)
    before: dict[int, Any] = {}

    def follow(progress: Any) -> None:
        if "loss" in progress.note and progress.done not in before:
            before[progress.done] = base.adapters.arrays()
            if progress.done == 3:
                hooked(repeating(base, REAL.crops[-1]))

    config = {**QUICK, "train_steps": 8, "save_every": 2}
    made = run_to_end(generator.fit(REAL, config), follow)
    assert sorted(before) == [1, 2, 3, 4]
    assert made.meta["copy rate"] == 1.0
    assert made.meta["steps done"] == 2
    for name, array in before[2].items():
        np.testing.assert_array_equal(made.tensors[name], array)
    free = run_to_end(generator.fit(REAL, {**config, "watch": False}))
    assert (free.meta["steps done"], free.meta["copy rate"]) == (8, None)


def test_an_adapter_that_copies_at_the_first_look_is_not_kept(
    generator: LoraGenerator, weights: Weights, hooked: Callable[[Any], None]
) -> None:
    base = loaded(generator, weights)
    hooked(repeating(base, REAL.crops[-1]))
    with pytest.raises(InputError, match=r"100% of what it drew .* after 2 steps"):
        run_to_end(generator.fit(REAL, {**QUICK, "train_steps": 8, "save_every": 2}))
    ends = [v for k, v in base.adapters.arrays().items() if ".lora_B." in k]
    assert ends
    assert not any(v.any() for v in ends), "what copied is still in place"


def test_draws_that_are_no_copies_do_not_end_it(weights: Weights) -> None:
    assert (weights.meta["steps done"], weights.meta["copy rate"]) == (4, 0.0)


# Few steps


@pytest.fixture(scope="module")
def lcm_file(stable_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from napari_cytosynth.synthesis._torch.stable_random import random_lcm

    return random_lcm(stable_folder, tmp_path_factory.mktemp("lcm"))


def test_few_steps_with_an_lcm_lora(
    generator: LoraGenerator,
    weights: Weights,
    lcm_file: Path,
    hooked: Callable[[Any], None],
) -> None:
    plain = stacked(drawn(generator, weights, guidance=1))
    seen: list[int] = []
    hooked(limit(generator.loaded, 99, seen))
    fast = drawn(generator, weights, lcm=str(lcm_file), steps=3, guidance=1)
    assert seen == [4, 4, 4], "three steps, without a second pass for guidance"
    told = fast[0].provenance.config
    assert told["sampler"] == "lcm"
    assert told["lcm"] == lcm_file.name, "where it lies is nobody's"
    assert len(told["lcm sha256"]) == 64
    assert (
        fast[0].provenance.weights != drawn(generator, weights, 1)[0].provenance.weights
    )
    again = drawn(generator, weights, 2, lcm=str(lcm_file), steps=3, guidance=1)
    np.testing.assert_array_equal(stacked(fast)[:2], stacked(again))
    alone = drawn(generator, weights, guidance=1, sampler="dpm")
    np.testing.assert_array_equal(stacked(alone), plain)
    assert not np.array_equal(stacked(fast), plain)


def test_the_lcm_lora_itself_changes_the_draws(
    generator: LoraGenerator, weights: Weights, lcm_file: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    none = {k: np.zeros_like(v) for k, v in load_file(lcm_file).items()}
    save_file(none, tmp_path / "none.safetensors")
    options = {"steps": 3, "guidance": 1}
    with_it = drawn(generator, weights, lcm=str(lcm_file), **options)
    without = drawn(
        generator, weights, lcm=str(tmp_path / "none.safetensors"), **options
    )
    assert not np.array_equal(stacked(with_it), stacked(without))


def test_an_lcm_lora_that_is_missing_or_foreign_is_said(
    generator: LoraGenerator, weights: Weights, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="hf download latent-consistency"):
        drawn(generator, weights, lcm=str(tmp_path / "none.safetensors"))
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError, match="cannot be used"):
        drawn(generator, weights, lcm=str(tmp_path / "torn.safetensors"))


# Where there is a GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_adapters_stay_in_float32_and_draws_are_finite(
    generator: LoraGenerator,
) -> None:
    made = run_to_end(generator.fit(REAL, QUICK))
    cells = drawn(generator, made, 8)
    assert all(c.passed for c in cells)
    base = generator.loaded
    assert base is not None
    assert base.unet.device.type == "cuda"
    kinds = {p.dtype for n, p in base.unet.named_parameters() if ".lora_" in n}
    assert kinds == {torch.float32}


def test_the_benchmark_draws_both_ways_and_says_what_was_not_run() -> None:
    from napari_cytosynth.bench.generate_lora import lora_rows

    worked: list[int] = []

    def best(work: Callable[[], object], rounds: int) -> float:
        worked.append(rounds)
        return float(len(worked))

    rows = {row["case"]: row for row in lora_rows(2, best=best)}
    assert rows["draw, 20 steps"]["ratio"] == 2.0
    assert rows["draw, 4 steps beside 50"]["ratio"] == pytest.approx(4 / 3)
    gpu = [row for case, row in rows.items() if "GPU" in case]
    assert len(gpu) == 7
    if not torch.cuda.is_available():
        assert worked == [2] * 4
        assert {row["unit"] for row in gpu} == {"not run"}
        assert {row["value"] for row in gpu} == {None}
