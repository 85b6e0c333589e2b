"""What an evaluation found, as plain values that survive a round trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from math import isfinite
from typing import Any

import napari_cytosynth
from napari_cytosynth.core.journal import Event, EventKind, Journal, now
from napari_cytosynth.core.splits import MIN_AUDIT
from napari_cytosynth.metrics.intervals import Interval

_LABELS = frozenset(
    {
        EventKind.LABEL,
        EventKind.CELL_REMOVED,
        EventKind.SPLIT,
        EventKind.CLASS_MERGED,
    }
)
"""What changes the labels that an evaluation rests on."""

NOTICE = "Research use only; not a medical device."


@dataclass(frozen=True, slots=True)
class ClassResult:
    """Precision and recall of one class on audit cells; None: cannot be estimated."""

    precision: Interval | None
    recall: Interval | None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one head did on the audit cells.

    Parameters
    ----------
    case, title : str
        ``"none"``, the key of a control, ``"synthetic"`` or ``"embedding"``; and what
        it was trained on.
    macro_f1 : Interval or None
        Over :attr:`Evidence.covered`.
    classes : mapping of code to ClassResult
        Every class of the taxonomy.
    confusion : tuple of tuple of float
        Audit cells of each class, by the class that they were taken for; means over the
        runs, both in the order of ``classes``, and last those taken for none of them.
        Empty where an older version evaluated.
    """

    case: str
    title: str
    macro_f1: Interval | None
    classes: Mapping[str, ClassResult]
    confusion: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference: a synthetic case minus a control, on the same audit cells.

    Parameters
    ----------
    metric : str
        ``"macro-F1"`` or ``"recall"``.
    code : str
        Class; empty for figures over all classes.
    other : str
        The control that it is compared with.
    interval : Interval
        The difference and its interval: of 95 %, or of a class that the case adds to,
        of the level at which Holm's rule judges it.
    case : str
        ``"synthetic"`` or ``"embedding"``.
    p : float or None
        Two-sided bootstrap p, the largest over the controls, corrected by Holm over the
        classes that the case adds to; the same beside each control. None for what is no
        such class, and where an older version evaluated.
    """

    metric: str
    code: str
    other: str
    interval: Interval
    case: str = "synthetic"
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answer to "did it help?".

    Parameters
    ----------
    verdict : str
        One sentence for a person.
    caveats : tuple of str
        What limits every figure; empty where nothing does.
    cases : tuple of CaseResult
        The heads compared; empty where nothing can be estimated yet.
    differences : tuple of Difference
        With synthetic cells, and with vectors, minus each control.
    counts : mapping of code to mapping
        ``real``, ``synthetic`` and ``audit`` cells of each class, and the ``vectors``
        that the ``embedding`` generator drew for it, as a mean over the runs.
    seeds : tuple of int
        Runs of each case.
    seed : int
        Makes it repeatable.
    embedder : str
        Fingerprint of the embedder.
    event : int or None
        Last event of the journal that it takes into account; None: not known.
    """

    verdict: str
    caveats: tuple[str, ...]
    cases: tuple[CaseResult, ...]
    differences: tuple[Difference, ...]
    counts: Mapping[str, Mapping[str, int]]
    seeds: tuple[int, ...]
    seed: int
    embedder: str
    version: str = field(default=napari_cytosynth.__version__)
    time: str = field(default_factory=now)
    event: int | None = None

    @property
    def caveat(self) -> str:
        """All caveats in one line."""
        return "; ".join(self.caveats)

    @property
    def sentence(self) -> str:
        """The verdict as it stands on a page: with a capital, and a full stop."""
        return f"{self.verdict[:1].upper()}{self.verdict[1:]}."

    @property
    def covered(self) -> tuple[str, ...]:
        """Classes with ten audit cells or more, over which macro-F1 is a mean."""
        return tuple(c for c, n in self.counts.items() if n["audit"] >= MIN_AUDIT)

    def outdated(self, journal: Journal) -> str:
        """Say that labels or verdicts were given since; empty where none were."""
        return outdated_since(self.event, journal)

    def case(self, name: str) -> CaseResult | None:
        """Return the result of a case, or None where nothing was estimated."""
        return next((c for c in self.cases if c.case == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "verdict": self.verdict,
            "caveats": list(self.caveats),
            "notice": NOTICE,
            "cases": [_case_to_json(c) for c in self.cases],
            "differences": [
                {
                    "case": d.case,
                    "metric": d.metric,
                    "code": d.code,
                    "other": d.other,
                    **interval_to_json(d.interval),
                    "p": d.p,
                }
                for d in self.differences
            ],
            "counts": {code: dict(n) for code, n in self.counts.items()},
            "seeds": list(self.seeds),
            "seed": self.seed,
            "embedder": self.embedder,
            "version": self.version,
            "time": self.time,
            "event": self.event,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evidence:
        """Build an evidence from what :meth:`to_json` wrote."""
        return cls(
            verdict=value["verdict"],
            caveats=tuple(value["caveats"]),
            cases=tuple(_case_from_json(c) for c in value["cases"]),
            differences=tuple(map(_difference_from_json, value["differences"])),
            counts=value["counts"],
            seeds=tuple(value["seeds"]),
            seed=value["seed"],
            embedder=value["embedder"],
            version=value["version"],
            time=value["time"],
            event=value.get("event"),
        )


def outdated_since(event: int | None, journal: Journal) -> str:
    """Say that labels or verdicts were given since an event; empty where none were.

    Parameters
    ----------
    event : int or None
        Last event that was taken into account; None: not known.
    journal : Journal
        Of the project.
    """
    if event is None:
        return ""
    since = takewhile(lambda e: e.id > event, reversed(journal.events()))
    kinds = [_subject(e, journal) for e in since]
    labels = sum(kind in _LABELS for kind in kinds)
    verdicts = kinds.count(EventKind.VERDICT)
    told = [_counted(labels, "label"), _counted(verdicts, "verdict")]
    what = " and ".join(words for words in told if words)
    return f"older than your last {what}; evaluate again" if what else ""


def _subject(event: Event, journal: Journal) -> EventKind:
    """Return what was done, undone or redone."""
    if event.kind in (EventKind.UNDO, EventKind.REDO):
        return journal.event(int(event.data["of"])).kind
    return event.kind


def _counted(n: int, word: str) -> str:
    return f"{n} {word}s" if n > 1 else word * n


def _case_to_json(case: CaseResult) -> dict[str, Any]:
    return {
        "case": case.case,
        "title": case.title,
        "macro_f1": maybe_to_json(case.macro_f1),
        "classes": {
            code: {
                "precision": maybe_to_json(result.precision),
                "recall": maybe_to_json(result.recall),
            }
            for code, result in case.classes.items()
        },
        "confusion": [list(row) for row in case.confusion],
    }


def _case_from_json(value: Mapping[str, Any]) -> CaseResult:
    classes = {
        code: ClassResult(
            maybe_from_json(result["precision"]), maybe_from_json(result["recall"])
        )
        for code, result in value["classes"].items()
    }
    macro = maybe_from_json(value["macro_f1"])
    confusion = tuple(map(tuple, value.get("confusion", ())))
    return CaseResult(value["case"], value["title"], macro, classes, confusion)


def _difference_from_json(value: Mapping[str, Any]) -> Difference:
    interval = interval_from_json(value)
    case = value.get("case", "synthetic")
    what = value["metric"], value["code"], value["other"]
    return Difference(*what, interval, case, value.get("p"))


def interval_to_json(interval: Interval) -> dict[str, Any]:
    """JSON knows no NaN: what is undefined is null."""
    numbers = {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
    }
    kept = {k: v if isfinite(v) else None for k, v in numbers.items()}
    return {**kept, "n": interval.n}


def interval_from_json(value: Mapping[str, Any]) -> Interval:
    """Build an interval from what :func:`interval_to_json` wrote."""
    middle, low, high = (
        float("nan") if value[k] is None else float(value[k])
        for k in ("value", "low", "high")
    )
    return Interval(middle, low, high, int(value["n"]))


def maybe_to_json(interval: Interval | None) -> dict[str, Any] | None:
    """Return an interval as JSON, or null where there is none."""
    return None if interval is None else interval_to_json(interval)


def maybe_from_json(value: Mapping[str, Any] | None) -> Interval | None:
    """Build what :func:`maybe_to_json` wrote."""
    return None if value is None else interval_from_json(value)
