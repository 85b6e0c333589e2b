from __future__ import annotations

import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_cytosynth.bench import (
    attributes,
    detect,
    embed,
    generate,
    generate_fill,
    large_project,
    loop,
    made_up,
    marrow,
    nc_ratio,
    quality,
    rank,
    rank_disk,
    store,
)
from napari_cytosynth.bench.flawed import CellPicture, broken
from napari_cytosynth.bench.pack import figure_cells
from napari_cytosynth.bench.restained import stain_rows
from napari_cytosynth.cli.bench import NAMES
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.registry import names
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.painter import FieldSpec, paint_field
from napari_cytosynth.workflows.gating import training_cells

_PARTS = {
    "rank_disk": "rank",
    "marrow": "detect",
    "attributes": "embed",
    "nc_ratio": "embed",
}
"""Modules that are part of a benchmark, and which."""

PAGE = Path(__file__).parents[2] / "docs" / "bench.md"


def documented(name: str) -> set[str]:
    """Return what stands in backticks in the row of a benchmark."""
    text = PAGE.read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| (.+)$", text, flags=re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", row))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_built_is_documented_and_nothing_else(name: str) -> None:
    built = find_spec(f"napari_cytosynth.bench.{name}") is not None
    assert (f"| `{name}` |" in PAGE.read_text(encoding="utf-8")) is built


@pytest.mark.parametrize(
    "module",
    [
        attributes,
        detect,
        embed,
        generate,
        loop,
        marrow,
        nc_ratio,
        quality,
        rank,
        rank_disk,
        store,
    ],
)
def test_the_metrics_of_each_benchmark_are_documented(module: ModuleType) -> None:
    text = inspect.getsource(module)
    metrics = set(re.findall(r'"?metric"?(?:=|: )"([^"{]+)"', text))
    assert metrics
    name = module.__name__.rpartition(".")[2]
    told = documented(_PARTS.get(name, name))
    assert metrics <= {word for words in told for word in (words, *words.split())}


def test_fills_are_not_run_without_cells(tmp_path: Path) -> None:
    rows = generate_fill.fill_rows(tmp_path, FakeCompute())
    assert [row["class"] for row in rows] == list(generate_fill.FILLED)
    assert {row["unit"] for row in rows} == {"not run"}
    assert {row["value"] for row in rows} == {None}


@pytest.mark.data
def test_fills_learn_from_cells_kept_for_figures(developer_data: Path) -> None:
    pack = figure_cells(developer_data, each=6)
    project = generate_fill.project_of(pack)
    assert len(project.journal.labels()) == len(pack.codes)
    cells = run_to_end(training_cells(project))
    wanted = {code: pack.crops[pack.codes == code] for code in set(cells.codes)}
    for code, crop in zip(cells.codes, cells.crops, strict=True):
        assert any(np.array_equal(crop, real) for real in wanted[code])


def test_rank_tells_every_strategy_beside_the_floor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(made_up, "SIZES", (500, 1000, 2000))
    monkeypatch.setattr(rank, "disk_rows", lambda quick: [])
    rows = rank.run(tmp_path, quick=True)
    assert rows[0]["case"] == "refit, warm"
    ranked = [row for row in rows if "floor" in row]
    ours = {row["case"] for row in ranked if row["peer"] == "ours"}
    assert ours == set(names("strategies"))
    assert {row["size"] for row in ranked} == {500, 1000}
    for row in ranked:
        assert row["ratio"] == pytest.approx(row["value"] / row["floor"])
    grown = {row["case"]: row for row in rows if row["metric"] == "growth"}
    assert set(names("strategies")) <= set(grown)


def test_rank_leaves_out_what_would_take_long_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(made_up, "SIZES", (400, 800))
    monkeypatch.setattr(rank, "disk_rows", lambda quick: [])
    monkeypatch.setattr(rank, "_ALL_UP_TO", 300)
    rows = rank.run(tmp_path, quick=True)
    left = {row["case"] for row in rows if row["metric"] == "not run"}
    assert left == set(names("strategies")) - set(rank.LINEAR)


def test_a_project_on_the_disk_is_ranked_beside_reading_its_vectors(
    tmp_path: Path,
) -> None:
    path = tmp_path / "large.cytosynth"
    large_project.write_project(path, 3000, 16)
    rows = rank_disk.ranked_from_disk(path, 3000)
    assert [row["case"].partition(",")[0] for row in rows] == [
        "first reading and fit",
        *rank_disk.STRATEGIES,
        "from disk",
    ]
    for row in rows[:3]:
        assert row["ratio"] == pytest.approx(row["value"] / row["floor"])
    assert rows[3]["metric"] == "memory"
    assert rows[3]["value"] > 0


