"""Fill a rare class with synthetic cells, checked by the gate.

A fill that was interrupted, by Ctrl-C too, goes on when it is asked for again, or with
--resume.

Example: cytosynth synthesize smears.cytosynth BAS --count 24 --seed 1

Options of the generator are set by name, such as variations of the real cells:
cytosynth synthesize smears.cytosynth BAS --set strategy=variation --set strength=0.5
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cytosynth.cli.output import Json, Seed, drive, show
from napari_cytosynth.cli.project import ProjectPath, listed, opened
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, makes_vectors
from napari_cytosynth.workflows.fill_jobs import Ask

_OPTIONS = {
    "count": "count",
    "generator": "generator",
    "seed": "seed",
    "settings": "options",
    "critic": "critics",
}
"""Parameters of this verb, and what a job calls them."""

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cytosynth.core.project import Job, Project
    from napari_cytosynth.workflows.synthesize import FillReport


def run(
    context: typer.Context,
    path: ProjectPath,
    code: Annotated[str, typer.Argument(metavar="CLASS", help="Its code.")],
    count: Annotated[int, typer.Option(min=1, max=5000, help="Cells wanted.")] = 24,
    generator: Annotated[
        str, typer.Option(help=f"Which backend: {listed('generators')}.")
    ] = "latent",
    embedder: Annotated[
        str,
        typer.Option(
            help=f"Which vectors to draw, where the backend makes vectors: "
            f"{listed('embedders')}."
        ),
    ] = DEFAULT_EMBEDDER,
    seed: Seed = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Option of the generator."),
    ] = None,
    critic: Annotated[
        list[str] | None,
        typer.Option(
            help="A further critic that judges; can be repeated. The standard four "
            f"always do. Installed: {listed('critics')}."
        ),
    ] = None,
    go_on: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the newest interrupted fill of it; with other options, "
            "with the newest that was asked for so.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Generate, assess, generate again; keep what passes."""
    with opened(path) as project:
        # Before anything heavy is loaded: a wrong class is said at once.
        name, critics = project.taxonomy.find(code).code, tuple(critic or ())
        ask = Ask(name, count, generator, seed, read_settings(settings or []), critics)
        if makes_vectors(generator):
            _refuse_settings([*ask.options, *critics], generator, go_on)
            _fill_vectors(project, ask, embedder, as_json)
            return
        given = _given(context)
        if "embedder" in given:
            raise InputError(
                f"Generator '{generator}' makes cells, and --embedder {embedder} says "
                "in which space vectors are drawn. Leave it out."
            )
        from napari_cytosynth.workflows.synthesize import plan

        job = _interrupted(project, ask, given) if go_on else plan(project, ask)
        report = _filled(project, job, name)
    document = _document(report, int(job.data["seed"]))
    show(document, describe(report, path), as_json)


def read_settings(settings: list[str]) -> dict[str, Any]:
    """Return options by name; values are JSON where they can be, else words.

    Raises
    ------
    InputError
        If one is not of the form NAME=VALUE.
    """
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise InputError(
                f"'--set {setting}' is no option with a value. Write --set NAME=VALUE, "
                "such as --set steps=6."
            )
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def _given(context: typer.Context) -> frozenset[str]:
    """Return the names of the options that stand in the command."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(n for n, s in sources.items() if s and s.name == "COMMANDLINE")


def _refuse_settings(given: list[str], generator: str, go_on: bool) -> None:
    if given or go_on:
        named = ", ".join(sorted(given)) or "--resume"
        raise InputError(
            f"Generator '{generator}' makes vectors and takes no --set, no --critic "
            f"and no --resume: {named}. Leave it out, or fill with a generator "
            "that makes cells, such as 'latent'."
        )


def _filled(project: Project, job: Job, code: str) -> FillReport:
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.synthesize import resume

    try:
        return drive(resume(project, InlineCompute(), job), f"fill {code}")
    except KeyboardInterrupt:
        # Ctrl-C or SIGTERM: there is no Cancel here, and the same command goes on.
        for row in project.jobs(JobState.CANCELLED):
            if row.key == job.key:
                project.put_job(replace(row, state=JobState.RUNNING))
        raise


def _fill_vectors(project: Project, ask: Ask, embedder: str, as_json: bool) -> None:
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.drawn import Drawn
    from napari_cytosynth.workflows.embed import embed_cells
    from napari_cytosynth.workflows.vectors import fill_vectors

    compute = InlineCompute()
    key = drive(embed_cells(project, compute, embedder=embedder), "embed")
    task = fill_vectors(project, compute, ask, key)
    tally = drive(task, f"fill {ask.code}")
    document = {
        "class": ask.code,
        "wanted": tally.wanted,
        "accepted": tally.accepted,
        "drawn": tally.drawn,
        "acceptance": tally.accepted / tally.drawn if tally.drawn else None,
        "refused": dict(tally.refused),
        "verified": tally.verified,
        "seed": ask.seed,
        "near": list(tally.near),
    }
    told = f"{Drawn(tallies={ask.code: tally})}. They have no picture, and train "
    told += "the head if the use gate opens."
    if tally.place:
        told += f" They lie {tally.place}."
    show(document, [told], as_json)


def _interrupted(project: Project, ask: Ask, given: frozenset[str]) -> Job:
    """Return the newest interrupted job that was asked for as the command says."""
    from napari_cytosynth.workflows.synthesize import resumable_jobs

    jobs = resumable_jobs(project, ask.code)
    if not jobs:
        raise InputError(
            f"No fill of {ask.code} was interrupted, so there is none to go on with. "
            "Leave --resume out for a new one."
        )
    said = [_OPTIONS[name] for name in given if name in _OPTIONS]
    alike = [job for job in jobs if ask.agrees(job, said)]
    if not alike:
        newest = jobs[-1].data
        told = ", ".join(f"{n} {newest[n]}" for n in ("count", "generator", "seed"))
        raise InputError(
            f"No interrupted fill of {ask.code} was asked for so; the newest has "
            f"{told}. Leave the other options out to go on with it, or leave --resume "
            "out for a new one."
        )
    return alike[-1]


def _document(report: FillReport, seed: int) -> dict[str, Any]:
    return {
        "class": report.code,
        "wanted": report.asked,
        "accepted": report.accepted,
        "drawn": report.drawn,
        "acceptance": report.acceptance if report.drawn else None,
        "refused": dict(report.reasons),
        "verified": report.verified,
        "seed": seed,
        "stain": dict(report.stain),
    }


def describe(report: FillReport, path: Path) -> list[str]:
    """Say how a fill ended, line by line, and how to go on."""
    made = f"{report.accepted} of {report.asked} {report.code} passed the gate"
    said = [f"{made} ({report.drawn} drawn)."]
    if report.accepted:
        said[0] += " They wait for your verdict."
    review = f"cytosynth review {path}"
    if report.reasons:
        refused = ", ".join(f"{c} {n}" for c, n in sorted(report.reasons.items()))
        most = max(report.reasons, key=lambda critic: report.reasons[critic])
        said.append(f"Refused by {refused}; why: {review} --critic {most}")
    if not report.accepted:
        return said
    if not report.verified:
        said.append(
            "They are unverified: too few real cells are labelled to tell "
            f"{report.code} from other classes, so the gate passed what is no copy."
        )
    if report.stain.get("cells"):
        light, red, yellow = report.stain["moved"]
        said.append(
            f"Their colour was moved to that of {report.stain['cells']} real cells: "
            f"L {light:+.1f}, a {red:+.1f}, b {yellow:+.1f} (CIE Lab)."
        )
    return [*said, f"Review them: {review}"]
