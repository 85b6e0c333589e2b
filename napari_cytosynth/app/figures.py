"""Turns an evaluation into what the class dock and the *Evidence* tab show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_cytosynth.app.panels import Curve, Figure
from napari_cytosynth.metrics.intervals import Interval

if TYPE_CHECKING:
    from napari_cytosynth.workflows.summary import ClassSummary


def class_figures(
    summary: Sequence[ClassSummary],
) -> Mapping[str, tuple[Figure, Figure]]:
    """Return (precision, recall) of each class, as the audit cells tell."""
    return {
        row.code: (_figure(row.precision, row.audit), _figure(row.recall, row.audit))
        for row in summary
    }


def _figure(interval: Interval | None, n: int) -> Figure:
    if interval is None:
        return Figure(n=n)
    return Figure(interval.value, interval.low, interval.high, interval.n)


def caveats(evidence: Any) -> tuple[str, ...]:
    """Return what limits the answer."""
    return ()


def curves(evidence: Any) -> tuple[Curve, ...]:
    """Return the plots."""
    return ()


def verdict(evidence: Any) -> str:
    """Say whether synthesis helped."""
    return "Not evaluated yet." if evidence is None else ""
