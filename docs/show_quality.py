"""Shows the window with flagged cells, and a smear in the stain of another one.

A painted smear that a decoder tore is opened beside one in another stain, and, where
the developers' data is there, damaged and intact real cells. What is asserted: damaged
cells are flagged and listed alone, and the stain is a layer of its own.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/show_quality.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from qtpy.QtWidgets import QApplication
from window_hands import picture_of, wait, window_on

from napari_cytosynth._gui.launch import open_or_create
from napari_cytosynth._gui.main import Window
from napari_cytosynth.app.panels import Quality
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.quality import Flaw
from napari_cytosynth.testing.painter import FieldSpec, paint_field

ROOT = Path(__file__).parents[1]
_SIDE = 900
_TORN = 560  # row from which the decoder lost its way


def paint(folder: Path) -> list[Path]:
    """Paint two fields: one torn, one whose dyes are weaker, on grey glass."""
    paths = []
    for seed, change in ((4, tear), (5, fade)):
        spec = FieldSpec(_SIDE, _SIDE, 45, unsharp=0.25)
        pixels = paint_field(spec, np.random.default_rng(seed)).pixels
        paths.append(folder / f"{change.__name__}-field.png")
        Image.fromarray(change(pixels)).save(paths[-1])
    return paths


def tear(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Put everything below a row at the wrong place, as a decoder does."""
    torn = pixels.astype(np.int16)
    torn[_TORN:] = np.roll(torn[_TORN:], 200, axis=1) + np.array([35, -10, 5])
    return np.clip(torn, 0, 255).astype(np.uint8)


def fade(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Weaken the dyes and turn their colours."""
    density = -np.log10((pixels.astype(np.float64) + 1) / 256)
    light = 256 * 10 ** -(density * np.array([0.5, 0.75, 0.9])) - 1
    return np.asarray(np.clip(light * 0.85, 0, 255), np.uint8)


def real_cells() -> list[Path]:
    """Return damaged and intact pictures of the developers' data, if it is there."""
    default = str(ROOT / ".." / "shared" / "data")
    folder = Path(os.environ.get("CYTOSYNTH_DATA", default))
    return sorted((folder / "bone_marrow" / "mll_crops").rglob("*.jpg"))


def show_flagged(window: Window, out: Path) -> None:
    """List the damaged cells alone, and all that are flagged."""
    session, tools = window.session, window.docks.panels.annotate.tools
    for quality, name in ((Quality.DAMAGED, ""), (Quality.ONLY, "flagged")):
        tools.quality.setCurrentIndex(tools.quality.findData(quality))
        tools.quality.activated.emit(tools.quality.currentIndex())
        flaws = [session.index.flaw(cell) for cell in session.state.listing.ids]
        wanted = quality.wanted
        assert sum(bool(f & wanted) for f in flaws) >= 0.8 * len(flaws) > 0
        if name:
            assert any(f & Flaw.BLURRED for f in flaws)
            picture_of(window, out / f"quality-{name}.jpg")


def show_stain(window: Window, out: Path) -> None:
    """Show the faded field as it was scanned, then in the stain of the other."""
    session = window.session
    cells = session.index.of_smear(SmearId(2))
    session.focus_cell(session.index.table.ids[cells[len(cells) // 2]])
    picture_of(window, out / "stain-before.jpg")
    window.dialogs.open("stain")
    assert window.dialogs.shown is not None
    window.dialogs.shown.form["reference"].value = 1
    window.dialogs.shown.accept()

    def shown() -> bool:
        return any("looking only" in layer.name for layer in window.viewer.layers)

    wait("the other stain", shown)
    picture_of(window, out / "stain-after.jpg")


def main() -> None:
    """Open the window, take the pictures, and close it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    out = options.parse_args().out
    app = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        smears = [*paint(Path(folder)), *real_cells()]
        project = open_or_create(Path(folder) / "quality.cytosynth", "marrow21")
        with window_on(project, "driver") as window:
            window.session.open_smears([str(path) for path in smears])
            wait("all smears", lambda: len(project.smears()) == len(smears))
            wait("all tasks", lambda: not window.session.state.tasks)
            show_flagged(window, out)
            show_stain(window, out)
    app.processEvents()


if __name__ == "__main__":
    main()
