"""Measure on real audit cells whether synthesis helped.

Example: cytosynth evaluate smears.cytosynth --out report.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import Embedder, ProjectPath, opened
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER


def run(
    path: ProjectPath,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the report, as HTML.")
    ] = None,
    embedder: Embedder = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare heads with and without synthetic cells, and with the controls."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.evaluate import evaluate

    compute = InlineCompute()
    with opened(path) as project:
        key = drive(embed_cells(project, compute, embedder=embedder), "embed")
        evidence = drive(evaluate(project, key, compute, seed=seed), "evaluate")
    if out is not None:
        from napari_cytosynth.evidence.report import write_report

        write_report(evidence, out)
    document = evidence.to_json() | {"report": str(out) if out else None}
    show(document, [evidence.verdict, *([str(out)] if out else [])], as_json)
