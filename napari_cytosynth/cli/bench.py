"""Measure this program on this machine.

Example: cytosynth bench detect --data shared/data --json
"""

from __future__ import annotations

import os
import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

import napari_cytosynth
from napari_cytosynth.cli.output import Json, show, table
from napari_cytosynth.core.errors import InputError

NAMES = (
    "detect",
    "quality",
    "scale",
    "embed",
    "rank",
    "loop",
    "generate",
    "synthesis",
    "labels",
    "rare",
    "evidence",
    "store",
)
"""Benchmarks that the design names; those not built yet say so."""

COLUMNS = (
    "case",
    "peer",
    "dataset",
    "embedder",
    "class",
    "shots",
    "size",
    "metric",
    "unit",
    "value",
    "low",
    "high",
    "n",
)
"""Columns of every row; ``floor`` and ``ratio`` come after them for speeds."""


def run(
    name: Annotated[str, typer.Argument(help=" ".join(NAMES))],
    data: Annotated[
        Path | None,
        typer.Option(help="Developer data; CYTOSYNTH_DATA by default."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Within 3 minutes.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder for finished parts; a run cut short goes on there."),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(help="Of rare: starter weights that never saw the classes."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run one benchmark and print its rows."""
    if name not in NAMES:
        raise typer.BadParameter(f"'{name}'; choose one of {', '.join(NAMES)}.")
    if find_spec(f"napari_cytosynth.bench.{name}") is None:
        raise InputError(
            f"Benchmark '{name}' is not built yet. It is named in the design and comes "
            "with a later release; run another."
        )
    module = import_module(f"napari_cytosynth.bench.{name}")
    folder = data or Path(os.environ.get("CYTOSYNTH_DATA", "../shared/data"))
    given = {"keep": keep, "encoder": encoder}
    more = {option: value for option, value in given.items() if value is not None}
    if foreign := sorted(more.keys() - signature(module.run).parameters.keys()):
        raise typer.BadParameter(f"'{name}' takes no --{foreign[0]}; leave it out.")
    found = module.run(folder, seeds=seeds, quick=quick, **more)
    rows = [_filled(row) for row in found]
    document = {
        "name": name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": _versions(),
        "seeds": seeds,
        "rows": rows,
    }
    used = [
        c for c in (*COLUMNS, "floor", "ratio") if any(r[c] is not None for r in rows)
    ]
    lines = table(used, [[_short(row[c]) for c in used] for row in rows])
    show(document, lines, as_json)


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {c: row.get(c) for c in (*COLUMNS, "floor", "ratio")}


def _short(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


def _versions() -> dict[str, str]:
    found = {"napari-cytosynth": napari_cytosynth.__version__}
    for package in ("numpy", "scikit-image", "scikit-learn", "torch", "zarr"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found | {"python": platform.python_version()}
