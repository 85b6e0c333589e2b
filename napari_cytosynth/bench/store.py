"""Kills a working project again and again; times keys on a large one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_cytosynth.bench.crash import run_rounds
from napari_cytosynth.bench.key_latency import key_latency


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[dict[str, Any]]:
    """Kill a working process again and again, and time keys on a large project.

    Parameters
    ----------
    data : Path
        Not used.
    seeds : int
        Seed of the moments at which the process is killed.
    quick : bool
        10 kills and 10,000 cells instead of 100 and 100,000.

    Returns
    -------
    list of dict
        ``lost``, ``acknowledged``, ``not_ok`` and ``reopen`` of the kills; ``key_p95``
        (95th percentile, size = cells) of label, undo, redo and skip.
    """
    return [*_kills(10 if quick else 100, seeds), *_keys(10_000 if quick else 100_000)]


def _kills(rounds: int, seed: int) -> list[dict[str, Any]]:
    done = run_rounds(rounds, seed)
    reopen = float(np.median([r.reopen_ms for r in done])) / 1000
    figures = {
        "lost": (sum(r.lost for r in done), "things"),
        "acknowledged": (sum(r.labels for r in done), "labels"),
        "not_ok": (sum(r.integrity != "ok" for r in done), "rounds"),
        "reopen": (reopen, "s"),
    }
    return [
        {"case": "kill -9", "metric": metric, "unit": unit, "value": value, "n": rounds}
        for metric, (value, unit) in figures.items()
    ]


def _keys(cells: int) -> list[dict[str, Any]]:
    return [
        {
            "case": f"key: {row.action}",
            "metric": "key_p95",
            "unit": "s",
            "value": row.p95 / 1000,
            "size": row.cells,
        }
        for row in key_latency(cells, 100)
    ]
