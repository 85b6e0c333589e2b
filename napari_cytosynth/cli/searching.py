"""What ``suggest`` lists when it is asked for something in particular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cytosynth.cli.output import complain, drive, show, table
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.quality import names

if TYPE_CHECKING:
    from napari_cytosynth.core.cells import CellTable
    from napari_cytosynth.core.geometry import Box
    from napari_cytosynth.core.project import Project
    from napari_cytosynth.core.protocols import Query
    from napari_cytosynth.core.tasks import Task
    from napari_cytosynth.workflows.fields import FieldConfig
    from napari_cytosynth.workflows.search import Found


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for.

    Parameters
    ----------
    code : str or None
        Cells of this class.
    cell : int or None
        Cells like this one.
    """

    code: str | None = None
    cell: int | None = None

    def __bool__(self) -> bool:
        return self.code is not None or self.cell is not None


def list_found(
    project: Project, key: str, wish: Wish, *, n: int, seed: int, as_json: bool
) -> None:
    """List what a search found, each with its reason; no audit card is among them.

    Raises
    ------
    InputError
        If a class and a cell are both asked for, or there is nothing to go by.
    """
    from napari_cytosynth.workflows.quality import flaws_by_cell

    found = drive(_search(project, key, wish, n=n, seed=seed), "search")
    if found.note:
        complain(f"No synthetic example was drawn. {found.note}")
    cells = project.cells()
    flaws = flaws_by_cell(project, cells)
    rows = [
        {**place, **why, "quality": names(int(flaws[cells.row(place["cell"])]))}
        for place, why in zip(
            places(found.query, cells), reasons(found.query), strict=True
        )
    ]
    for row in rows:
        row["synthetic"] = False
    head = {"like": found.like, "real": found.real, "examples": found.synthetic}
    told = [[r["cell"], r["reason"], ", ".join(r["quality"])] for r in rows]
    by = f"like {found.like}, by {found.real} real and {found.synthetic} synthetic ones"
    lines = [*table(("cell", "reason", "quality"), told), by]
    show({**head, "seed": seed, "cells": rows}, lines, as_json)


def _search(
    project: Project, key: str, wish: Wish, *, n: int, seed: int
) -> Task[Found]:
    from napari_cytosynth.core.ids import CellId
    from napari_cytosynth.core.tasks import Progress
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.search import find_alike, find_class

    if wish.code is not None and wish.cell is not None:
        raise InputError(
            "Both --like and --like-cell were given. Look for one at a time."
        )
    if wish.code is not None:
        code = project.taxonomy.find(wish.code).code
        compute = InlineCompute()
        return (yield from find_class(project, compute, code, key, n=n, seed=seed))
    yield Progress(0, 1, "comparing cells")
    return find_alike(project, CellId(int(wish.cell or 0)), key, n=n, seed=seed)


def places(query: Query, cells: CellTable) -> list[dict[str, Any]]:
    """Say of each card where it lies, and nothing that the model makes of it."""
    rows = cells.rows(query.ids)
    boxes = cells.boxes[rows].astype(np.float64)
    centres = np.round(boxes[:, :2] + boxes[:, 2:] / 2, 1)
    return [
        {"cell": cell, "smear": smear, "x": x, "y": y}
        for cell, smear, (x, y) in zip(
            query.ids.tolist(),
            cells.smears[rows].tolist(),
            centres.tolist(),
            strict=True,
        )
    ]


def reasons(query: Query) -> list[dict[str, Any]]:
    """Say of each card why it came."""
    return [
        {"utility": float(worth), "reason": reason}
        for worth, reason in zip(query.utilities, query.reasons, strict=True)
    ]


def list_fields(
    project: Project, key: str, config: FieldConfig, *, n: int, as_json: bool
) -> None:
    """List the fields that teach most, with the places where a cell may be missed.

    Raises
    ------
    InputError
        If the side of a field is not above 0.
    """
    from napari_cytosynth.workflows.fields import rank_fields
    from napari_cytosynth.workflows.train import stored_head

    head = stored_head(project, key)
    found = drive(rank_fields(project, key, head=head, n=n, config=config), "fields")
    rows = [
        {
            "smear": int(field.smear),
            **_rounded(field.box),
            "value": round(field.value, 3),
            "cells": list(field.cells),
            "worthy": field.worthy,
            "missed": [_rounded(place) for place in field.missed],
            "reason": field.reason,
        }
        for field in found
    ]
    head_ = {"strategy": config.strategy, "seed": config.seed, "field_um": config.um}
    told = [[r["smear"], r["x"], r["y"], r["value"], r["reason"]] for r in rows]
    lines = table(("smear", "x", "y", "worth", "reason"), told)
    show({**head_, "fields": rows}, lines, as_json)


def _rounded(box: Box) -> dict[str, float]:
    parts = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return {name: round(value, 1) for name, value in parts.items()}
