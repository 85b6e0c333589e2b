"""A project of a hundred thousand cells: the painted sample, laid out again and again.

The sample's cells are found, cut, measured and embedded once. Each smear of the large
project is that picture tiled, turned over another way; chunks of a tile are the same
file under many names, so the pictures take no room. Every cell has its own row, crop
and vector; vectors of copies differ by noise, or all copies would be one point.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_cytosynth.core.cells import CellTable, Detections
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import open_smear
from napari_cytosynth.store import create_project
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.detect import add_smear, find_cells
from napari_cytosynth.workflows.embed import embed_cells, vectors_of
from napari_cytosynth.workflows.quality import KEY, measure_cells
from napari_cytosynth.workflows.sample import sample_smear_path, sample_truth

CHUNK = 512
"""Side of a chunk."""

NOISE = 0.35
"""Of the vectors of copies, in standard deviations of each number."""

BATCH = 2000

SMEARS = (((), 8, 5), ((1,), 8, 5), ((2,), 8, 5), ((1, 2), 8, 5), ((), 5, 8))
"""Axes along which the tile is turned over, and tiles across and down."""


@dataclass(frozen=True)
class Tile:
    """The sample, once: what every smear repeats."""

    levels: list[npt.NDArray[np.uint8]]
    cells: CellTable
    outlines: list[npt.NDArray[np.float32]]
    crops: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.float32]
    measures: npt.NDArray[np.float32]
    codes: list[str]
    calibration: Any
    key: str

    @classmethod
    def of_sample(cls) -> Tile:
        """Find, cut, measure and embed the sample's cells."""
        with tempfile.TemporaryDirectory() as folder:
            project = create_project(
                Path(folder) / "tile.cytosynth", built_in("marrow21")
            )
            smear = add_smear(project, str(sample_smear_path()))
            run_to_end(find_cells(project, smear.id))
            key = run_to_end(embed_cells(project, InlineCompute(), embedder="starter"))
            run_to_end(measure_cells(project))
            cells = project.cells()
            image = open_smear(str(sample_smear_path()))
            tile = cls(
                levels=[np.moveaxis(np.asarray(x[:]), -1, 0) for x in image.levels],
                cells=cells,
                outlines=[project.outline(CellId(int(i))) for i in cells.ids],
                crops=project.crops(cells.ids),
                vectors=np.array(vectors_of(project, key, cells)),
                measures=project.embeddings(KEY, cells.ids),
                codes=_true_codes(cells),
                calibration=project.calibration(smear.id),
                key=key,
            )
            image.close()
            project.close()
        return tile


def _true_codes(cells: CellTable) -> list[str]:
    """Return what was painted where each cell was found."""
    painted = sample_truth().objects
    overlap = box_iou(cells.boxes, np.array([o.box for o in painted], np.float32))
    return [painted[int(row.argmax())].label for row in overlap]


def make_many(folder: Path) -> None:
    """Make the project at ``folder/many.cytosynth``, and its truth beside it."""
    tile, rng = Tile.of_sample(), np.random.default_rng(0)
    project = create_project(folder / "many.cytosynth", built_in("marrow21"))
    truth: dict[int, str] = {}
    for number in range(len(SMEARS)):
        truth |= add_tiled(project, folder, tile, number, rng)
    project.close()
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")


def add_tiled(
    project: Project, folder: Path, tile: Tile, number: int, rng: np.random.Generator
) -> dict[int, str]:
    """Add one of the smears with its cells; return what each cell is."""
    flips, across, down = SMEARS[number]
    path = folder / f"tiled-{number + 1}.ome.zarr"
    write_tiled(path, tile.levels, flips, (across, down))
    smear = add_smear(project, str(path), group=f"patient {number + 1}")
    project.set_calibration(smear.id, tile.calibration)
    found, which = _repeated(tile, flips, (across, down))
    # Crops are rows, y, x, colour: the axes of the tile are colour, y, x.
    pictures = np.flip(tile.crops, flips)
    spread = NOISE * tile.vectors.std(axis=0)
    truth: dict[int, str] = {}
    for start in range(0, len(found), BATCH):
        part = np.arange(start, min(start + BATCH, len(found)))
        rows = which[part]
        ids = project.add_cells(smear.id, found.take(part), pictures[rows])
        noise = spread * rng.normal(size=(len(rows), len(spread)))
        vectors = (tile.vectors[rows] + noise).astype(np.float32)
        project.put_embeddings(tile.key, ids, vectors)
        project.put_embeddings(KEY, ids, tile.measures[rows])
        truth |= {int(i): tile.codes[r] for i, r in zip(ids, rows, strict=True)}
    return truth


def _repeated(
    tile: Tile, flips: tuple[int, ...], grid: tuple[int, int]
) -> tuple[Detections, npt.NDArray[np.intp]]:
    """Return the cells of a tiled smear, and the row of the tile that each repeats."""
    _, height, width = tile.levels[0].shape
    boxes = tile.cells.boxes.copy()
    outlines = [outline.copy() for outline in tile.outlines]
    for axis, size in ((0, width), (1, height)):
        if 2 - axis in flips:
            boxes[:, axis] = size - boxes[:, axis] - boxes[:, axis + 2]
            for outline in outlines:
                outline[:, axis] = size - outline[:, axis]
    across, down = grid
    shifts = [(x * width, y * height) for y in range(down) for x in range(across)]
    n = len(boxes)
    found = Detections(
        np.concatenate([_moved(boxes, shift) for shift in shifts]),
        np.ones(n * len(shifts), np.float32),
        np.tile(tile.cells.edges, len(shifts)),
        [(o + shift).astype(np.float32) for shift in shifts for o in outlines],
        np.ones(n * len(shifts), np.uint8),
    )
    return found, np.tile(np.arange(n), len(shifts))


def _moved(
    boxes: npt.NDArray[np.float32], shift: tuple[int, int]
) -> npt.NDArray[np.float32]:
    moved = boxes.copy()
    moved[:, :2] += shift
    return moved


def write_tiled(
    path: Path,
    levels: list[npt.NDArray[np.uint8]],
    flips: tuple[int, ...],
    grid: tuple[int, int],
) -> None:
    """Write a multiscale OME-Zarr of the sample's kind that repeats uint8[3, y, x]."""
    across, down = grid
    path.mkdir(parents=True)
    shutil.copy(sample_smear_path() / "zarr.json", path / "zarr.json")
    for number, level in enumerate(levels):
        tile = np.flip(level, flips)
        _, height, width = tile.shape
        array = zarr.create_array(
            path / str(number),
            shape=(3, height * down, width * across),
            chunks=(3, CHUNK, CHUNK),
            dtype="uint8",
            dimension_names=("c", "y", "x"),
        )
        rows, columns = min(_period(height), down), min(_period(width), across)
        array[:, : rows * height, : columns * width] = np.tile(tile, (1, rows, columns))
        chunks = path / str(number) / "c" / "0"
        written = (rows * height // CHUNK or 1, columns * width // CHUNK or 1)
        _link(
            chunks, written, (-(-height * down // CHUNK), -(-width * across // CHUNK))
        )


def _period(side: int) -> int:
    """Return how many tiles stand in a row until chunks repeat."""
    return CHUNK // gcd(CHUNK, side)


def _link(chunks: Path, written: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Give the chunks written the names of all others that hold the same."""
    for row in range(wanted[0]):
        (chunks / str(row)).mkdir(exist_ok=True)
        for column in range(wanted[1]):
            target = chunks / str(row) / str(column)
            if not target.exists():
                source = chunks / str(row % written[0]) / str(column % written[1])
                os.link(source, target)
