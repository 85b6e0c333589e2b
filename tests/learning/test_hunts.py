from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.bench import rare
from napari_cytosynth.bench.hunts import KNOWN, LABELLED, Cells, Hunt
from napari_cytosynth.bench.labels import taxonomy_of
from napari_cytosynth.bench.pack import Pack
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.features.starter import FOLDER


def _cells(common: int = 700) -> Cells:
    rng = np.random.default_rng(0)
    codes = np.repeat(["SNE", "EO", "PMY"], (common, common, 60))
    centres = {c: rng.normal(size=12) for c in ("SNE", "EO", "PMY")}
    vectors = np.stack([centres[c] for c in codes.tolist()])
    vectors = (vectors + rng.normal(size=vectors.shape)).astype(np.float32)
    return vectors, codes, taxonomy_of(codes)


def test_the_class_is_thinned_and_the_others_are_known() -> None:
    hunt = Hunt.deal(_cells(), "PMY", 0)
    assert hunt.known.count("PMY") == KNOWN
    assert hunt.known.count("SNE") == hunt.known.count("EO") == LABELLED
    assert hunt.is_sought.sum() == 7  # 0.5 % of 1,400 other cells
    assert not set(hunt.known.ids.tolist()) & set(hunt.pool.ids.tolist())


def test_a_class_without_a_name_has_no_label_and_no_column() -> None:
    hunt = Hunt.deal(_cells(), "PMY", 0, known=0, share=None)
    assert hunt.known.count("PMY") == 0
    assert "PMY" not in hunt.pool.codes
    assert hunt.is_sought.sum() == 60


@pytest.mark.parametrize("way", rare._ways_to_unnamed(), ids=lambda way: way.case)
def test_every_way_to_the_unnamed_ranks_the_whole_pool(way: rare._Way) -> None:
    hunt = Hunt.deal(_cells(100), "PMY", 0, known=0)
    found = way.seek(hunt, len(hunt.pool.ids))
    assert sorted(found.tolist()) == list(range(len(hunt.pool.ids)))


def test_synthetic_vectors_are_of_the_sought_class_only() -> None:
    made = Hunt.deal(_cells(100), "PMY", 0).with_draws().pool.synthetic
    assert made is not None
    assert set(made.codes) == {"PMY"}


def test_the_gap_is_that_between_the_best_rival_and_all_there_are() -> None:
    told = {"case": "rare"}
    three = (np.full((1, 2), 15.0), np.full((1, 2), 10.0), np.full((1, 2), 20.0))
    rows = list(rare._closed(told, ["PMY"], three))
    assert [row["class"] for row in rows] == ["PMY", "all"]
    assert rows[0]["value"] == rows[0]["low"] == pytest.approx(0.5)


def test_an_encoder_that_has_seen_every_class_shows_nothing() -> None:
    pack = Pack(np.zeros((1, 96, 96, 3), np.uint8), np.array(["BA"]))
    with pytest.raises(InputError, match="trained on all of BA, PMY"):
        rare._by_encoder(FOLDER, pack)
