"""Draws the worst errors of the detector on a developer set, twenty on a sheet.

Run: python docs/draw_errors.py DATA SET [--every N]
writes docs/images/errors_SET.jpg and prints what each tile shows. Blue: marked and not
found; green: marked and found; red: found and not marked.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_cytosynth.bench.steady import nucleated_in, pixels_of
from napari_cytosynth.bench.truth import Truth, bccd, pig_wbc, segpc, txl_pbc
from napari_cytosynth.core.geometry import box_iou

SETS = {"bccd": bccd, "txl_pbc": txl_pbc, "pig_wbc": pig_wbc, "segpc": segpc}
WORST = 20
COLUMNS = 5
TILE = 180  # pixels
IOU = 0.5
AROUND = 2.2  # side of a tile, in sides of the box

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """One picture, its marked and its found boxes, and which of them match."""

    truth: Truth
    marked: Boxes
    found: Boxes
    hit: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Error:
    """A box that has no partner, and how bad that is, 0..1."""

    picture: Picture
    box: Boxes
    kind: str
    badness: float


def errors_in(truth: Truth) -> list[Error]:
    """Return the errors of one picture."""
    (name,) = set(truth.boxes) & {"white cell", "plasma cell"}
    marked = truth.boxes[name]
    cells = nucleated_in(pixels_of(truth))
    found = cells.boxes.astype(float)
    overlaps = box_iou(found, marked)
    hit, right = np.zeros(len(marked), bool), np.zeros(len(found), bool)
    for i in np.argsort(-cells.scores, kind="stable"):
        fits = np.where(hit, 0, overlaps[i])
        if fits.max(initial=0) >= IOU:
            hit[fits.argmax()] = right[i] = True
    picture = Picture(truth, marked, found, hit, right)
    best = overlaps.max(axis=0, initial=0)
    missed = [
        Error(picture, marked[j], "missed", 1 - float(best[j]))
        for j in np.flatnonzero(~hit)
    ]
    if name == "plasma cell":  # other cells are not marked there
        return missed
    return missed + [
        Error(picture, found[i], "false", float(cells.scores[i]))
        for i in np.flatnonzero(~right)
    ]


def tile_of(error: Error, number: int) -> Image.Image:
    """Draw an error with its surroundings."""
    x, y, width, height = error.box
    side = AROUND * max(width, height)
    left, top = x + width / 2 - side / 2, y + height / 2 - side / 2
    with Image.open(error.picture.truth.path) as whole:
        crop = whole.convert("RGB").crop(
            (round(left), round(top), round(left + side), round(top + side))
        )
    tile = crop.resize((TILE, TILE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(tile)
    zoom = TILE / side

    def frame(box: Boxes, colour: str) -> None:
        corner = (box[:2] - [left, top]) * zoom
        far = corner + box[2:] * zoom
        pen.rectangle((*corner, *far), outline=colour, width=2)

    for box, seen in zip(error.picture.marked, error.picture.hit, strict=True):
        frame(box, "limegreen" if seen else "blue")
    for box, right in zip(error.picture.found, error.picture.right, strict=True):
        if not right:
            frame(box, "red")
    pen.rectangle((0, 0, 22, 14), fill="white")
    pen.text((3, 1), str(number), fill="black")
    return tile


def main() -> None:
    """Find, draw and list the worst errors of a set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--every", type=int, default=1, help="every Nth picture only")
    asked = parser.parse_args()
    truths = list(SETS[asked.set](asked.data))[:: asked.every]
    errors = [error for truth in truths for error in errors_in(truth)]
    worst = sorted(errors, key=lambda error: -error.badness)[:WORST]
    rows = -(-len(worst) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for n, error in enumerate(worst):
        place = (n % COLUMNS * TILE, n // COLUMNS * TILE)
        sheet.paste(tile_of(error, n + 1), place)
        name = error.picture.truth.path.name
        sys.stdout.write(f"{n + 1} {error.kind} {error.badness:.2f} {name}\n")
    target = Path(__file__).parent / "images" / f"errors_{asked.set}.jpg"
    sheet.save(target, quality=85)
    sys.stdout.write(f"{len(errors)} errors in {len(truths)} pictures\n")


if __name__ == "__main__":
    main()
