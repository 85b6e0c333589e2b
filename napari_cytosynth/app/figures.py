"""Turns figures of audit cells into what the class dock and *Evidence* show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from napari_cytosynth.app.panels import Curve, Figure
from napari_cytosynth.metrics.intervals import Interval

if TYPE_CHECKING:
    from napari_cytosynth.evidence.inspection import Inspection
    from napari_cytosynth.evidence.record import Evidence
    from napari_cytosynth.evidence.tabulated import Line
    from napari_cytosynth.workflows.summary import ClassSummary

NOT_EVALUATED = "Nothing was evaluated yet, so whether synthesis helps is not known."


def class_figures(
    summary: Sequence[ClassSummary],
) -> Mapping[str, tuple[Figure, Figure]]:
    """Return (precision, recall) of each class, as the audit cells tell."""
    return {
        row.code: (figure(row.precision, row.audit), figure(row.recall, row.audit))
        for row in summary
    }


def figure(interval: Interval | None, n: int = 0) -> Figure:
    """Return a figure; without a finite interval it cannot be estimated yet."""
    if interval is None:
        return Figure(n=n)
    ends = (interval.value, interval.low, interval.high)
    return Figure(*ends, interval.n) if all(map(isfinite, ends)) else Figure(n=n)


def curves(evidence: Evidence | None) -> tuple[Curve, ...]:
    """Return the plots: over all classes, then the recall of each filled class."""
    if evidence is None or not evidence.cases:
        return ()
    cases = tuple(case.title for case in evidence.cases)
    macro = tuple(figure(case.macro_f1) for case in evidence.cases)
    plots = [Curve(macro_title(evidence), cases, macro)]
    for code, n in evidence.counts.items():
        drawn = n.get("vectors", 0) and code in evidence.covered
        if n.get("synthetic", 0) or drawn:
            recall = tuple(
                figure(case.classes[code].recall, n.get("audit", 0))
                for case in evidence.cases
            )
            plots.append(Curve(f"Recall of {code} on audit cells", cases, recall))
    return tuple(plots)


def inspected(inspection: Inspection | None) -> tuple[Line, ...]:
    """Return the figures of fidelity and memorisation, each with its n."""
    from napari_cytosynth.evidence.tabulated import lines_of

    return () if inspection is None else lines_of(inspection)


def macro_title(evidence: Evidence) -> str:
    """Name the figure by the classes that it covers: ten audit cells or more."""
    covered, classes = evidence.covered, len(evidence.counts)
    if len(covered) == classes or not covered:
        return "Macro-F1 on audit cells"
    which = f"{len(covered)} of {classes} classes: {', '.join(covered)}"
    return f"Macro-F1 on audit cells, over {which}"


def verdict(evidence: Evidence | None) -> str:
    """Say whether synthesis helped."""
    return NOT_EVALUATED if evidence is None else evidence.sentence


def caveats(evidence: Evidence | None) -> tuple[str, ...]:
    """Return what limits the answer."""
    return () if evidence is None else evidence.caveats
