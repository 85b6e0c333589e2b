"""How well blurred, cut, damaged and overlapping cells are flagged.

Each real picture is shown once sound and once flawed in a stated way, so precision is
at equal shares of both. Limits were chosen on pictures of hash 0 to 4; figures rest on
the others. ``mll_crops`` is real damage: nothing was chosen on it but by looking.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_cytosynth.bench.flawed import (
    HELD_OUT,
    CellPicture,
    Picture,
    blurred,
    broken,
    cell_pictures,
    masked_cells,
    pair,
)
from napari_cytosynth.bench.restained import stain_rows
from napari_cytosynth.bench.truth import Truth, demand_data, txl_pbc
from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.quality import Flaw, Limits
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest.quality import AROUND_UM, edge_width, torn
from napari_cytosynth.metrics.intervals import wilson
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.painter import (
    FieldSpec,
    PaintedCell,
    PaintedField,
    paint_field,
)
from napari_cytosynth.workflows.detect import add_smear, find_cells
from napari_cytosynth.workflows.quality import flaws_by_cell

SIGMAS_UM = (0.25, 0.5, 0.75, 1.0)
"""Blurs that are added to sharp cells, micrometres."""

_SETS = (
    ("pbc_barcelona", "classification/pbc_barcelona", "*.jpg", 0.1),
    ("apl_aml", "classification/apl_aml", "*.jpg", 0.1),
    ("txl_pbc", "detection/txl_pbc", "*.jpg", 0.1),
)
_CELL_UM = 14.0
_WBC_MPP = 0.18
_OVERLAPS = (0.5, 0.7, 0.85)  # distance of middles over the sum of radii
_APART = 1.05
_DEFOCUS_UM = 0.5  # of painted cells, from which they count as blurred


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was said of flawed and of sound cells.

    Parameters
    ----------
    flawed, sound : list of bool
        True where it was flagged.
    """

    flawed: list[bool]
    sound: list[bool]

    def rows(self, case: str, dataset: str) -> list[dict[str, Any]]:
        """Return recall, false alarms and precision."""
        hits, alarms = sum(self.flawed), sum(self.sound)
        figures = {
            "recall": wilson(hits, len(self.flawed)),
            "false alarms": wilson(alarms, len(self.sound)),
            "precision": wilson(hits, hits + alarms),
        }
        return [
            {
                "case": case,
                "peer": "quality",
                "dataset": dataset,
                "metric": metric,
                "unit": "share",
                "value": None if not figure.n else figure.value,
                "low": figure.low,
                "high": figure.high,
                "n": figure.n,
            }
            for metric, figure in figures.items()
        ]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[dict[str, Any]]:
    """Measure the flags.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Not used: what breaks where is drawn by a fixed seed.
    quick : bool
        Every fifth picture only.

    Returns
    -------
    list of dict
        Rows ``recall``, ``false alarms`` and ``precision`` of each flaw.
    """
    del seeds
    demand_data(data, "classification")
    step = 5 if quick else 1
    return [
        *_damage(data, step),
        *_blur(data, step),
        *_painted(2 if quick else 12),
        *_cut(data, step * 2),
        *_overlap(data, step),
        *stain_rows(data, 3 if quick else 10),
    ]


def _damage(data: Path, step: int) -> Iterator[dict[str, Any]]:
    folder = data / "bone_marrow" / "mll_crops"
    real = {
        state: [
            _is_torn(p.pixels)
            for p in cell_pictures(folder / state, "*.jpg", 0.17, tuple(range(10)))
        ]
        for state in ("corrupted", "intact")
    }
    yield from Verdicts(real["corrupted"], real["intact"]).rows("damaged", "mll_crops")
    for name, place, pattern, mpp in _SETS:
        found = Verdicts([], [])
        rng = np.random.default_rng(0)
        for picture in list(cell_pictures(data / place, pattern, mpp, HELD_OUT))[
            ::step
        ]:
            hurt = broken(picture, AROUND_UM, rng)
            if hurt is not None:
                found.flawed.append(_is_torn(hurt.pixels))
            found.sound.append(_is_torn(picture.pixels))
        yield from found.rows("damaged: broken JPEG", name)


def _is_torn(pixels: Picture) -> bool:
    return torn(pixels) >= Limits().torn


def _blur(data: Path, step: int) -> Iterator[dict[str, Any]]:
    for name, place, pattern, mpp in _SETS[:2]:
        sharp = list(cell_pictures(data / place, pattern, mpp, HELD_OUT))[::step]
        sharp = [p for p in sharp if not p.name.upper().startswith("PLATELET")]
        sound = [_is_soft(p) for p in sharp]
        for sigma in SIGMAS_UM:
            soft = [_is_soft(blurred(p, sigma)) for p in sharp]
            yield from Verdicts(soft, sound).rows(f"blurred by {sigma} um", name)


