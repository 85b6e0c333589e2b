"""Draws sheets on which a reader tells painted from real cells, and scores the reader.

    python docs/draw_blind_sheets.py draw DATA --out DIR --keys DIR [--seed N]
    python docs/draw_blind_sheets.py score KEY ANSWERS...

``draw`` writes two tests: ``planted``, real cells among crude fakes that anybody must
find, which a reader passes first; and ``test``, 200 cells on four pictures of fifty,
half of them first draws of ``latent`` that no gate chose. Both kinds are of the same
classes in the same numbers, at the same scale (0.25 um a pixel, enlarged twice), and
pass through the same JPEG compression; their order is by chance, and no cell is shown
twice. Real cells are those of the PBC pack whose names hash to 6..9: no shipped weights
were trained on them. The keys lie in another folder; readers may be told their SHA-256
beforehand.

``ANSWERS`` are CSV files ``number,said``, a row a cell, where ``said`` is ``real`` or
``synthetic``. ``score`` prints, for each of them, d' with its 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from napari_cytosynth.bench.pack import files_by_class
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.events import REAL, SYNTHETIC
from napari_cytosynth.core.protocols import Crops, Request, Weights
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.metrics.discrimination import Answers, d_prime, leaning
from napari_cytosynth.synthesis._torch.train_latent import CONCEPTS, read_crop
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.workflows.reader_test import QUALITY

TEST, PLANTED = 200, 40
"""Cells of each test, half of them real."""

COLUMNS, ON_SHEET = 10, 50
ZOOM = 2
_STRIP = 22

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """One cell of a sheet and what it is."""

    pixels: Picture
    kind: str
    code: str
    how: str = ""


def _blurred(crop: Picture) -> Picture:
    return np.asarray(ndimage.gaussian_filter(crop, (4, 4, 0)), np.uint8)


def _mirrored(crop: Picture) -> Picture:
    half = crop[:, : crop.shape[1] // 2]
    return np.concatenate([half, half[:, ::-1]], axis=1)


def _dealt(crop: Picture) -> Picture:
    """Return its sixteen squares in another order."""
    n, side = 4, crop.shape[0] // 4
    squares = crop.reshape(n, side, n, side, 3).swapaxes(1, 2)
    flat = squares.reshape(n * n, side, side, 3)
    moved = flat[np.random.default_rng(0).permutation(n * n)].reshape(squares.shape)
    return moved.swapaxes(1, 2).reshape(crop.shape)


def _poor(crop: Picture) -> Picture:
    """Return it in three levels of each colour."""
    return np.asarray(np.rint(crop / 127.5) * 127.5, np.uint8)


FAKES: dict[str, Callable[[Picture], Picture]] = {
    "blurred": _blurred,
    "mirrored": _mirrored,
    "dealt": _dealt,
    "poor in colours": _poor,
}
"""Crude fakes that anybody must find."""


def real_cells(data: Path, wanted: Sequence[str], rng: np.random.Generator) -> Crops:
    """Return a real cell of each class named, no picture twice."""
    found = files_by_class(data)
    files = {}
    for code in CONCEPTS:
        order = rng.permutation(len(found[code]))
        files[code] = [found[code][i] for i in order]
    return np.stack([read_crop(files[code].pop()) for code in wanted])


def painted_cells(wanted: Sequence[str], seed: int) -> list[Shown]:
    """Return first draws of ``latent``, by class."""
    generator, taxonomy = LatentGenerator(), built_in("pbc11")
    found = []
    for code in sorted(set(wanted)):
        request = Request(code, list(wanted).count(code), seed, taxonomy)
        rng = np.random.default_rng(seed)
        for batch in generator.generate(request, Weights({}), rng):
            for item in batch.items:
                assert isinstance(item, SyntheticCell)
                found.append(Shown(item.pixels, SYNTHETIC, code, "latent"))
    return found


def planted_cells(crops: Crops, codes: Sequence[str]) -> list[Shown]:
    """Return crude fakes, made of real cells in turn."""
    found = []
    for i, (crop, code) in enumerate(zip(crops, codes, strict=True)):
        how = list(FAKES)[i % len(FAKES)]
        found.append(Shown(FAKES[how](crop), SYNTHETIC, code, how))
    return found


def sheet(cells: Sequence[Shown], first: int) -> Image.Image:
    """Lay out cells, each under its number."""
    tile = cells[0].pixels.shape[0] * ZOOM
    rows = -(-len(cells) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * (tile + 4), rows * (tile + _STRIP)), "white")
    pen = ImageDraw.Draw(picture)
    for i, cell in enumerate(cells):
        x, y = i % COLUMNS * (tile + 4), i // COLUMNS * (tile + _STRIP)
        pen.text((x + 2, y + 1), str(first + i), fill="black", font_size=18)
        whole = Image.fromarray(cell.pixels)
        shown = whole.resize((tile, tile), Image.Resampling.BICUBIC)
        picture.paste(shown, (x, y + _STRIP))
    return picture


def write_test(name: str, cells: Sequence[Shown], out: Path, keys: Path) -> str:
    """Write the pictures and the key of a test; return the key's SHA-256."""
    for start in range(0, len(cells), ON_SHEET):
        part = cells[start : start + ON_SHEET]
        path = out / f"{name}-{start // ON_SHEET + 1}.jpg"
        sheet(part, start + 1).save(path, quality=QUALITY, subsampling=0)
    told = [
        {"number": i, "kind": c.kind, "class": c.code, "how": c.how}
        for i, c in enumerate(cells, 1)
    ]
    text = json.dumps({"test": name, "cells": told}, indent=1)
    (keys / f"{name}.json").write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def draw(data: Path, out: Path, keys: Path, seed: int) -> dict[str, str]:
    """Write both tests; return the SHA-256 of each key."""
    rng = np.random.default_rng(seed)
    codes = list(CONCEPTS)
    wanted = [codes[i % len(codes)] for i in range(TEST // 2)]
    crude = [codes[i % len(codes)] for i in range(PLANTED // 2)]
    every = [*wanted, *crude, *crude]
    crops = real_cells(data, every, rng)
    shown = [Shown(c, REAL, k) for c, k in zip(crops, every, strict=True)]
    half, end = len(wanted), len(wanted) + len(crude)
    tests = {
        "planted": shown[half:end] + planted_cells(crops[end:], crude),
        "test": shown[:half] + painted_cells(wanted, seed),
    }
    for folder in (out, keys):
        folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name, cells in tests.items():
        order = rng.permutation(len(cells))
        hashes[name] = write_test(name, [cells[i] for i in order], out, keys)
    return hashes


def score(key: Path, answers: Path) -> dict[str, Any]:
    """Return what one reader's answers are worth."""
    cells = json.loads(key.read_text(encoding="utf-8"))["cells"]
    with answers.open(newline="", encoding="utf-8") as lines:
        said = {int(r["number"]): r["said"].strip() for r in csv.DictReader(lines)}
    numbers = [cell["number"] for cell in cells]
    if sorted(said) != numbers or not set(said.values()) <= {REAL, SYNTHETIC}:
        raise InputError(
            f"'{answers}' does not answer each of the {len(numbers)} cells once by "
            f"'{REAL}' or '{SYNTHETIC}'. Complete it, with the columns number,said."
        )
    truth = [cell["kind"] == SYNTHETIC for cell in cells]
    called = [said[n] == SYNTHETIC for n in numbers]
    counted = Answers.of(truth, called)
    interval = d_prime(counted)
    found = {
        "reader": answers.stem,
        "d_prime": [round(v, 3) for v in (interval.value, interval.low, interval.high)],
        "criterion": round(leaning(counted), 3),
        "right": f"{counted.correct} of {counted.n}",
        "synthetic called synthetic": f"{counted.hits} of {counted.synthetic}",
        "real called synthetic": f"{counted.alarms} of {counted.real}",
    }
    for part in ("class", "how"):
        found[f"called synthetic, by {part}"] = _parted(cells, called, part)
    return found


def _parted(
    cells: Sequence[dict[str, Any]], called: Sequence[bool], part: str
) -> dict[str, str]:
    """Return how many were called synthetic, of each kind and class or manner."""
    counts: dict[str, list[int]] = {}
    for cell, yes in zip(cells, called, strict=True):
        both = counts.setdefault(f"{cell['kind']} {cell[part]}".strip(), [0, 0])
        both[0] += yes
        both[1] += 1
    return {name: f"{hits} of {n}" for name, (hits, n) in sorted(counts.items())}


def main() -> None:
    """Draw, or score."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(required=True, dest="verb")
    drawing = verbs.add_parser("draw")
    drawing.add_argument("data", type=Path)
    drawing.add_argument("--out", type=Path, required=True)
    drawing.add_argument("--keys", type=Path, required=True)
    drawing.add_argument("--seed", type=int, default=0)
    scoring = verbs.add_parser("score")
    scoring.add_argument("key", type=Path)
    scoring.add_argument("answers", type=Path, nargs="+")
    options = parser.parse_args()
    if options.verb == "draw":
        told: Any = draw(options.data, options.out, options.keys, options.seed)
    else:
        told = [score(options.key, answers) for answers in options.answers]
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
