"""Options that people give a generator: of the right name and kind, or refused."""

from __future__ import annotations

import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.registry import load
from napari_cytosynth.synthesis.embedding import EmbeddingConfig
from napari_cytosynth.synthesis.latent_options import LatentConfig
from napari_cytosynth.synthesis.lora_options import LoraConfig

PAINTERS = [("latent", LatentConfig), ("lora", LoraConfig)]


@pytest.mark.parametrize("config", [EmbeddingConfig, LatentConfig, LoraConfig])
@pytest.mark.parametrize("value", ["abc", 6.5, True, None, [6]])
def test_steps_that_are_no_whole_number_are_refused(config, value):
    with pytest.raises(InputError, match=r"got steps .*must be a whole number"):
        config.read({"steps": value})


@pytest.mark.parametrize("config", [LatentConfig, LoraConfig])
@pytest.mark.parametrize("value", ["nan", float("nan"), float("inf"), False])
def test_guidance_that_is_no_finite_number_is_refused(config, value):
    with pytest.raises(InputError, match=r"got guidance .*must be a finite number"):
        config.read({"guidance": value})


@pytest.mark.parametrize(
    ("config", "name", "value", "rule"),
    [
        (EmbeddingConfig, "unlabelled", "yes", "true or false"),
        (LatentConfig, "match_stain", 1, "true or false"),
        (LatentConfig, "solver", 2, "words"),
        (LatentConfig, "guidance", -5, "below 0"),
        (LatentConfig, "looks", -0.1, "below 0"),
        (LoraConfig, "prompts", "a cell", "a mapping"),
    ],
)
def test_a_value_of_another_kind_is_refused(config, name, value, rule):
    with pytest.raises(InputError, match=rule):
        config.read({name: value})


def test_a_whole_number_will_do_where_any_number_does():
    assert LatentConfig.read({"guidance": 3, "strength": 1}).guidance == 3


def test_every_default_is_taken():
    for config in (EmbeddingConfig, LatentConfig, LoraConfig):
        plain = config()
        given = {name: getattr(plain, name) for name in config.__slots__}
        assert config.read(given) == plain


@pytest.mark.parametrize(("key", "config"), PAINTERS)
def test_the_form_offers_options_of_the_right_kind(key: str, config: type) -> None:
    maker = load("generators", key)()
    offered = [s for s in maker.settings if not s.is_argument]
    options = {s.name: s.value for s in offered}
    assert {"strategy", "strength", "steps"} <= set(options)
    assert config.read(options) == config(), "the form starts at other defaults"
    maker.refuse_options(options, "BA", 3)
    choices = [(s.name, value) for s in offered for value in s.choices]
    assert ("strategy", "inpaint") in choices
    for name, value in choices:
        assert getattr(config.read({name: value}), name) == value
        maker.refuse_options({name: value}, "BA", 3)


@pytest.mark.parametrize("key", ["latent", "lora"])
def test_a_choice_that_the_form_does_not_offer_is_refused(key: str) -> None:
    maker = load("generators", key)()
    choosing = [s for s in maker.settings if s.choices]
    assert choosing
    for setting in choosing:
        with pytest.raises(InputError) as refused:
            maker.refuse_options({setting.name: "blurry"}, "BA", 3)
        said = str(refused.value)
        assert f"The {key} generator got {setting.name} 'blurry'" in said
        for value in setting.choices:
            assert value in said.split("'blurry'")[1], "the way out names each choice"


@pytest.mark.parametrize("key", ["latent", "lora"])
def test_a_strategy_without_a_real_cell_is_refused_at_once(key: str) -> None:
    with pytest.raises(InputError, match="no labelled cell"):
        load("generators", key)().refuse_options({"strategy": "inpaint"}, "BA", 0)
