"""Fit the classifier head on the labelled cells of the training split.

Example: cytosynth train smears.cytosynth
"""

from __future__ import annotations

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import Embedder, ProjectPath, opened


def run(
    path: ProjectPath,
    embedder: Embedder = "morphology",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Embed what is missing, fit, store."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.train import train_head

    with opened(path) as project:
        key = drive(embed_cells(project, InlineCompute(), embedder=embedder), "embed")
        head = drive(train_head(project, key, seed=seed), "train")
        labels = len(project.journal.labels())
    document = {
        "model": head.version,
        "classes": list(head.codes_),
        "labels": labels,
        "embedder": key,
    }
    text = f"Head {head.version} knows {', '.join(head.codes_)} ({labels} labels)."
    show(document, [text], as_json)
