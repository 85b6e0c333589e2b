"""Draws contact sheets: cells painted by ``latent`` beside real ones.

    python docs/draw_synthetic.py DATA [--weights DIR] [--out docs/images]

Real cells are those of the PBC pack whose names hash to 6..9; no shipped weights were
trained on them. Real and painted cells have the same scale (0.25 um a pixel) and pass
through the same JPEG compression. No gate chose among the painted ones: these are the
first draws.

``synthetic-classes.jpg``: a row a class, real cells on the left, painted on the right.
``synthetic-strategies.jpg``: a row a class; a real cell, two variations of it (strength
0.3 and 0.7), the same cell in new surroundings, and a new cell in its place.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_cytosynth.bench.pack import files_by_class
from napari_cytosynth.core.protocols import Crops, LabelledCells, Request, Weights
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.synthesis._torch.train_latent import CONCEPTS, read_crop
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.synthesis.starter import FOLDER

QUALITY = 82
SHOWN = ("SNE", "MY", "EO", "BA", "MO", "LY")
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"strategy": "variation", "strength": 0.3},
    {"strategy": "variation", "strength": 0.7},
    {"strategy": "inpaint"},
    {"strategy": "in-then-out"},
)
HEADINGS = ("real", "variation 0.3", "variation 0.7", "inpaint", "in-then-out")
_LEFT, _TOP, _GAP = 76, 22, 12

Picture = npt.NDArray[np.uint8]


def real_cells(data: Path, each: int) -> dict[str, Crops]:
    """Return so many real cells of each class."""
    chosen = files_by_class(data)
    rng = np.random.default_rng(7)
    return {
        code: np.stack(
            [read_crop(paths[i]) for i in rng.permutation(len(paths))[:each]]
        )
        for code, paths in ((code, chosen[code]) for code in CONCEPTS)
    }


def labelled(real: dict[str, Crops]) -> LabelledCells:
    """Return real cells as a fit wants them."""
    codes = tuple(code for code, crops in real.items() for _ in crops)
    crops = np.concatenate(list(real.values()))
    none = np.zeros((len(codes), 0), np.float32)
    ids = np.arange(len(codes))
    return LabelledCells(ids, codes, crops, none, "", ids.astype(str))


def painted(
    generator: LatentGenerator,
    weights: Weights,
    code: str,
    count: int,
    config: dict[str, Any],
) -> list[SyntheticCell]:
    """Return the first draws of a class."""
    request = Request(code, count, 0, built_in("pbc11"), 0, config)
    batches = generator.generate(request, weights, np.random.default_rng(0))
    return [i for b in batches for i in b.items if isinstance(i, SyntheticCell)]


def sheet(rows: dict[str, list[Crops]], headings: tuple[str, ...]) -> Image.Image:
    """Lay out groups of crops: a row a class, a gap between groups."""
    first = next(iter(rows.values()))
    width = _LEFT + sum(96 * len(g) + _GAP for g in first) - _GAP
    picture = Image.new("RGB", (width, _TOP + 96 * len(rows)), "white")
    pen = ImageDraw.Draw(picture)
    for row, (code, groups) in enumerate(rows.items()):
        x, y = _LEFT, _TOP + 96 * row
        pen.text((4, y + 42), code, fill="black")
        for heading, group in zip(headings, groups, strict=True):
            if not row:
                pen.text((x + 4, 5), heading, fill="black")
            for crop in group:
                picture.paste(Image.fromarray(crop), (x, y))
                x += 96
            x += _GAP
    return picture


def strategies(
    generator: LatentGenerator, real: dict[str, Crops]
) -> dict[str, list[Crops]]:
    """Return a row a class: real cells, and what each strategy makes of them."""
    cells = labelled({code: real[code][:1] for code in SHOWN})
    weights = run_to_end(generator.fit(cells, {}))
    rows = {}
    for code in SHOWN:
        groups = [real[code][:1]]
        for config in STRATEGIES:
            made = painted(generator, weights, code, 2, config)
            groups.append(np.stack([cell.pixels for cell in made]))
        rows[code] = groups
    return rows


def main() -> None:
    """Write both sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--each", type=int, default=8)
    options = parser.parse_args()
    generator = LatentGenerator(options.weights)
    real = real_cells(options.data, options.each)
    rows = {}
    for code, crops in real.items():
        made = painted(generator, Weights({}), code, options.each, {})
        rows[code] = [crops, np.stack([cell.pixels for cell in made])]
    for name, picture in (
        ("synthetic-classes.jpg", sheet(rows, ("real", "painted"))),
        ("synthetic-strategies.jpg", sheet(strategies(generator, real), HEADINGS)),
    ):
        picture.save(options.out / name, quality=QUALITY)


if __name__ == "__main__":
    main()
