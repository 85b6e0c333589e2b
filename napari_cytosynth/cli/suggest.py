"""List the cells most worth a label, with the reason.

Example: cytosynth suggest smears.cytosynth --strategy rare -n 20
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, Seed, complain, drive, show, table
from napari_cytosynth.cli.project import Embedder, ProjectPath, opened
from napari_cytosynth.core.errors import StorageError
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER


def run(
    path: ProjectPath,
    strategy: Annotated[str, typer.Option(help="How to rank.")] = "margin",
    n: Annotated[int, typer.Option("-n", min=1, help="How many cells.")] = 20,
    embedder: Embedder = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Rank the unlabelled cells; audit cards among them are noted as drawn."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.audit import record_draws
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.suggest import suggest
    from napari_cytosynth.workflows.train import stored_head

    with opened(path, reading=True) as project:
        key = drive(embed_cells(project, InlineCompute(), embedder=embedder), "embed")
        head = stored_head(project, key)
        found = suggest(project, key, head=head, strategy=strategy, n=n, seed=seed)
        try:
            record_draws(project, found)
        except StorageError as error:
            complain(f"Audit cards among them are not noted as drawn. {error}")
        query = found.query
        rows = [
            {"cell": int(i), "utility": float(u), "reason": r}
            for i, u, r in zip(query.ids, query.utilities, query.reasons, strict=True)
        ]
    lines = table(("cell", "reason"), [(r["cell"], r["reason"]) for r in rows])
    show({"strategy": strategy, "seed": seed, "cells": rows}, lines, as_json)
