"""The sheets for blinded readers: what is drawn, and what answers are worth."""

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.errors import InputError

SCRIPT = Path(__file__).parents[2] / "docs" / "draw_blind_sheets.py"


@pytest.fixture(scope="module")
def sheets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_blind_sheets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def key(sheets: ModuleType, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (8, 96, 96, 3), np.uint8)
    real = [sheets.Shown(crop, sheets.REAL, "BA") for crop in crops[:4]]
    cells = [*real, *sheets.planted_cells(crops[4:], ["BA"] * 4)]
    (tmp_path / "keys").mkdir()
    sheets.write_test("toy", cells, tmp_path, tmp_path / "keys")
    with Image.open(tmp_path / "toy-1.jpg") as picture:
        assert picture.width == 10 * (96 * 2 + 4)
    return tmp_path / "keys" / "toy.json"


def answer(folder: Path, said: list[str]) -> Path:
    path = folder / "reader.csv"
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerows([("number", "said"), *enumerate(said, 1)])
    return path


def test_answers_are_scored_against_the_key(
    sheets: ModuleType, key: Path, tmp_path: Path
) -> None:
    said = ["real"] * 3 + ["synthetic"] * 5
    found = sheets.score(key, answer(tmp_path, said))
    assert found["right"] == "7 of 8"
    assert found["d_prime"][1] < found["d_prime"][0] < found["d_prime"][2]
    assert found["called synthetic, by class"] == {
        "real BA": "1 of 4",
        "synthetic BA": "4 of 4",
    }
    assert set(found["called synthetic, by how"]) == {
        "real",
        *(f"synthetic {how}" for how in sheets.FAKES),
    }


@pytest.mark.parametrize("said", [["real"] * 7, ["real"] * 7 + ["perhaps"]])
def test_answers_that_leave_one_out_are_refused(
    sheets: ModuleType, key: Path, tmp_path: Path, said: list[str]
) -> None:
    with pytest.raises(InputError, match="each of the 8 cells"):
        sheets.score(key, answer(tmp_path, said))


def test_the_key_tells_every_number_and_each_fake_changes_the_cell(
    sheets: ModuleType, key: Path
) -> None:
    cells = json.loads(key.read_text())["cells"]
    assert [cell["number"] for cell in cells] == list(range(1, 9))
    assert [cell["kind"] for cell in cells] == ["real"] * 4 + ["synthetic"] * 4
    crop = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    for fake in sheets.FAKES.values():
        made = fake(crop)
        assert (made.shape, made.dtype) == (crop.shape, crop.dtype)
        assert (made != crop).mean() > 0.4
