"""Fit the classifier head on the labelled cells of the training split.

Example: cytosynth train smears.cytosynth
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import Embedder, ProjectPath, opened
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER


def run(
    path: ProjectPath,
    embedder: Embedder = DEFAULT_EMBEDDER,
    enrich: Annotated[
        str | None,
        typer.Option(
            help="none, embedding or a control: class_weights, duplicates, "
            "augmentation, smote, gaussian; by default all classes weigh the same."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Embed what is missing, fit, store."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.drawn import Drawn, Tally
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.train import HEAD, train_head

    with opened(path) as project:
        compute = InlineCompute()
        key = drive(embed_cells(project, compute, embedder=embedder), "embed")
        task = train_head(project, key, enrich=enrich, seed=seed, compute=compute)
        head = drive(task, "train")
        stored = project.model(HEAD)
    # Not all labels: audit cells, and what says nothing of a cell, never train.
    labels = sum(stored.meta["real"].values()) if stored is not None else 0
    document: dict[str, Any] = {
        "model": head.version,
        "classes": list(head.codes_),
        "labels": labels,
        "embedder": key,
        "vectors": dict(stored.meta["vectors"]) if stored is not None else {},
    }
    known = ", ".join(head.codes_)
    lines = [f"Head {head.version} knows {known} ({labels} labels trained it)."]
    if document["vectors"]:
        tallies = {code: Tally(**tally) for code, tally in document["vectors"].items()}
        lines.append(f"{Drawn(tallies=tallies)}.")
    show(document, lines, as_json)
