"""Nouns to rows of the database and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import ProvenanceError
from napari_cytosynth.core.ids import EventId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Event, EventKind, Mode
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
)
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy
from napari_cytosynth.store.backend import Outline
from napari_cytosynth.store.columns import CellRun
from napari_cytosynth.store.cuts import Cut
from napari_cytosynth.store.models import ModelFile
from napari_cytosynth.store.rules import plain_json

Row = tuple[Any, ...]

_CLASS = (
    "concept, code, name, lineage, keys, colour, symbol, neighbours, abstain, aliases"
)
_SMEAR = 'id, uri, width, height, mpp, "group", fingerprint, stain'
_EVENT = "id, kind, cell, data, annotator, mode, model, time"
_CELL = "first, smear, crop, boxes, scores, edges, kinds, mpp, under"
_CUT = "mpp, crop, cells, boxes"
_SYNTHETIC = (
    "synthetic.id, code, status, verified, assessments, picture, generator, weights, "
    "config, seed, parents, version, time"
)

READ_CLASSES = f"SELECT {_CLASS} FROM class ORDER BY position"
READ_SMEARS = f"SELECT {_SMEAR}, calibration FROM smear ORDER BY id"
READ_EVENTS = f"SELECT {_EVENT} FROM event ORDER BY id"
READ_RUNS = f"SELECT {_CELL} FROM cell ORDER BY first"
READ_CUTS = f"SELECT {_CUT} FROM cut ORDER BY id"
READ_JOBS = "SELECT key, state, data FROM job ORDER BY position"
READ_MODEL = "SELECT file, sha256, meta_sha256 FROM model WHERE name = ?"
READ_SYNTHETIC = (
    f"SELECT {_SYNTHETIC} FROM synthetic "
    "LEFT JOIN provenance ON provenance.id = synthetic.provenance ORDER BY synthetic.id"
)


def insert(connection: sqlite3.Connection, table: str, columns: str, row: Row) -> None:
    """Insert one row."""
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)


def write_taxonomy(connection: sqlite3.Connection, taxonomy: Taxonomy) -> None:
    """Write all classes, their order and costs."""
    for position, c in enumerate(taxonomy):
        row = (position, *_class_row(c))
        insert(connection, "class", f"position, {_CLASS}", row)
    costs = [[truth, taken, cost] for (truth, taken), cost in taxonomy.costs.items()]
    insert(connection, "meta", "key, value", ("taxonomy", taxonomy.name))
    insert(connection, "meta", "key, value", ("costs", plain_json(costs)))


def _class_row(c: CellClass) -> Row:
    return (
        c.concept,
        c.code,
        c.name,
        c.lineage,
        c.keys,
        c.colour,
        c.symbol,
        plain_json(list(c.neighbours)),
        int(c.abstain),
        plain_json(list(c.aliases)),
    )


def read_taxonomy(meta: Mapping[str, str], rows: Iterable[Row]) -> Taxonomy:
    """Build the taxonomy from its rows."""
    classes = tuple(_read_class(row) for row in rows)
    costs = {(truth, taken): cost for truth, taken, cost in json.loads(meta["costs"])}
    return Taxonomy(meta["taxonomy"], classes, costs)


def _read_class(row: Row) -> CellClass:
    *texts, neighbours, abstain, aliases = row
    concept, code, name, lineage, keys, colour, symbol = texts
    return CellClass(
        concept,
        code,
        name,
        lineage,
        keys,
        colour,
        symbol,
        tuple(json.loads(neighbours)),
        bool(abstain),
        tuple(json.loads(aliases)),
    )


def write_smear(connection: sqlite3.Connection, smear: Smear) -> None:
    """Insert a smear, or replace its record and leave its calibration."""
    connection.execute(
        f"INSERT INTO smear ({_SMEAR}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET uri = excluded.uri",
        (
            int(smear.id),
            smear.uri,
            int(smear.width),
            int(smear.height),
            None if smear.mpp is None else float(smear.mpp),
            smear.group,
            smear.fingerprint,
            smear.stain,
        ),
    )


def read_smear(row: Row) -> tuple[Smear, Calibration | None]:
    """Build a smear and its calibration."""
    number, uri, width, height, mpp, group, fingerprint, stain, calibration = row
    smear = Smear(uri, width, height, mpp, group, fingerprint, stain, SmearId(number))
    if calibration is None:
        return smear, None
    return smear, Calibration.from_json(json.loads(calibration))


def write_events(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Insert events, which have their ids."""
    connection.executemany(
        f"INSERT INTO event ({_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                int(event.id),
                str(event.kind),
                event.cell,
                plain_json(dict(event.data)),
                event.annotator,
                str(event.mode),
                event.model,
                event.time,
            )
            for event in events
        ],
    )


def read_events(found: Sequence[Row]) -> list[Event]:
    """Build events; their details are parsed in one go, which is ten times faster."""
    kinds = {str(kind): kind for kind in EventKind}
    modes = {str(mode): mode for mode in Mode}
    details = json.loads(f"[{','.join(row[3] for row in found)}]")
    return [
        Event(kinds[kind], cell, data, who, modes[mode], model, time, EventId(number))
        for (number, kind, cell, _, who, mode, model, time), data in zip(
            found, details, strict=True
        )
    ]


