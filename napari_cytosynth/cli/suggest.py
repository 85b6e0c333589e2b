"""List the cells most worth a label, or say why they are.

Example: cytosynth suggest smears.cytosynth --strategy rare -n 20
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_cytosynth.cli.output import Json, Seed, complain, drive, show, table
from napari_cytosynth.cli.project import Embedder, ProjectPath, opened
from napari_cytosynth.cli.searching import Wish, list_fields, list_found, places
from napari_cytosynth.core.errors import InputError, StorageError
from napari_cytosynth.core.quality import names
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, DEFAULT_STRATEGY
from napari_cytosynth.core.splits import BLOCK_UM

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project
    from napari_cytosynth.workflows.describe import Description
    from napari_cytosynth.workflows.suggest import Suggestion


Strategy = Annotated[str, typer.Option(help="How to rank.")]
Many = Annotated[int, typer.Option("-n", min=1, help="How many cells, or fields.")]
Why = Annotated[
    bool, typer.Option("--why", help="Say why, and leave the audit cards out.")
]
PartShares = Annotated[
    str | None,
    typer.Option(
        metavar="PART=N,...",
        help="What part of the cards 'balanced' deals to what, kept with the project: "
        "uncertain=95,rare=3,novel=2,typical=0 unless set.",
    ),
]
Like = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Look for cells of this class, by its real and synthetic examples.",
    ),
]
LikeCell = Annotated[
    int | None,
    typer.Option(metavar="CELL", help="Look for cells like this one, by number."),
]
Fields = Annotated[
    bool,
    typer.Option(
        "--fields", help="List fields of view instead, by what they would teach."
    ),
]
FieldUm = Annotated[float, typer.Option(help="Side of a field, micrometres.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """How cells are ranked."""

    strategy: str
    n: int
    seed: int
    why: bool


def run(
    path: ProjectPath,
    strategy: Strategy = DEFAULT_STRATEGY,
    n: Many = 20,
    embedder: Embedder = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    why: Why = False,
    shares: PartShares = None,
    like: Like = None,
    like_cell: LikeCell = None,
    fields: Fields = False,
    field_um: FieldUm = BLOCK_UM,
    as_json: Json = False,
) -> None:
    """Rank the unlabelled cells, one audit card in ten among them.

    To read from, take the list as it is: it says of no card why it came, as that would
    tell the audit cards, which are noted as drawn, from the others. What is looked for
    with --like or --like-cell holds no audit card.
    """
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.fields import FieldConfig
    from napari_cytosynth.workflows.shares import keep_shares, shares_of

    wanted, wish = None if shares is None else shares_of(shares), Wish(like, like_cell)
    if wish and fields:
        raise InputError(
            "Both --fields and cells to look for were asked for. Ask for one at a time."
        )
    with opened(path, reading=wanted is None) as project:
        if wanted is not None:
            keep_shares(project, wanted)
            if strategy != DEFAULT_STRATEGY or Wish(like, like_cell):
                complain(
                    f"The shares are kept; only '{DEFAULT_STRATEGY}' deals by them."
                )
        key = drive(embed_cells(project, InlineCompute(), embedder=embedder), "embed")
        _check(project)
        if wish:
            list_found(project, key, wish, n=n, seed=seed, as_json=as_json)
        elif fields:
            config = FieldConfig(strategy, field_um, seed=seed)
            list_fields(project, key, config, n=n, as_json=as_json)
        else:
            _list_ranked(project, key, _Asked(strategy, n, seed, why), as_json)


def _list_ranked(project: Project, key: str, asked: _Asked, as_json: bool) -> None:
    """List the queue."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.density import density_for
    from napari_cytosynth.workflows.quality import flaws_by_cell
    from napari_cytosynth.workflows.shares import stored_shares
    from napari_cytosynth.workflows.suggest import suggest
    from napari_cytosynth.workflows.train import stored_head

    strategy, seed, why = asked.strategy, asked.seed, asked.why
    head = stored_head(project, key)
    if head is None and len(set(_codes(project))) > 1:
        complain("No model yet: 'cytosynth train' fits one of the labels there are.")
    fit = density_for(project, key, strategy, InlineCompute(), seed=seed)
    found = suggest(
        project,
        key,
        head=head,
        strategy=strategy,
        n=asked.n,
        seed=seed,
        density=drive(fit, "density"),
    )
    if not why:
        _note_draws(project, found)
    cells, dealt = project.cells(), stored_shares(project)
    rows = places(found.query, cells)
    if why:
        rows = _explained(found, _described(project, key, found))
    flaws = flaws_by_cell(project, cells)
    for row in rows:
        row["quality"] = names(int(flaws[cells.row(row["cell"])]))
        row["synthetic"] = False
    keys = ("cell", "reason") if why else ("cell", "smear", "x", "y")
    told = [[*(row[key] for key in keys), ", ".join(row["quality"])] for row in rows]
    lines = table((*keys, "quality"), told)
    document = {"strategy": strategy, "seed": seed, "shares": dealt.parts()}
    if strategy == DEFAULT_STRATEGY:
        lines = [*lines, f"shares: {dealt}"]
    show({**document, "cells": rows}, lines, as_json)


def _codes(project: Project) -> Iterator[str]:
    """Yield the class of each label."""
    return (label.code for label in project.journal.labels().values())


def _check(project: Project) -> None:
    """Measure the pictures of new cells."""
    from napari_cytosynth.workflows.quality import measure_cells

    try:
        drive(measure_cells(project), "check")
    except StorageError as error:
        complain(f"Which cells are blurred or damaged is not told. {error}")


def _note_draws(project: Project, found: Suggestion) -> None:
    from napari_cytosynth.workflows.audit import record_draws

    try:
        record_draws(project, found)
    except StorageError as error:
        complain(f"Audit cards among them are not noted as drawn. {error}")


def _described(
    project: Project, key: str, found: Suggestion
) -> Mapping[int, Description]:
    from napari_cytosynth.workflows.describe import Describer

    chosen = found.query.ids[~found.audit]
    return drive(Describer(project, key).describe(chosen), "describe")


def _explained(
    found: Suggestion, described: Mapping[int, Description]
) -> list[dict[str, Any]]:
    """Say why the ranking chose each card that it chose, and what that looks like."""
    query = found.query
    return [
        {
            "cell": int(query.ids[i]),
            "utility": float(query.utilities[i]),
            "reason": query.reasons[i],
            **described[int(query.ids[i])].to_json(),
        }
        for i in np.flatnonzero(~found.audit)
    ]
