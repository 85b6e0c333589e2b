"""Fill a rare class with synthetic cells, checked by the gate.

Example: cytosynth synthesize smears.cytosynth BAS --count 24 --seed 1
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import ProjectPath, opened


def run(
    path: ProjectPath,
    code: Annotated[str, typer.Argument(metavar="CLASS")],
    count: Annotated[int, typer.Option(min=1, max=5000, help="Cells wanted.")] = 24,
    generator: Annotated[str, typer.Option(help="Which backend.")] = "latent",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Generate, assess, generate again; keep what passes."""
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.synthesize import fill

    with opened(path) as project:
        wanted = project.taxonomy.find(code).code
        report = drive(
            fill(
                project, InlineCompute(), wanted, count, generator=generator, seed=seed
            ),
            f"fill {wanted}",
        )
    document = {
        "class": report.code,
        "wanted": count,
        "accepted": report.accepted,
        "drawn": report.drawn,
        "acceptance": report.acceptance,
        "refused": dict(report.reasons),
        "seed": seed,
    }
    text = (
        f"{report.accepted} of {count} {report.code} passed the gate "
        f"({report.drawn} drawn). They wait for your verdict: cytosynth review {path}"
    )
    show(document, [text], as_json)
