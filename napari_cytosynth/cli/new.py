"""Make an empty project.

Example: cytosynth new smears.cytosynth --taxonomy marrow21
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.cli.project import ProjectPath, taxonomy_of


def run(
    path: ProjectPath,
    taxonomy: Annotated[
        str,
        typer.Option(help="Built-in name (pbc11, blood5, aml15, marrow21) or YAML."),
    ] = "marrow21",
    as_json: Json = False,
) -> None:
    """Make the project and say where it is."""
    from napari_cytosynth.store import create_project

    with create_project(path, taxonomy_of(taxonomy)) as project:
        classes, place = list(project.taxonomy.codes), path.with_name(project.path.name)
    document = {"project": str(place), "taxonomy": taxonomy, "classes": classes}
    show(document, [f"Made {place} with {len(classes)} classes ({taxonomy})."], as_json)
