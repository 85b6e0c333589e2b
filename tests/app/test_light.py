from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "diffusers", "sklearn", "scipy", "skimage", "zarr", "qtpy", "napari"}


def test_the_window_loads_no_heavy_library_and_no_toolkit() -> None:
    code = (
        "import sys, napari_cytosynth.app.window\n"
        f"sys.exit(', '.join({HEAVY!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
