"""``evaluate --study``: published experiments again, on labelled real cells."""

from __future__ import annotations

import os
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cytosynth.cli.output import counted, drive, show, table
from napari_cytosynth.cli.project import opened
from napari_cytosynth.core.errors import InputError

if TYPE_CHECKING:
    from napari_cytosynth.evidence.study import Study, StudyRow
    from napari_cytosynth.workflows.studies.plan import Material, Plan


def study(
    source: Path,
    plan: Plan,
    embedder: str,
    *,
    mpp: float | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Do a study on a project or a folder of single cells, and show it.

    Parameters
    ----------
    source : Path
        Either.
    plan : Plan
        What is done.
    embedder : str
        Registry name.
    mpp : float or None
        Micrometres a pixel of the pictures in a folder.
    keep : Path or None
        Folder of finished runs; by default the program's cache.
    """
    from platformdirs import user_cache_path

    from napari_cytosynth.workflows.studies.running import study as studied

    material = _material(source, embedder, mpp)
    kept = keep or user_cache_path("napari-cytosynth") / "studies"
    jobs = min(os.cpu_count() or 1, plan.seeds)
    found = drive(studied(material, plan, kept, jobs=jobs), "study")
    show(found.to_json(), _lines(found), as_json)


def refuse_report_and_seed(out: Path | None, seed: int) -> None:
    """Refuse what a study would not heed.

    Raises
    ------
    InputError
        If a report was asked for, or a seed other than 0.
    """
    if out is not None:
        raise InputError(
            "A report was asked of a study. Reports are of projects; take --out or "
            "--study away, or keep the study with --json."
        )
    if seed:
        raise InputError(
            f"A study was asked with --seed {seed}. Its runs have the seeds 0 to "
            "--seeds less one; leave --seed out."
        )


def _material(source: Path, embedder: str, mpp: float | None) -> Material:
    from napari_cytosynth.worker import InlineCompute
    from napari_cytosynth.workflows.studies.material import from_folder, from_project

    compute = InlineCompute()
    if source.is_dir() and source.suffix != ".cytosynth":
        return drive(from_folder(source, embedder, compute, mpp=mpp), "read")
    with opened(source) as project:
        return drive(from_project(project, embedder, compute), "gather")


def _lines(found: Study) -> list[str]:
    columns = ("case", "setting", "metric", "class", "value", "95 %", "p")
    lines = table(columns, [_cells(row) for row in found.rows])
    lines += [*found.said, *(f"limit: {c}" for c in found.caveats)]
    lines += [f"not run: {reason}" for reason in found.not_run]
    plan = found.plan
    runs = counted(plan["seeds"], "run")
    return [
        *lines,
        f"{sum(plan['cells'].values())} cells of {len(plan['cells'])} classes; "
        f"{', '.join(plan['cut'])} cut to {plan['shots']} training cells each; "
        f"embedder {plan['embedder']}",
        f"{runs}, {found.seconds:.0f} s; data {found.data[:12]}",
    ]


def _cells(row: StudyRow) -> tuple[str, ...]:
    value = row.interval
    span = f"{value.low:.3f} to {value.high:.3f}"
    if isnan(value.low):
        span = "-"  # every resample says the same: that is no certainty
    p = "" if row.p is None else f"{row.p:.3f}"
    return row.case, row.setting, row.metric, row.code, f"{value.value:.3f}", span, p
