"""Fields of view in the order of what labelling them whole would teach.

What a cell is worth comes from a query strategy, over the whole pool; a field is worth
the sum of its cells, less what they repeat, and places where the detector nearly saw a
cell but no box stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Candidates
from napari_cytosynth.core.registry import DEFAULT_STRATEGY
from napari_cytosynth.core.smear import FALLBACK_MPP, Smear
from napari_cytosynth.core.splits import BLOCK_UM, Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.learning.fields import FieldCells
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.space import PoolSpace
from napari_cytosynth.workflows.embed import vectors_of
from napari_cytosynth.workflows.missed import Opener, find_missed
from napari_cytosynth.workflows.pool import Pool
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of
from napari_cytosynth.workflows.suggest import made_strategy, ranked

FIELD_UM = BLOCK_UM
"""Side of a field, micrometres. Where patients are few, cells are split into teaching
and measuring ones by blocks of the same grid: then a field is the one or the other."""

WORTHY_SHARE, LEAST_WORTHY, MOST_WORTHY = 0.2, 100, 2000
"""Part of the unlabelled cells that counts as worth a label, and its bounds."""


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a smear to label whole.

    Parameters
    ----------
    smear : SmearId
        Where it lies.
    box : Box
        Level-0 pixels.
    value : float
        What it adds to the fields before it; 1 is one of the best cells.
    cells : tuple of int
        Its unlabelled cells of the training split.
    worthy : int
        Those of them that are among the cells most worth a label.
    missed : tuple of Box
        Places where a cell is likely but no box stands; level-0 pixels.
    reason : str
        For a person.
    """

    smear: SmearId
    box: Box
    value: float
    cells: tuple[int, ...]
    worthy: int
    missed: tuple[Box, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FieldConfig:
    """How fields are ranked.

    Parameters
    ----------
    strategy : str
        Tells what a cell is worth.
    um : float
        Side of a field, micrometres, > 0. A picture less than two fields wide and high
        is one.
    detector : str
        Name of the detector that is asked what it nearly saw.
    looked : int
        Fields in which missed cells are looked for: the best by their cells.
    seed : int
        Decides the chance of the strategy.
    opener : callable, optional
        Opens a picture by its uri.
    """

    strategy: str = DEFAULT_STRATEGY
    um: float = FIELD_UM
    detector: str = "classic"
    looked: int = 40
    seed: int = 0
    opener: Opener | None = None


def rank_fields(
    project: Project,
    embedder_key: str,
    *,
    head: Head | None = None,
    n: int = 20,
    config: FieldConfig | None = None,
) -> Task[list[Field]]:
    """Rank the fields of all smears by what labelling them whole would teach.

    The cells that the strategy ranks first count, from 1 for the best down to 0; one
    that looks like a labelled cell, or like one of a better field, counts for less.
    Missed cells are looked for in the best fields by their cells alone; the picture of
    a smear that cannot be opened is left out of that.

    Parameters
    ----------
    project : Project
        Gives cells, vectors and pictures; nothing is written.
    embedder_key : str
        Fingerprint of the embedder.
    head : Head, optional
        The fitted head.
    n : int
        Fields wanted at most.
    config : FieldConfig, optional
        Strategy, size, detector.

    Raises
    ------
    InputError
        If the side of a field is not above 0, or no cell has a vector.
    RegistryError
        If there is no such strategy or detector.
    """
    config = config or FieldConfig()
    if not config.um > 0:
        raise InputError(f"Fields of {config.um} um were asked for. Ask for more.")
    yield Progress(0, 1, "ranking cells")
    tiled = _Tiled.of(project, config.um)
    stock = _Stock.of(project, embedder_key, head, config, tiled)
    cells = stock.field_cells(tiled)
    best = [number for number, _ in cells.best(config.looked)]
    missed, chance = yield from _missed(project, tiled, best, config)
    extra = np.zeros(len(tiled.boxes))
    for number, places in missed.items():
        extra[number] = chance * len(places) * stock.usual
    chosen = replace(cells, extra=extra).best(n)
    return [tiled.field(i, adds, stock, missed.get(i, ())) for i, adds in chosen]


@dataclass(frozen=True)
class _Tiled:
    """The fields of all smears, and the field of every cell; -1: of none."""

    smears: tuple[SmearId, ...]
    boxes: tuple[Box, ...]
    table: CellTable
    of_cell: npt.NDArray[np.intp]

    @classmethod
    def of(cls, project: Project, um: float) -> _Tiled:
        table = project.cells()
        centres = table.boxes[:, :2] + table.boxes[:, 2:] / 2
        of_cell = np.full(len(table), -1, np.intp)
        smears: list[SmearId] = []
        boxes: list[Box] = []
        for smear in project.smears():
            calibration = project.calibration(smear.id)
            side = um / (calibration.mpp if calibration else FALLBACK_MPP)
            columns, own = _grid(smear, side)
            rows = np.flatnonzero(table.smears == smear.id)
            at = (centres[rows] // side).astype(np.intp) if len(own) > 1 else 0
            place = at @ np.array([1, columns]) if len(own) > 1 else 0
            of_cell[rows] = len(boxes) + np.clip(place, 0, len(own) - 1)
            smears += [smear.id] * len(own)
            boxes += own
        return cls(tuple(smears), tuple(boxes), table, of_cell)

    def field(
        self, number: int, adds: float, stock: _Stock, missed: tuple[Box, ...]
    ) -> Field:
        """Return a field with the words that say why it was chosen."""
        here = self.of_cell == number
        cells = self.table.ids[here & stock.open]
        worthy = int(np.isin(cells, stock.ids).sum())
        told = (
            f"teaches as much as {adds:.1f} of the best cells: {worthy} of its "
            f"{len(cells)} unlabelled ones are among the {len(stock.ids)} most worth a "
            "label"
        )
        if missed:
            plural = "s" if len(missed) > 1 else ""
            told += f"; {len(missed)} place{plural} where a cell may be missed"
        ids = tuple(int(i) for i in cells)
        box, smear = self.boxes[number], self.smears[number]
        return Field(smear, box, float(adds), ids, worthy, missed, told)


def _grid(smear: Smear, side: float) -> tuple[int, list[Box]]:
    """Return the columns and the fields of a smear, row by row."""
    width, height = float(smear.width), float(smear.height)
    if max(width, height) < 2 * side:
        return 1, [Box(0.0, 0.0, width, height)]
    columns, rows = int(np.ceil(width / side)), int(np.ceil(height / side))
    return columns, [
        Box(
            x * side,
            y * side,
            min(side, width - x * side),
            min(side, height - y * side),
        )
        for y in range(rows)
        for x in range(columns)
    ]


@dataclass(frozen=True)
class _Stock:
    """The cells most worth a label, and what each is worth."""

    ids: npt.NDArray[np.int64]
    rows: npt.NDArray[np.intp]
    points: npt.NDArray[np.float32]
    known: npt.NDArray[np.float32]
    open: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        project: Project,
        key: str,
        head: Head | None,
        config: FieldConfig,
        tiled: _Tiled,
    ) -> _Stock:
        table = tiled.table
        strategy = made_strategy(project, config.strategy)
        count = int(np.clip(WORTHY_SHARE * len(table), LEAST_WORTHY, MOST_WORTHY))
        query = ranked(Pool.of(project, key, head), strategy, n=count, seed=config.seed)
        vectors = vectors_of(project, key, table)
        rows = table.rows(query.ids)
        known = labelled_cells(project, key, Split.TRAIN, abstain=True, cells=table)
        pool = Candidates(
            table.ids[rows], vectors[rows], None, (), project.taxonomy, {}
        )
        space = PoolSpace.of(pool)
        points, seen = space.apply(vectors[rows]), space.apply(known.vectors)
        return cls(query.ids, rows, points, seen, _open(project, table))

    @property
    def worth(self) -> npt.NDArray[np.float64]:
        """1 for the best cell, falling evenly to 0."""
        return 1 - np.arange(len(self.ids)) / max(len(self.ids), 1)

    @property
    def usual(self) -> float:
        """Worth of a cell of which nothing is known: that of any other."""
        return 0.5 * len(self.ids) / max(int(self.open.sum()), 1)

    def field_cells(self, tiled: _Tiled) -> FieldCells:
        """Return them as the ranking of fields takes them, places left out."""
        fields, none = tiled.of_cell[self.rows], np.zeros(len(tiled.boxes))
        return FieldCells(fields, self.worth, self.points, self.known, none)


def _open(project: Project, table: CellTable) -> npt.NDArray[np.bool_]:
    """Tell which cells have no label and may teach."""
    labelled = np.fromiter(project.journal.labels(), np.int64)
    done: npt.NDArray[np.bool_] = np.isin(table.ids, labelled)
    return ~done & ~splits_of(project, table).audit


def _missed(
    project: Project, tiled: _Tiled, fields: list[int], config: FieldConfig
) -> Task[tuple[dict[int, tuple[Box, ...]], float]]:
    """Return the places of each field where no box stands, and the chance of each."""
    found: dict[int, tuple[Box, ...]] = {}
    chance = 0.0
    for smear in project.smears():
        own = [i for i in fields if tiled.smears[i] == smear.id]
        missed = yield from find_missed(
            project,
            smear,
            [tiled.boxes[i] for i in own],
            detector=config.detector,
            opener=config.opener,
        )
        found |= dict(zip(own, missed.places, strict=True))
        chance = max(chance, missed.chance)
    return found, chance
