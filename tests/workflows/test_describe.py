from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.features.attribute_words import Phrase
from napari_cytosynth.features.attributes import AttributeReader, Reading
from napari_cytosynth.features.measures import Measures
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.readable import put_readable_vectors, readable_vector
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.describe import Describer, Description, class_of
from napari_cytosynth.workflows.suggest import suggest

KEY = AttributeReader().encoder
MEASURES = Measures(0.42, 13.0, 8.4, 2)


def _phrase(text: str, noun: str) -> Phrase:
    return Phrase(noun, text, 0.97, (), text)


@pytest.fixture
def project() -> Project:
    made = MemoryProject(built_in("pbc11"))
    tiny_project(made, smears=6)
    return made


def test_cells_are_described_from_the_vectors_that_are_stored(project: Project) -> None:
    ids = project.cells().ids[:20]
    project.put_embeddings(KEY, ids[:10], np.repeat(readable_vector(), 10, axis=0))
    found = run_to_end(Describer(project, KEY).describe(ids))
    assert list(found) == ids.tolist()
    for i in ids[:10].tolist():
        reading = found[i].reading
        assert reading is not None
        assert not reading.strange
        assert reading.phrases
        assert not found[i].waiting
    assert all(found[i].waiting for i in ids[10:].tolist())


def test_vectors_of_another_embedder_are_not_read(project: Project) -> None:
    ids = project.cells().ids[:3]
    project.put_embeddings("other-1", ids, np.repeat(readable_vector(), 3, axis=0))
    found = run_to_end(Describer(project, "other-1").describe(ids))
    assert all(d.reading is None and not d.waiting for d in found.values())
    assert any(d.lines() for d in found.values())


def test_cells_that_do_not_stand_are_left_out(project: Project) -> None:
    assert run_to_end(Describer(project, KEY).describe(np.array([10**6]))) == {}


def test_the_ranking_says_what_the_attributes_say(project: Project) -> None:
    assert put_readable_vectors(project) == KEY
    found = suggest(project, KEY, head=None, strategy="margin", n=30)
    (words,) = set(Describer(project, KEY).reasons(readable_vector()))
    assert words
    for drawn, reason in zip(found.audit, found.query.reasons, strict=True):
        assert reason == ("" if drawn else f"drawn at random: no model yet; {words}")


def test_a_measured_ratio_stands_for_the_guess_of_it() -> None:
    said = (_phrase("round nucleus", "nucleus"), _phrase("low N/C ratio", "N/C ratio"))
    guessed = Description(Measures(), Reading(said))
    assert guessed.lines() == ("Round nucleus 0.97, low N/C ratio 0.97.",)
    measured = dataclasses.replace(guessed, measures=MEASURES)
    assert measured.lines() == (
        "Round nucleus 0.97.",
        "Measured: N/C 0.42, cell 13.0 µm, nucleus 8.4 µm in 2 parts.",
    )
    assert measured.lines(guesses=False) == measured.lines()[1:]


def test_of_a_strange_cell_only_measures_are_told() -> None:
    strange = Description(MEASURES, Reading(strange=True))
    first, second = strange.lines()
    assert first.startswith("Attributes are not told")
    assert second.startswith("Measured")
    assert strange.to_json()["attributes"] is None
    assert strange.to_json()["nc_ratio"] == 0.42


@pytest.mark.parametrize(
    ("shares", "taxonomy", "code"),
    [
        ((("eosinophil", 0.95), ("basophil", 0.05)), "pbc11", "EO"),
        ((("eosinophil", 0.8), ("basophil", 0.2)), "pbc11", ""),
        (
            (("neutrophil.band", 0.6), ("neutrophil.segmented", 0.4)),
            "blood5",
            "NEU",
        ),
        ((("neutrophil.band", 0.6), ("neutrophil.segmented", 0.4)), "pbc11", ""),
        ((("neutrophil.band", 0.95), ("monocyte", 0.05)), "pbc11", "BNE"),
        ((("neutrophil.band", 0.95), ("monocyte", 0.05)), "blood5", "NEU"),
        ((), "pbc11", ""),
    ],
)
def test_a_class_is_named_where_almost_all_such_cells_are_of_it(
    shares: tuple[tuple[str, float], ...], taxonomy: str, code: str
) -> None:
    reading = Reading((_phrase("round nucleus", "nucleus"),), (), shares)
    assert class_of(reading, built_in(taxonomy)) == code
