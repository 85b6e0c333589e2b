"""List, accept or reject synthetic cells.

Example: cytosynth review smears.cytosynth --accept 3 --accept 4 --reject 5
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, show, table
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.ids import SyntheticId


def run(
    path: ProjectPath,
    accept: Annotated[list[int], typer.Option(help="Number to accept.")] = [],  # noqa: B006
    reject: Annotated[list[int], typer.Option(help="Number to reject.")] = [],  # noqa: B006
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Give verdicts, all or none, then list what there is."""
    from napari_cytosynth.workflows.review import judge_all

    if both := sorted(set(accept) & set(reject)):
        raise typer.BadParameter(f"{both[0]} is given to accept and to reject.")
    verdicts = dict.fromkeys(map(SyntheticId, accept), True)
    verdicts |= dict.fromkeys(map(SyntheticId, reject), False)
    with opened(path) as project:
        judge_all(project, verdicts, author_of(annotator))
        rows = [
            {
                "id": int(cell.id),
                "synthetic": True,
                "class": cell.code,
                "status": str(cell.status),
                "verified": cell.verified,
                "reason": "; ".join(a.reason for a in cell.assessments),
                "generator": cell.provenance.generator,
                "seed": cell.provenance.seed,
            }
            for cell in project.synthetic()
        ]
    lines = table(
        ("id", "class", "status", "reason"),
        [(r["id"], r["class"], r["status"], r["reason"]) for r in rows],
    )
    show({"synthetic": rows}, lines, as_json)
