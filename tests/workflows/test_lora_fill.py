"""Filling a class with the ``lora`` generator, from its options to what leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.synthesis.lora import LoraGenerator
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.exporting_models import adapters, export_models
from napari_cytosynth.workflows.fill_jobs import Ask, learning_options
from napari_cytosynth.workflows.model_card import weights_name
from napari_cytosynth.workflows.synthesize import fill

OPTIONS: dict[str, Any] = {"train_steps": 2, "rank": 2, "alpha": 2, "steps": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("transformers", "peft", "accelerate"):
        pytest.importorskip(package, reason="the extra 'lora' is not installed")
    from napari_cytosynth.synthesis._torch.stable_random import random_base

    return random_base(tmp_path_factory.mktemp("stable") / "tiny-stable")


@pytest.fixture
def project() -> MemoryProject:
    made = MemoryProject(built_in("pbc11"))
    truth = tiny_project(made, smears=12, cells_per_smear=11)
    author = Author("A. Reader")
    made.record(*(author.label(c, k) for c, k in truth.items()))
    return made


@pytest.fixture
def maker(base: Path, tmp_path: Path) -> LoraGenerator:
    return LoraGenerator(str(base), tmp_path / "scratch")


def weights_of(project: MemoryProject, name: str) -> Weights:
    found = project.model(weights_name(name, "MO"))
    assert found is not None
    return found


def test_options_reach_learning_and_drawing(
    project: MemoryProject, maker: LoraGenerator, base: Path, tmp_path: Path
) -> None:
    name = f"lora:{base}"
    compute = InlineCompute(generators={name: lambda: maker}, embedders={})

    def filled(**more: Any) -> Weights:
        options = {**OPTIONS, **more}
        run_to_end(
            fill(project, compute, Ask("MO", 1, generator=name, options=options))
        )
        return weights_of(project, name)

    first = filled()
    assert first.meta["config"]["rank"] == 2
    assert first.meta["steps"] == 2
    assert filled(strategy="variation", strength=0.4).sha256 == first.sha256
    assert filled(train_steps=3).meta["steps"] == 3
    drawn = project.synthetic("MO")
    strategies = [c.provenance.config["strategy"] for c in drawn]
    assert set(strategies) == {"class", "variation"}
    assert {c.provenance.config["steps"] for c in drawn} == {2}
    assert adapters(project) == ("lora-MO",)
    report = export_models(project, tmp_path / "out")
    assert (report.generators, report.withheld) == (("lora",), ("lora-MO",))
    card = (tmp_path / "out" / "model-card-lora.md").read_text(encoding="utf-8")
    assert "treat them as patients' data" in card
    assert str(base) not in card


def test_black_pictures_are_counted_in_the_report(
    project: MemoryProject, maker: LoraGenerator
) -> None:
    import torch

    compute = InlineCompute(generators={"lora": lambda: maker}, embedders={})
    ask: dict[str, Any] = {"generator": "lora", "options": OPTIONS}
    run_to_end(fill(project, compute, Ask("MO", 1, **ask)))
    loaded = maker.loaded
    assert loaded is not None
    with torch.no_grad():
        loaded.vae.decoder.conv_out.weight.zero_()
        loaded.vae.decoder.conv_out.bias.fill_(-1.5)
    report = run_to_end(fill(project, compute, Ask("MO", 1, **ask)))
    assert report.accepted == 0
    assert report.reasons == {"picture": report.drawn}


def test_another_base_under_the_same_name_is_learned_anew(
    project: MemoryProject, maker: LoraGenerator, tmp_path: Path
) -> None:
    from napari_cytosynth.synthesis._torch.stable_random import random_base

    other = LoraGenerator(
        str(random_base(tmp_path / "other", seed=1)), tmp_path / "scratch"
    )
    ask: dict[str, Any] = {"generator": "lora", "options": OPTIONS}
    learned = []
    for at_hand in (maker, other):
        compute = InlineCompute(generators={"lora": lambda m=at_hand: m}, embedders={})
        run_to_end(fill(project, compute, Ask("MO", 1, **ask)))
        learned.append(weights_of(project, "lora").meta["base sha256"])
    assert learned[0] != learned[1]
    made = project.synthetic("MO")
    assert {c.provenance.config["base sha256"] for c in made} == set(learned)


def test_only_options_of_learning_are_told_to_it() -> None:
    asked = {"strategy": "inpaint", "rank": 8, "steps": 3}
    assert learning_options("lora:/somewhere", asked) == {"rank": 8}
    assert learning_options("latent", asked) == {}
    assert learning_options("latent", {"tune": "all", "steps": 3}) == {"tune": "all"}
    assert learning_options("of a far worker", asked) == {}
