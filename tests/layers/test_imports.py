"""What importing may load, and how long it may take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "napari_cytosynth"
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


def test_no_module_loads_torch_or_qt() -> None:
    """Not one of them, save those whose rooms are there for it."""
    names = [
        ".".join(("napari_cytosynth", *path.with_suffix("").parts))
        for path in (p.relative_to(PACKAGE) for p in sorted(PACKAGE.rglob("*.py")))
        if not {"_torch", "_gui", "__main__.py"} & set(path.parts)
    ]
    assert len(names) > 200
    loaded = loaded_after("\n".join(f"import {name}" for name in names))
    assert set(names) <= loaded | {n for n in names if n.endswith(".__init__")}
    assert not loaded & {"torch", "diffusers", "transformers", "napari", "qtpy"}


def test_reading_the_manifest_loads_no_torch_and_no_qt() -> None:
    loaded = loaded_after(
        "import npe2\n"
        "m = npe2.PluginManifest.from_distribution('napari-cytosynth')\n"
        "assert m.contributions.widgets"
    )
    assert not loaded & {"torch", "diffusers", "sklearn", "PyQt6", "qtpy"}


def test_no_module_outside_torch_folders_names_torch_at_the_top() -> None:
    offenders = [
        str(path)
        for path in PACKAGE.rglob("*.py")
        if "_torch" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(
            ("import torch", "from torch", "import diffusers", "from diff")
        )
    ]
    assert not offenders