def write_run(
    connection: sqlite3.Connection, run: CellRun, outlines: Sequence[Outline]
) -> None:
    """Insert a run of cells and their outlines."""
    row = (
        run.first,
        run.smear,
        run.crop,
        run.boxes.astype("<f4").tobytes(),
        run.scores.astype("<f4").tobytes(),
        run.edges.astype("u1").tobytes(),
        run.kinds.astype("u1").tobytes(),
        None if run.mpp is None else float(run.mpp),
        int(run.under),
        len(run),
    )
    insert(connection, "cell", f"{_CELL}, count", row)
    points = [np.asarray(o, "<f4").reshape(-1, 2) for o in outlines]
    ends = np.cumsum([len(p) for p in points]).astype("<u4")
    joined = np.concatenate(points).tobytes()
    insert(
        connection,
        "outline",
        "first, ends, points",
        (run.first, ends.tobytes(), joined),
    )


def read_run(row: Row) -> CellRun:
    """Build a run of cells; its columns are views of the bytes that were read."""
    first, smear, crop, boxes, scores, edges, kinds, mpp, under = row
    return CellRun(
        first,
        smear,
        np.frombuffer(boxes, "<f4").reshape(-1, 4),
        np.frombuffer(scores, "<f4"),
        np.frombuffer(edges, np.bool_),
        np.frombuffer(kinds, np.uint8),
        crop,
        mpp,
        under,
    )


def write_cut(connection: sqlite3.Connection, cut: Cut) -> None:
    """Insert crops that were cut anew."""
    row = (
        float(cut.mpp),
        int(cut.crop),
        cut.cells.astype("<i8").tobytes(),
        cut.boxes.astype("<i8").tobytes(),
    )
    insert(connection, "cut", _CUT, row)


def read_cut(row: Row) -> Cut:
    """Build crops that were cut anew."""
    mpp, crop, cells, boxes = row
    return Cut(mpp, crop, np.frombuffer(cells, "<i8"), np.frombuffer(boxes, "<i8"))


def outline_span(ends: bytes, place: int) -> tuple[int, int]:
    """Return where a polygon starts in the joined bytes, and how many bytes it has."""
    stops = np.frombuffer(ends, "<u4")
    start = int(stops[place - 1]) if place else 0
    return start * 8, (int(stops[place]) - start) * 8


def read_outline(points: bytes) -> Outline:
    """Build a polygon float32[k, 2]."""
    return np.frombuffer(points, "<f4").reshape(-1, 2).astype(np.float32)


def write_synthetic(
    connection: sqlite3.Connection, cell: SyntheticCell, picture: int
) -> None:
    """Insert a synthetic cell and its provenance."""
    origin = cell.provenance
    row: Row = (
        int(cell.id),
        origin.generator,
        origin.weights,
        plain_json(dict(origin.config)),
        str(int(origin.seed)),
        plain_json([int(p) for p in origin.parents]),
        origin.version,
        origin.time,
    )
    columns = "id, generator, weights, config, seed, parents, version, time"
    insert(connection, "provenance", columns, row)
    said = plain_json([asdict(a) for a in cell.assessments])
    number, verified = int(cell.id), int(cell.verified)
    row = (number, cell.code, str(cell.status), verified, picture, said, number)
    columns = "id, code, status, verified, picture, assessments, provenance"
    insert(connection, "synthetic", columns, row)


def read_synthetic(row: Row, pixels: npt.NDArray[np.uint8]) -> SyntheticCell:
    """Build a synthetic cell from its row and picture."""
    number, code, status, verified, assessments, _ = row[:6]
    if row[6] is None:
        raise ProvenanceError(
            f"The project does not say how synthetic cell {number} was made: its "
            "provenance is gone from the database. No synthetic cell may be without "
            "one; restore the project from a backup."
        )
    generator, weights, config, seed, parents, version, time = row[6:]
    return SyntheticCell(
        pixels,
        code,
        Provenance(
            generator,
            weights,
            json.loads(config),
            int(seed),
            tuple(json.loads(parents)),
            version,
            time,
        ),
        tuple(Assessment(**said) for said in json.loads(assessments)),
        Status(status),
        bool(verified),
        SyntheticId(number),
    )


def picture_row(row: Row) -> int:
    """Return where the picture of a synthetic row lies."""
    return int(row[5])


def build_synthetic(rows: Sequence[Row], pictures: Crops) -> list[SyntheticCell]:
    """Build synthetic cells from rows and their pictures, in the same order."""
    return [read_synthetic(r, p) for r, p in zip(rows, pictures, strict=True)]


def write_job(connection: sqlite3.Connection, job: Job, time: str) -> None:
    """Insert a job, or replace it in its place."""
    connection.execute(
        "INSERT INTO job (key, position, state, data, time) VALUES "
        "(?, (SELECT COALESCE(MAX(position), 0) + 1 FROM job), ?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET state = excluded.state, "
        "data = excluded.data, time = excluded.time",
        (job.key, str(job.state), plain_json(dict(job.data)), time),
    )


def read_job(row: Row) -> Job:
    """Build a job."""
    key, state, data = row
    return Job(key, JobState(state), json.loads(data))


def write_model_row(
    connection: sqlite3.Connection, name: str, known: ModelFile, time: str
) -> None:
    """Insert or replace what is known of stored weights."""
    connection.execute(
        "INSERT OR REPLACE INTO model (name, file, sha256, meta_sha256, time) "
        "VALUES (?, ?, ?, ?, ?)",
        (name, known.file, known.sha256, known.meta_sha256, time),
    )
