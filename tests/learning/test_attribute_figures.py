"""What attributes in words are worth on cells that no shipped weights have seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.bench.attributes import (
    attribute_rows,
    calibration_error,
    told_cells,
    typical,
)
from napari_cytosynth.bench.nc_ratio import nc_ratio_rows
from napari_cytosynth.bench.pack import figure_cells
from napari_cytosynth.features.attributes import AttributeReader
from napari_cytosynth.features.starter import StarterEmbedder

Figures = Mapping[tuple[str, str, str, str, str], dict[str, Any]]


def test_calibration_error_is_the_gap_between_confidence_and_hits() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    even = np.ones((1, 6))
    # (4 * |0.95 - 0.75| + 2 * |0.55 - 0.5|) / 6
    assert calibration_error(confidence, right, even) == pytest.approx(0.15)
    twice = np.array([[0, 0, 0, 6, 0, 0.0]])
    assert calibration_error(confidence, right, twice) == pytest.approx(0.95)


def test_what_is_usual_of_a_class_comes_from_the_training_cells() -> None:
    usual = typical(AttributeReader(), "granule_type")
    assert usual["eosinophil"] == "round"
    assert usual["basophil"] == "coarse"
    assert usual["neutrophil"] == usual["neutrophil.band"] == "small"
    assert usual["lymphocyte"] == usual["monocyte"] == "nil"
    assert "erythroblast" not in usual


@pytest.mark.data
def test_the_cells_of_the_figures_have_attributes(developer_data: Path) -> None:
    told = told_cells(developer_data, AttributeReader())
    assert len(told.pack.crops) == len(told.pack.codes) == 341
    assert {len(values) for values in told.values.values()} == {341}


@pytest.fixture(scope="module")
def figures(developer_data: Path) -> Figures:
    embed, pack = StarterEmbedder().embed, figure_cells(developer_data, each=40)
    rows = attribute_rows(developer_data, embed, pack, {})
    keys = ("case", "dataset", "peer", "class", "metric")
    found = {}
    for row in rows:
        case, dataset, peer, name, metric = (row[key] for key in keys)
        found[case, dataset, peer, name, metric] = row
    return found


def _value(figures: Figures, case: str, name: str, metric: str, **where: str) -> float:
    dataset, peer = where.get("dataset", "pack_pbc128"), where.get("peer", "ours")
    return float(figures[case, dataset, peer, name, metric]["value"])


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("nucleus_shape", 0.58),
        ("granule_type", 0.95),
        ("granule_colour", 0.95),
        ("nuclear_cytoplasmic_ratio", 0.9),
        ("chromatin_density", 0.82),
        ("cytoplasm_colour", 0.65),
        ("cytoplasm_vacuole", 0.7),
    ],
)
def test_heads_reach_their_floors_and_know_how_sure_they_are(
    figures: Figures, name: str, floor: float
) -> None:
    assert _value(figures, "attribute", name, "macro-F1") >= floor
    assert _value(figures, "attribute", name, "calibration error") <= 0.08


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["nucleus_shape", "cell_shape", "cytoplasm_vacuole", "cytoplasm_colour"]
)
def test_some_heads_tell_more_than_the_class_does(figures: Figures, name: str) -> None:
    own = _value(figures, "attribute", name, "macro-F1")
    plain = _value(figures, "attribute", name, "macro-F1", peer="class known")
    assert own > plain + 0.05


@pytest.mark.data
@pytest.mark.slow
def test_what_is_told_is_true(figures: Figures) -> None:
    for noun, floor in {"nucleus": 0.85, "granules": 0.97, "chromatin": 0.95}.items():
        assert _value(figures, "words", noun, "true of those told") >= floor
        assert _value(figures, "words", noun, "told") >= 0.5
    assert _value(figures, "words", "class named", "true of those told") >= 0.95


@pytest.mark.data
@pytest.mark.slow
def test_little_is_told_of_what_the_heads_do_not_know(figures: Figures) -> None:
    for code in ("ERB", "PLATELET", "PMY", "MY", "MMY"):
        assert _value(figures, "anything told", code, "told") <= 0.15
    for kind in ("red cell", "platelet", "elsewhere"):
        told = _value(figures, "anything told", kind, "told", dataset="bccd")
        assert told <= 0.03
    for code in ("SNE", "EO", "LY", "MO", "BA"):
        assert _value(figures, "anything told", code, "told") >= 0.8


@pytest.mark.data
@pytest.mark.slow
def test_the_measured_ratio_is_near_that_of_drawn_masks(developer_data: Path) -> None:
    rows = {(row["metric"], row["peer"]): row for row in nc_ratio_rows(developer_data)}
    assert rows["told", "ours"]["value"] >= 0.6
    error = rows["absolute error", "ours"]
    assert error["value"] <= 0.07
    assert error["high"] < rows["absolute error", "always the median"]["low"]
