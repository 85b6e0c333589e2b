"""What a study found, as plain values that survive a round trip through JSON.

A study repeats one of the published experiments on synthetic cells, on the user's own
labelled real cells; see :mod:`napari_cytosynth.workflows.studies`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import napari_cytosynth
from napari_cytosynth.core.journal import now
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.evidence.record import interval_from_json, interval_to_json
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.multiplicity import holm, two_sided
from napari_cytosynth.metrics.scores import pooled, resampled

Floats = npt.NDArray[np.float64]

Key = tuple[str, str, str, str]
"""Case, setting, metric and class of a figure; setting and class may be empty."""

Figures = Mapping[Key, Floats]
"""Of one run: each figure as it is, then under resamples of the test cells."""

NO_INTERVAL = "every resample says the same: no interval"

UNKNOWN_PATIENTS = (
    "whether one patient's cells stand on both sides is unknown: every cell is its own "
    "group"
)


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One figure.

    Parameters
    ----------
    case : str
        What was trained on, or judged.
    setting : str
        Synthetic (or further real) cells for each real one of a rare class, or who
        judges; empty where neither applies.
    metric, code : str
        What was measured, and of which class; empty for all.
    interval : Interval
        Mean and 95 % interval by a two-level bootstrap; its ``n`` is the runs. Its ends
        are NaN where every resample says the same, as of ten hits in ten.
    p : float or None
        Of a gain: two-sided bootstrap p, corrected by Holm over the classes.
    """

    case: str
    setting: str
    metric: str
    code: str
    interval: Interval
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A finished study.

    Parameters
    ----------
    name : str
        ``"ratio"``, ``"protocol"``, ``"regenerate"`` or ``"time"``.
    rows : tuple of StudyRow
        Figures.
    said : tuple of str
        What they say, in sentences.
    caveats : tuple of str
        What limits them.
    not_run : tuple of str
        What was left out, and why.
    plan : mapping
        Options, ``seeds`` among them; also ``embedder``, ``cells`` (real ones of each
        class) and ``cut`` (the classes that were cut down to the shots).
    data : str
        SHA-256 of the cells.
    seconds : float
        Wall time of all runs, kept ones included.
    """

    name: str
    rows: tuple[StudyRow, ...]
    said: tuple[str, ...]
    caveats: tuple[str, ...]
    not_run: tuple[str, ...]
    plan: Mapping[str, Any]
    data: str
    seconds: float
    version: str = field(default=napari_cytosynth.__version__)
    time: str = field(default_factory=now)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        rows = [
            {**asdict(row), "interval": interval_to_json(row.interval)}
            for row in self.rows
        ]
        return {**asdict(self), "rows": rows}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Study:
        """Return what :meth:`to_json` wrote."""
        rows = tuple(
            StudyRow(**{**row, "interval": interval_from_json(row["interval"])})
            for row in data["rows"]
        )
        told = {k: tuple(data[k]) for k in ("said", "caveats", "not_run")}
        return cls(**{**data, **told, "rows": rows})

    def find(
        self, case: str, metric: str, setting: str = "", code: str = ""
    ) -> Interval:
        """Return one figure.

        Raises
        ------
        KeyError
            If it is not there.
        """
        for row in self.rows:
            if (row.case, row.setting, row.metric, row.code) == (
                case,
                setting,
                metric,
                code,
            ):
                return row.interval
        raise KeyError((case, setting, metric, code))


def span(found: Interval, sign: str = "") -> str:
    """Return a figure and its interval for a sentence; ``sign`` "+" for a gain."""
    if np.isnan(found.low):
        return f"{found.value:{sign}.3f} [{NO_INTERVAL}]"
    return f"{found.value:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


def hash_of(cells: LabelledCells) -> str:
    """Return the SHA-256 of pictures, classes and groups, in their order."""
    found = hashlib.sha256()
    for part in ("\n".join(cells.codes), "\n".join(cells.groups.tolist())):
        found.update(part.encode() + b"\0")
    found.update(np.ascontiguousarray(cells.crops).tobytes())
    return found.hexdigest()


def rows_of(runs: Sequence[Figures]) -> tuple[StudyRow, ...]:
    """Join the runs of a study: means, intervals, and p of the gains.

    Parameters
    ----------
    runs : sequence of Figures
        One a seed. A figure that some run lacks rests on the others.
    """
    keys = dict.fromkeys(key for run in runs for key in run)
    stacked = {k: np.stack([run[k] for run in runs if k in run]) for k in keys}
    corrected = _holm(stacked)
    return tuple(
        StudyRow(*key, _doubted(pooled(values)), corrected.get(key))
        for key, values in stacked.items()
        if not np.isnan(values[:, 0]).all()
    )


def _doubted(found: Interval) -> Interval:
    """Take the ends away where all resamples agree: they cannot see the doubt left."""
    if found.low < found.high:
        return found
    return replace(found, low=float("nan"), high=float("nan"))


def _holm(stacked: Mapping[Key, Floats]) -> dict[Key, float]:
    """Return p of each gain of a class, corrected over the classes of its case."""
    families: dict[tuple[str, str, str], list[Key]] = {}
    for case, setting, metric, code in stacked:
        if metric.endswith("gain") and code:
            families.setdefault((case, setting, metric), []).append(
                (case, setting, metric, code)
            )
    found: dict[Key, float] = {}
    for keys in families.values():
        raw = np.array([two_sided(resampled(stacked[key])) for key in keys])
        found |= zip(keys, holm(raw).tolist(), strict=True)
    return found


def joined_caveats(told: Iterable[str]) -> tuple[str, ...]:
    """Return each caveat once."""
    return tuple(dict.fromkeys(told))
