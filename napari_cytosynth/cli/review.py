"""List, accept or reject synthetic cells; list what was said of synthetic vectors.

Example: cytosynth review smears.cytosynth --accept 3 --accept 4 --reject 5

How well blinded readers told synthetic cells from real ones:
cytosynth review smears.cytosynth --blinded
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, show, table
from napari_cytosynth.cli.project import Annotator, ProjectPath, author_of, opened
from napari_cytosynth.core.ids import SyntheticId

if TYPE_CHECKING:
    from napari_cytosynth.core.provenance import SyntheticCell
    from napari_cytosynth.workflows.kept import JudgedVector

_ONLY = (
    "passed",
    "proposed",
    "accepted",
    "rejected",
    "unverified",
    "uncalibrated",
    "dropped",
)

Blinded = Annotated[
    bool, typer.Option("--blinded", help="Say how the finished blinded tests ended.")
]


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
    vectors: Annotated[
        bool,
        typer.Option(
            "--vectors",
            help="List the verdicts on the vectors of each class's last fill instead.",
        ),
    ] = False,
    blinded: Blinded = False,
    annotator: Annotator = "",
    as_json: Json = False,
) -> None:
    """Give verdicts, all or none, then list what there is."""
    from napari_cytosynth.workflows.kept import judged_vectors
    from napari_cytosynth.workflows.review import judge_all, lets_through, vetoes_of

    if blinded:
        _blinded(path, as_json)
        return
    if both := sorted(set(accept) & set(reject)):
        raise typer.BadParameter(f"{both[0]} is given to accept and to reject.")
    verdicts = dict.fromkeys(map(SyntheticId, accept), True)
    verdicts |= dict.fromkeys(map(SyntheticId, reject), False)
    if vectors and verdicts:
        raise typer.BadParameter(
            "Vectors train by the use gate alone: none is accepted or rejected."
        )
    with opened(path) as project:
        judged = judged_vectors(project) if vectors else project.synthetic()
        sieves = _sieves(critic, show_only, {v for c in judged for v in vetoes_of(c)})
        judge_all(project, verdicts, author_of(annotator))
        judged = judged if vectors else project.synthetic()
        listed = [c for c in judged if all(lets_through(s, c) for s in sieves)]
    kind = "vector" if vectors else "cell"
    key = "vectors" if vectors else "synthetic"
    rows = [_row(item) for item in listed]
    lines = table(
        ("id", "class", "status", "reason"),
        [(r["id"], r["class"], r["status"], r["reason"]) for r in rows],
    )
    if not rows:
        lines = [f"No synthetic {kind}s to list; 'cytosynth synthesize' makes some."]
        if judged:
            lines = [f"None of the {len(judged)} synthetic {kind}s is one of these."]
    show({key: rows}, lines, as_json)


def _row(item: SyntheticCell | JudgedVector) -> dict[str, Any]:
    """Return what the list says of a cell or vector."""
    from napari_cytosynth.workflows.review import vetoes_of

    return {
        "id": int(item.id),
        "synthetic": True,
        "class": item.code,
        "status": str(item.status),
        "verified": item.verified,
        "reason": "; ".join(a.reason for a in item.assessments),
        "generator": item.provenance.generator,
        "seed": item.provenance.seed,
        "refused_by": list(vetoes_of(item)),
        "verdicts": [asdict(a) for a in item.assessments],
    }


def _blinded(path: Path, as_json: bool) -> None:
    """List what the finished blinded tests say."""
    from napari_cytosynth.workflows.reader_test import results

    with opened(path, reading=True) as project:
        found = results(project)
    lines = [f"{r.time[:10]}  {r.reader}: {r.sentence}" for r in found]
    nothing = (
        "No blinded test was finished yet; the tab Synthetic of the window has it."
    )
    document = {"blinded": [result.to_json() for result in found]}
    show(document, lines or [nothing], as_json)


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