def test_loop_tells_a_round_and_its_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(made_up, "SIZES", (500, 1000))
    monkeypatch.setattr(loop, "PROJECT", 3000)
    rows = loop.run(tmp_path, quick=True)
    assert [row["case"] for row in rows] == [
        "fit",
        "fit and calibrate",
        "score",
        *loop.STRATEGIES,
        *(f"{name}, in a project" for name in loop.STRATEGIES),
    ]
    assert all(row["value"] > 0 and row["floor"] > 0 for row in rows)


def test_embed_needs_the_developer_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no PBC pack"):
        embed.run(tmp_path)


@pytest.mark.data
def test_figures_use_only_cells_kept_for_figures(developer_data: Path) -> None:
    pack = figure_cells(developer_data, each=3)
    assert pack.crops.shape == (33, 96, 96, 3)
    assert len(set(pack.codes.tolist())) == 11


@pytest.mark.data
@pytest.mark.slow
def test_embed_beats_the_plain_feature(
    monkeypatch: pytest.MonkeyPatch, developer_data: Path
) -> None:
    monkeypatch.setattr(embed, "_EACH_QUICK", 40)
    monkeypatch.setattr(embed, "SHOTS", (10,))
    rows = embed.run(developer_data, seeds=2, quick=True)
    worth = {
        r["embedder"]: r
        for r in rows
        if (r.get("dataset"), r.get("class"), r.get("shots"))
        == ("pack_pbc128", "all", 10)
    }
    assert worth["starter"]["value"] > worth["morphology"]["value"]
    gain = worth["starter"]["value"] - worth["morphology"]["value"]
    assert worth["starter minus morphology"]["value"] == pytest.approx(gain)
    assert worth["starter minus morphology"]["low"] > 0
    assert {r["dataset"] for r in rows if r["case"] == "nearest neighbour"} == {
        "aml_lmu",
        "apl_aml",
    }
    pooled = [r for r in rows if r.get("dataset") == "other stains"]
    assert [r["shots"] for r in pooled] == [10]
    assert worth["morphology"]["value"] > worth["colour histogram"]["value"]
    assert worth["morphology"]["low"] < worth["morphology"]["value"]
    assert worth["morphology"]["value"] < worth["morphology"]["high"]


def test_quality_needs_the_developer_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="developer data"):
        quality.run(tmp_path)


def test_verdicts_are_counted() -> None:
    said = quality.Verdicts([True, True, False, True], [False, True])
    rows = {row["metric"]: row for row in said.rows("cut", "made up")}
    assert rows["recall"]["value"] == 0.75
    assert rows["recall"]["n"] == 4
    assert rows["false alarms"]["value"] == 0.5
    assert rows["precision"]["value"] == 0.75
    assert rows["precision"]["low"] < 0.75 < rows["precision"]["high"]
    nobody = {r["metric"]: r for r in quality.Verdicts([False], []).rows("cut", "")}
    assert nobody["precision"]["value"] is None


def test_broken_files_are_still_opened_and_differ_near_the_cell() -> None:
    pixels = paint_field(FieldSpec(300, 300, 8), np.random.default_rng(2)).pixels
    whole = CellPicture("a.jpg", pixels, 0.25)
    hurt = broken(whole, 48.0, np.random.default_rng(0))
    assert hurt is not None
    assert hurt.pixels.shape == pixels.shape
    assert np.abs(hurt.pixels.astype(int) - pixels).max() > 60
    again = broken(whole, 48.0, np.random.default_rng(0))
    assert again is not None
    np.testing.assert_array_equal(again.pixels, hurt.pixels)


def test_shown_stains_come_nearer_to_the_reference(developer_data: Path) -> None:
    rows = list(stain_rows(developer_data, 1))
    values = {(r["dataset"], r["case"], r["metric"]): r["value"] for r in rows}
    for dataset in ("bccd", "txl_pbc", "segpc", "pig_wbc"):
        for part in ("glass", "red cells", "nuclei"):
            key = (dataset, f"stain of {part}")
            assert values[(*key, "distance after")] < values[(*key, "distance before")]
