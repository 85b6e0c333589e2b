from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, WeightsError
from napari_cytosynth.features.attribute_words import (
    TOPICS,
    Chances,
    phrases,
    reason_of,
    sentences,
)
from napari_cytosynth.features.attributes import AttributeReader, Reading
from napari_cytosynth.features.starter import FOLDER, StarterEmbedder

CARD = json.loads((FOLDER / "attributes.json").read_text(encoding="utf-8"))


def chances(**sure: str | tuple[str, ...]) -> Chances:
    """Make chances that are even, save of these values, which share 0.96."""
    made = {}
    for name, values in CARD["values"].items():
        wanted = sure.get(name, ())
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        others = [v for v in values if v not in wanted]
        shares = {v: 0.96 / len(wanted) for v in wanted}
        rest = 0.04 if wanted else 1.0
        made[name] = shares | {v: rest / len(others) for v in others}
    return made


def texts(**sure: str | tuple[str, ...]) -> list[str]:
    return [phrase.text for phrase in phrases(chances(**sure), 0.85)]


@pytest.fixture
def reader() -> AttributeReader:
    return AttributeReader()


def test_the_heads_belong_to_the_encoder_that_ships(reader: AttributeReader):
    assert reader.encoder == StarterEmbedder().key


def test_every_value_can_be_said_and_every_word_is_a_value():
    said = {
        (name, value)
        for topic in TOPICS
        for name, terms in topic.terms.items()
        for term in terms
        for value in term.values
    }
    # Granularity says no more than the kind of granules; "nil" has no colour.
    values = {(n, v) for n, vs in CARD["values"].items() for v in vs}
    silent = {("granularity", "yes"), ("granularity", "no"), ("granule_colour", "nil")}
    assert said == values - silent


def test_chances_are_probabilities_of_every_attribute(reader: AttributeReader):
    vectors = np.random.default_rng(0).normal(size=(5, 384)).astype(np.float32)
    found = reader.chances(vectors)
    assert list(found) == list(CARD["values"])
    for name, table in found.items():
        assert table.shape == (5, len(CARD["values"][name]))
        np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-6)


def test_a_cell_without_a_vector_is_not_read(reader: AttributeReader):
    vectors = np.zeros((3, 384), np.float32)
    vectors[1] = np.nan
    found = reader.read(vectors)
    assert found[1] is None
    assert all(isinstance(found[i], Reading) for i in (0, 2))
    assert reader.read(vectors[:0]) == []


def test_what_lies_far_off_is_strange_and_nothing_is_said_of_it(
    reader: AttributeReader,
):
    rng = np.random.default_rng(1)
    far = rng.normal(size=(50, 384)).astype(np.float32) * 8
    assert all(r == Reading(strange=True) for r in reader.read(far))


def test_vectors_of_another_embedder_are_refused(reader: AttributeReader):
    with pytest.raises(InputError, match="starter-1-"):
        reader.chances(np.zeros((2, 7), np.float32))


def test_heads_that_were_exchanged_are_not_used(tmp_path: Path):
    for name in ("attributes.json", "attributes.safetensors"):
        shutil.copy(FOLDER / name, tmp_path / name)
    path = tmp_path / "attributes.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError, match=r"attribute heads.*SHA-256"):
        AttributeReader(tmp_path).read(np.zeros((1, 384), np.float32))
    path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        AttributeReader(tmp_path).read(np.zeros((1, 384), np.float32))
    (tmp_path / "attributes.json").write_text("{")
    with pytest.raises(WeightsError, match="card of the attribute heads"):
        AttributeReader(tmp_path).encoder  # noqa: B018


def test_the_heads_take_little_room():
    size = (FOLDER / "attributes.safetensors").stat().st_size
    assert size < 200_000


def test_phrases_join_adjectives_and_nouns():
    found = texts(
        nucleus_shape="segmented-bilobed",
        granule_type="coarse",
        granule_colour="purple",
        chromatin_density="densely",
        cytoplasm_texture="clear",
        cytoplasm_colour="light blue",
        cytoplasm_vacuole="yes",
        cell_size="big",
        cell_shape="round",
    )
    assert found == [
        "bilobed nucleus",
        "coarse purple granules",
        "dense chromatin",
        "clear light blue cytoplasm",
        "vacuoles",
        "large round cell",
    ]


def test_what_there_is_none_of_has_no_colour():
    assert texts(granule_type="nil", granule_colour="pink") == ["no granules"]
    assert texts(cytoplasm_vacuole="no") == ["no vacuoles"]


def test_where_the_narrow_word_is_not_sure_the_wide_one_is_said():
    lobes = ("segmented-bilobed", "segmented-multilobed")
    assert texts(nucleus_shape=lobes) == ["segmented nucleus"]
    assert texts(granule_type=("small", "round")) == ["granules"]
    assert texts(granule_type=("small", "round"), granule_colour="pink") == [
        "pink granules"
    ]


def test_the_confidence_of_a_phrase_is_that_of_its_least_sure_word():
    own = dict(chances(granule_type="coarse", granule_colour="purple"))
    own["granule_colour"] = {"purple": 0.87, "pink": 0.13}
    (phrase,) = phrases(own, 0.85)
    assert phrase.text == "coarse purple granules"
    assert phrase.confidence == pytest.approx(0.87)


def test_nothing_is_said_of_what_is_not_sure():
    assert texts() == []
    assert reason_of((), "EO") == ""
    assert sentences((), ("nucleus",), "") == "Unsure: nucleus."


def test_a_reason_names_nucleus_and_granules_and_the_class_they_speak_for():
    lobes = ("segmented-bilobed", "segmented-multilobed")
    said = phrases(
        chances(
            nucleus_shape=lobes,
            granule_type="coarse",
            granule_colour="purple",
            cytoplasm_vacuole="no",
        ),
        0.85,
    )
    assert reason_of(said, "EO") == "segmented nucleus, coarse granules: EO?"
    assert reason_of(said, "") == "segmented nucleus, coarse granules"
    assert sentences(said, ("cell",), "EO") == (
        "Segmented nucleus 0.96, coarse purple granules 0.96, no vacuoles 0.96: EO? "
        "Unsure: cell."
    )


def test_no_confidence_is_called_certain():
    own = dict(chances())
    own["cell_size"] = {"big": 1.0, "small": 0.0}
    (phrase,) = phrases(own, 0.85)
    assert sentences((phrase,), (), "") == "Large cell 0.99."
