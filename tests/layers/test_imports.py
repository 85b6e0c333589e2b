"""What importing may load, and how long it may take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "diffusers", "sklearn", "scipy", "skimage", "zarr", "qtpy", "napari")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import napari_cytosynth")
    assert not loaded & {*HEAVY, "numpy", "PyQt6"}


@pytest.mark.parametrize(
    "room",
    [
        "core",
        "store",
        "ingest",
        "formats",
        "features",
        "learning",
        "synthesis",
        "evidence",
        "worker",
        "workflows",
        "app",
        "cli",
        "metrics",
    ],
)
def test_no_room_loads_torch_or_qt(room: str) -> None:
    loaded = loaded_after(f"import napari_cytosynth.{room}")
    assert not loaded & {"torch", "diffusers", "transformers", "napari", "qtpy"}


def test_reading_the_manifest_loads_no_torch_and_no_qt() -> None:
    loaded = loaded_after(
        "import npe2\n"
        "m = npe2.PluginManifest.from_distribution('napari-cytosynth')\n"
        "assert m.contributions.widgets"
    )
    assert not loaded & {"torch", "diffusers", "sklearn", "PyQt6", "qtpy"}


def test_no_module_outside_torch_folders_names_torch_at_the_top() -> None:
    package = Path(__file__).parents[2] / "napari_cytosynth"
    offenders = [
        str(path)
        for path in package.rglob("*.py")
        if "_torch" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import torch", "from torch", "import diffusers"))
    ]
    assert not offenders
