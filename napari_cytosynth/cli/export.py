"""Write labels as VOC, COCO, YOLO or CSV, real cells only unless asked; or generators.

Example: cytosynth export smears.cytosynth labels.csv --format csv

The generators that a project fitted, with a card and hashes, into a folder:
cytosynth export smears.cytosynth generators/ --models

The accepted synthetic cells as a data set for others, imagefolder and Croissant:
cytosynth export smears.cytosynth cells/ --format croissant --licence URL
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, plain, show
from napari_cytosynth.cli.project import ProjectPath, opened
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.records import DATASETS

if TYPE_CHECKING:
    from napari_cytosynth.core.project import Project


Target = Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="Where to.")]
FileFormat = Annotated[
    str,
    typer.Option(
        "--format",
        help="voc coco yolo csv: labels. imagefolder croissant: a data set of the "
        "synthetic cells; one folder is both. Not with --models.",
    ),
]
IncludeSynthetic = Annotated[
    bool, typer.Option("--include-synthetic", help="Flagged as synthetic.")
]
Pictures = Annotated[
    str, typer.Option(help="png or tiff: pictures of the synthetic cells.")
]
Models = Annotated[
    bool, typer.Option("--models", help="Write the generators into a folder.")
]
IncludeAdapter = Annotated[
    bool,
    typer.Option("--include-adapter", help="Those learned from patients' cells too."),
]
Real = Annotated[
    bool, typer.Option("--real", help="Data set: the labelled real cells too.")
]
Licence = Annotated[
    str, typer.Option("--licence", "--license", help="Data set: URL of its terms.")
]
Creator = Annotated[str, typer.Option(help="Data set: who gives it.")]
Title = Annotated[str, typer.Option(help="Data set: its name.")]
Url = Annotated[str, typer.Option(help="Data set: where it will be found.")]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Confirm --include-adapter or --real in a script."),
]


def run(
    path: ProjectPath,
    target: Target,
    file_format: FileFormat = "",
    include_synthetic: IncludeSynthetic = False,
    pictures: Pictures = "png",
    models: Models = False,
    include_adapter: IncludeAdapter = False,
    real: Real = False,
    licence: Licence = "",
    creator: Creator = "",
    title: Title = "",
    url: Url = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write the current labels, the generators, or a data set."""
    if models == bool(file_format) or (include_adapter and not models):
        raise typer.BadParameter(
            "Give either --format for labels, or --models, and --include-adapter only "
            "with --models."
        )
    terms = {"licence": licence, "creator": creator, "name": title, "url": url}
    dataset = file_format in DATASETS
    if not dataset and (real or any(terms.values())):
        raise typer.BadParameter(
            "--real, --licence, --creator, --title and --url are of data sets: give "
            "them with --format imagefolder or --format croissant."
        )
    with opened(path, reading=True) as project:
        if models:
            document = _models(project, target, include_adapter, yes)
        elif dataset:
            document = _dataset(project, target, terms, real=real, yes=yes)
        else:
            from napari_cytosynth.workflows.exporting import export_labels

            document = export_labels(
                project,
                target,
                file_format,
                include_synthetic=include_synthetic,
                pictures=pictures,
            ).to_json()
    lines = [f"{k}: {plain(v)}" for k, v in document.items()]
    if document.get("withheld"):
        lines.append(
            "Withheld: they hold or were learned from cells of this project's patients "
            "and can show or paint them. --include-adapter writes them too, after a "
            "confirmation."
        )
    show(document, lines, as_json)


def _dataset(
    project: Project, folder: Path, terms: dict[str, str], *, real: bool, yes: bool
) -> dict[str, Any]:
    from napari_cytosynth.formats.dataset import NO_LICENCE, About
    from napari_cytosynth.workflows.exporting_datasets import (
        DatasetOptions,
        export_dataset,
    )

    if real and not yes:
        _confirm(
            "The labelled real cells of this project",
            "They are pictures of cells of patients: under pseudonyms, but pictures. "
            "May they leave this project?",
            "Without --real only synthetic cells are written.",
        )
    about = About(**{name: said for name, said in terms.items() if said})
    document = export_dataset(project, folder, DatasetOptions(about, real)).to_json()
    if about.licence == NO_LICENCE:
        sys.stderr.write(
            "No licence was named, so the data set says that others may not use it. "
            "Name one with --licence URL.\n"
        )
    return document


def _models(
    project: Project, folder: Path, include_adapter: bool, yes: bool
) -> dict[str, Any]:
    from napari_cytosynth.workflows.exporting_models import adapters, export_models

    personal = adapters(project) if include_adapter else ()
    if personal and not yes:
        named = ", ".join(personal)
        _confirm(
            f"{named} learned from patients' cells",
            f"{named} learned from the cells of this project's patients, and can paint "
            "cells that look like theirs. Write them out?",
            "Without --include-adapter the other generators and all cards are written.",
        )
    report = export_models(project, folder, include_adapter=include_adapter)
    return report.to_json()


def _confirm(what: str, question: str, without: str) -> None:
    """Ask before what is of patients leaves."""
    if not sys.stdin.isatty():
        raise InputError(
            f"Nothing was written: {what}, and nobody is there to confirm that they "
            "may leave. Add --yes if they may."
        )
    if not typer.confirm(question, err=True):
        raise InputError(f"Nothing was written, as it was not confirmed. {without}")
