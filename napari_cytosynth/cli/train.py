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
            help="none, embedding, latent or a control: class_weights, duplicates, "
            "augmentation, smote, gaussian; by default all classes weigh the same."
        ),
    ] = None,
    ungated: Annotated[
        bool,
        typer.Option(
            "--ungated",
            help="Train on synthetic cells without asking the use gate whether they "
            "help.",
        ),
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Embed what is missing, ask the use gate, fit, store."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.drawn import Drawn, Tally
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.train import HEAD, train_head
    from napari_cytosynth.workflows.use_gate import ask

    with opened(path) as project:
        compute = InlineCompute()
        key = drive(embed_cells(project, compute, embedder=embedder), "embed")
        answer = None
        if not ungated:
            asking = ask(project, key, compute, enrich=enrich, seed=seed)
            answer = drive(asking, "use gate")
        task = train_head(
            project, key, enrich=enrich, seed=seed, compute=compute, answer=answer
        )
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
        "use_gate": answer and answer.to_json() | {"said": str(answer)},
    }
    known = ", ".join(head.codes_)
    lines = [f"Head {head.version} knows {known} ({labels} labels trained it)."]
    if document["vectors"]:
        tallies = {code: Tally(**tally) for code, tally in document["vectors"].items()}
        lines.append(f"{Drawn(tallies=tallies)}.")
    if answer is not None:
        lines.append(f"Use gate: {answer}.")
    elif ungated:
        lines.append("Use gate: not asked; synthetic cells trained as they came.")
    show(document, lines, as_json)
