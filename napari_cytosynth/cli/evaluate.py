"""Measure on real audit cells whether synthesis helped.

Example: cytosynth evaluate smears.cytosynth --out report.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import Embedder, opened
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from napari_cytosynth.evidence.appendix import Appendix
    from napari_cytosynth.evidence.record import Evidence

_STUDY_PANEL = "Of a study"

Source = Annotated[
    Path,
    typer.Argument(
        metavar="PROJECT",
        help="Folder NAME.cytosynth; for a study also a folder of cells, one a class.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Where to write the report, as HTML.")]
Study = Annotated[
    str | None,
    typer.Option(
        help="Repeat an experiment on labelled real cells: ratio protocol regenerate "
        "time."
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Runs.", rich_help_panel=_STUDY_PANEL)]
Shots = Annotated[
    int,
    typer.Option(
        min=1,
        help="Training cells of a rare class; each class needs 30 more cells.",
        rich_help_panel=_STUDY_PANEL,
    ),
]
Head = Annotated[
    str,
    typer.Option(
        help="logistic, or resnet from scratch.", rich_help_panel=_STUDY_PANEL
    ),
]
Seconds = Annotated[
    float,
    typer.Option(
        help="Of each generator in a study of time.", rich_help_panel=_STUDY_PANEL
    ),
]
Mpp = Annotated[
    float | None,
    typer.Option(
        min=0.02,
        max=5.0,
        help="Micrometres a pixel of the pictures in a folder.",
        rich_help_panel=_STUDY_PANEL,
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        help="Folder of finished runs; not repeated. The cache if absent.",
        rich_help_panel=_STUDY_PANEL,
    ),
]


def run(
    path: Source,
    out: Out = None,
    embedder: Embedder = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    study: Study = None,
    seeds: Seeds = 3,
    shots: Shots = 10,
    head: Head = "logistic",
    seconds: Seconds = 30.0,
    mpp: Mpp = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Compare heads with and without synthetic cells, and with the controls."""
    if study is not None:
        from napari_cytosynth.cli import studying
        from napari_cytosynth.workflows.studies.plan import Plan

        studying.refuse_report_and_seed(out, seed)
        plan = Plan(study, shots, seeds, head, seconds)
        studying.study(path, plan, embedder, mpp=mpp, keep=keep, as_json=as_json)
        return
    from napari_cytosynth.evidence.report import places_of, write_report

    if out is not None:
        places_of(out)  # refused now, not after the work
    evidence, appendix = _measured(path, embedder, seed)
    if out is not None:
        write_report(evidence, out, appendix)
    document = evidence.to_json() | {
        "inspection": appendix.inspection.to_json(),
        "report": str(out) if out else None,
    }
    found = [str(finding) for finding in appendix.inspection.findings]
    lines = [evidence.verdict, *found, *([str(out)] if out else [])]
    show(document, lines, as_json)


def _measured(path: Path, embedder: str, seed: int) -> tuple[Evidence, Appendix]:
    """Evaluate a project and inspect its accepted synthetic cells."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.appendix import gather_appendix
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.evaluate import evaluate

    compute = InlineCompute()
    with opened(path) as project:
        key = drive(embed_cells(project, compute, embedder=embedder), "embed")
        evidence = drive(evaluate(project, key, compute, seed=seed), "evaluate")
        task = gather_appendix(project, key, compute, seed=seed)
        return evidence, drive(task, "inspect")