def _is_soft(picture: CellPicture) -> bool:
    height, width = picture.pixels.shape[:2]
    half = CROP_UM / picture.mpp / 2
    box = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
    inside = tuple(np.clip(box, 0, (width, height, width, height)).tolist())
    crop = Image.fromarray(picture.pixels).resize(
        (CROP_PIXELS, CROP_PIXELS), Image.Resampling.BICUBIC, box=inside
    )
    soft = edge_width(np.asarray(crop)[None], (_CELL_UM, _CELL_UM))
    return soft >= Limits().edge_um


def _painted(fields: int) -> Iterator[dict[str, Any]]:
    """Flag painted cells out of focus, found by the detector; they touch, no more."""
    soft, crowded = Verdicts([], []), Verdicts([], [])
    for seed in range(fields):
        spec = FieldSpec(1000, 1000, 40, unsharp=0.3)
        field = paint_field(spec, np.random.default_rng(seed))
        for cell, flaws in _matched(field):
            crowded.sound.append(bool(flaws & Flaw.OVERLAPPING))
            if cell.defocus == 0 or cell.defocus >= _DEFOCUS_UM:
                said = soft.flawed if cell.defocus else soft.sound
                said.append(bool(flaws & Flaw.BLURRED))
    yield from soft.rows(f"blurred by {_DEFOCUS_UM} um or more, found", "painted")
    rows = crowded.rows("overlapping, of cells that lie against others", "painted")
    yield from (row for row in rows if row["metric"] == "false alarms")


def _matched(field: PaintedField) -> Iterator[tuple[PaintedCell, int]]:
    """Find the cells of a field; yield those that are whole, with their flaws."""
    project = _found(field.pixels, field.mpp)
    boxes, flaws = project.cells().boxes, flaws_by_cell(project)
    for cell in field.cells:
        away = np.hypot(*(boxes[:, :2] + boxes[:, 2:] / 2 - cell.box.centre).T)
        if not cell.edge and len(away) and away.min() < cell.box.width / 4:
            yield cell, int(flaws[away.argmin()])


def _cut(data: Path, step: int) -> Iterator[dict[str, Any]]:
    """Cut pictures through the middle of a white cell, and beside it."""
    said = Verdicts([], [])
    for truth in list(txl_pbc(data))[::step]:
        if truth.boxes["white cell"].shape != (1, 4):
            continue
        pixels = np.asarray(Image.open(truth.path).convert("RGB"))
        for flags, share in ((said.flawed, 0.5), (said.sound, -0.15)):
            flagged = _flag_of(*_halved(truth, pixels, share), Flaw.CUT)
            if flagged is not None:
                flags.append(flagged)
    yield from said.rows("cut", "txl_pbc")


def _halved(
    truth: Truth, pixels: Picture, share: float
) -> tuple[Picture, tuple[float, float]]:
    """Cut the left off, up to a share of the cell's width; say where the cell is."""
    x, y, width, height = truth.boxes["white cell"][0]
    left = max(int(x + share * width), 0)
    middle = (max(x, left) + x + width) / 2 - left
    return pixels[:, left:], (middle, y + height / 2)


def _overlap(data: Path, step: int) -> Iterator[dict[str, Any]]:
    cells = list(masked_cells(data, HELD_OUT))[:: max(step // 2, 1)]
    pairs = list(zip(cells[::2], cells[1::2], strict=False))
    apart = [_overlaps(pair(a, b, _APART)) for a, b in pairs]
    sound = [flag for flag in apart if flag is not None]
    for share in _OVERLAPS:
        over = [_overlaps(pair(a, b, share)) for a, b in pairs]
        two = [flag for flag in over if flag is not None]
        case = f"overlapping, {share} of the radii apart, found as two"
        yield from Verdicts(two, sound).rows(case, "wbc_dataset1")
        merged = Verdicts([flag is None for flag in over], []).rows(
            f"overlapping, {share} of the radii apart, not found as two", "wbc_dataset1"
        )
        yield merged[0] | {"metric": "share of pairs"}


def _overlaps(pixels: Picture) -> bool | None:
    """Tell whether a pair of cells is flagged; None where not two are found."""
    flaws = flaws_by_cell(_found(pixels, _WBC_MPP))
    return bool(np.any(flaws & Flaw.OVERLAPPING)) if len(flaws) == 2 else None


def _flag_of(pixels: Picture, middle: tuple[float, float], flaw: Flaw) -> bool | None:
    """Tell whether the found cell nearest to a point has a flaw; None: none is near."""
    project = _found(pixels, 0.1)
    boxes = project.cells().boxes
    if not len(boxes):
        return None
    away = np.hypot(*(boxes[:, :2] + boxes[:, 2:] / 2 - middle).T)
    best = int(away.argmin())
    near = away[best] < boxes[best, 2:].max()
    return bool(flaws_by_cell(project)[best] & flaw) if near else None


def _found(pixels: Picture, mpp: float) -> Project:
    """Return a project of this one picture, its cells found and measured."""
    project = MemoryProject(built_in("pbc11"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        Image.fromarray(pixels).save(path)
        smear = add_smear(project, path, mpp=mpp)
        run_to_end(find_cells(project, smear.id))
    return project
