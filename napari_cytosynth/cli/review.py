"""List, accept or reject synthetic cells.

Example: cytosynth review smears.cytosynth --accept 3 --accept 4 --reject 5
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, show, table
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.ids import SyntheticId

_ONLY = (
    "passed",
    "proposed",
    "accepted",
    "rejected",
    "unverified",
    "uncalibrated",
    "dropped",
)


def run(
    path: ProjectPath,
    accept: Annotated[list[int], typer.Option(help="Number to accept.")] = [],  # noqa: B006
    reject: Annotated[list[int], typer.Option(help="Number to reject.")] = [],  # noqa: B006
    critic: Annotated[
        str, typer.Option(help="List only what this critic refused.")
    ] = "",
    show_only: Annotated[
        str,
        typer.Option(
            "--only",
            help="List only these: passed, proposed, accepted, rejected, unverified, "
            "uncalibrated or dropped.",
        ),
    ] = "",
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Give verdicts, all or none, then list what there is."""
    from napari_cytosynth.workflows.review import judge_all, lets_through, vetoes_of

    if both := sorted(set(accept) & set(reject)):
        raise typer.BadParameter(f"{both[0]} is given to accept and to reject.")
    verdicts = dict.fromkeys(map(SyntheticId, accept), True)
    verdicts |= dict.fromkeys(map(SyntheticId, reject), False)
    with opened(path) as project:
        cells = project.synthetic()
        sieves = _sieves(critic, show_only, {v for c in cells for v in vetoes_of(c)})
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
                "refused_by": list(vetoes_of(cell)),
                "verdicts": [asdict(a) for a in cell.assessments],
            }
            for cell in project.synthetic()
            if all(lets_through(sieve, cell) for sieve in sieves)
        ]
    lines = table(
        ("id", "class", "status", "reason"),
        [(r["id"], r["class"], r["status"], r["reason"]) for r in rows],
    )
    if not rows:
        lines = ["No synthetic cells to list; 'cytosynth synthesize' makes some."]
        if cells:
            lines = [f"None of the {len(cells)} synthetic cells is one of these."]
    show({"synthetic": rows}, lines, as_json)


def _sieves(critic: str, only: str, refused_by: set[str]) -> list[str]:
    """Return what a cell must pass to be listed; nothing: all are, dropped ones too.

    A generator may refuse a draw itself, under a name that is no installed critic's.
    """
    from napari_cytosynth.core.registry import names
    from napari_cytosynth.workflows.review import REFUSED

    known = sorted({*names("critics"), *refused_by})
    if critic and critic not in known:
        raise typer.BadParameter(
            f"There is no critic '{critic}'. Known: {', '.join(known)}."
        )
    if only and only not in _ONLY:
        raise typer.BadParameter(f"'{only}' is none of {', '.join(_ONLY)}.")
    sieves = [REFUSED + critic] if critic else []
    return [*sieves, "" if only == "passed" else only] if only else sieves
