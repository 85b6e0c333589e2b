"""Says in one sentence whether synthetic cells helped, and does not flatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_cytosynth.core.splits import MIN_AUDIT, NOT_YET
from napari_cytosynth.evidence.record import Difference
from napari_cytosynth.metrics.intervals import Interval

NONE, SYNTHETIC, EMBEDDING = "none", "synthetic", "embedding"
"""Cases beside the controls: real cells alone, with accepted cells, with vectors."""

_WORDS = {2: "two", 10: "ten"}

ALPHA = 0.05
"""Chance of calling any class helped that was not, among all that were filled."""

Table = Mapping[tuple[str, str, str], Difference]
"""(metric, class or empty, control) to the difference."""


def control_name(key: str) -> str:
    """Return a control's name for a person: ``"class weights"``."""
    return "real cells alone" if key == NONE else key.replace("_", " ")


def verdict_of(
    counts: Mapping[str, Mapping[str, int]], differences: Sequence[Difference]
) -> str:
    """Return the verdict.

    A class has benefited where its recall rose against every control with an interval
    above 0 and a p, corrected over the classes, of 0.05 at most, and macro-F1 did not
    fall against the best one. Each figure is told against the control that comes
    nearest: the best of them, judged on the same audit cells.

    Parameters
    ----------
    counts : mapping of code to mapping
        ``real``, ``synthetic`` and ``audit`` cells and ``vectors`` of each class.
    differences : sequence of Difference
        With synthetic cells, and with vectors, minus each control.
    """
    if sum(n["real"] > 0 for n in counts.values()) < 2:
        return f"{NOT_YET}: real training cells of two classes are needed"
    filled = [code for code, n in counts.items() if n["synthetic"]]
    ready = [code for code in filled if counts[code]["audit"] >= MIN_AUDIT]
    sentences = [_judge(ready, _table(differences, SYNTHETIC))] if ready else []
    sentences += _waiting([c for c in filled if c not in ready], counts)
    if not filled:
        sentences.append(
            f"{NOT_YET}: no synthetic cell was accepted, so there is nothing to compare"
        )
    return "; ".join([*sentences, *_of_vectors(counts, differences)])


def _of_vectors(
    counts: Mapping[str, Mapping[str, int]], differences: Sequence[Difference]
) -> list[str]:
    """Judge the vectors of the ``embedding`` generator, where there are any."""
    given = [code for code, n in counts.items() if n.get("vectors", 0)]
    ready = [code for code in given if counts[code]["audit"] >= MIN_AUDIT]
    if not ready:
        return [f"synthetic vectors: {NOT_YET}"] if given else []
    return [f"synthetic vectors: {_judge(ready, _table(differences, EMBEDDING))}"]


def _table(differences: Sequence[Difference], case: str) -> Table:
    return {(d.metric, d.code, d.other): d for d in differences if d.case == case}


def _best(table: Table, metric: str, code: str = "") -> str:
    """Return the control that did best; it leaves the smallest difference."""
    others = [key for key in table if key[:2] == (metric, code)]
    return min(others, key=lambda key: table[key].interval.value)[2]


def _judge(ready: Sequence[str], table: Table) -> str:
    """Return the verdict on the classes whose recall can be measured."""
    rival = _best(table, "macro-F1")
    overall = table["macro-F1", "", rival].interval
    if overall.high < 0:
        return f"it did harm: {_signed(overall)} macro-F1 against {control_name(rival)}"
    helped = [code for code in ready if _helped(table, code)]
    if helped and overall.value < 0:
        return (
            f"no benefit found: {_gain(table, helped[0])}, but {_signed(overall)} "
            f"macro-F1 against {control_name(rival)}"
        )
    if helped:
        gains = ", ".join(_gain(table, code) for code in helped)
        return "; ".join(
            [gains, *_no_better(table, [c for c in ready if c not in helped])]
        )
    best = max(ready, key=lambda code: _nearest(table, code).value)
    return f"no benefit found: {_gain(table, best)}"


def _nearest(table: Table, code: str) -> Interval:
    """Return the gain in recall against the control that comes nearest."""
    return table["recall", code, _best(table, "recall", code)].interval


def _helped(table: Table, code: str) -> bool:
    rivals = [found for key, found in table.items() if key[:2] == ("recall", code)]
    return all(
        found.interval.low > 0 and (found.p is None or found.p <= ALPHA)
        for found in rivals
    )


def _no_better(table: Table, codes: Sequence[str]) -> list[str]:
    rivals = {code: control_name(_best(table, "recall", code)) for code in codes}
    return [f"no better than {rival} for {code}" for code, rival in rivals.items()]


def _gain(table: Table, code: str) -> str:
    rival = _best(table, "recall", code)
    told = _signed(_nearest(table, code), f"recall of {code} ")
    return f"{told} against {control_name(rival)}"


def _signed(interval: Interval, of: str = "") -> str:
    return f"{interval.value:+z.2f} {of}[{interval.low:+z.2f}, {interval.high:+z.2f}]"


def _waiting(
    codes: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> list[str]:
    if not codes:
        return []
    told = ", ".join(_audited(counts[code]["audit"], code) for code in codes)
    needed = _WORDS.get(MIN_AUDIT, str(MIN_AUDIT))
    return [f"{NOT_YET}: {told}; {needed} are needed"]


def _audited(n: int, code: str) -> str:
    return f"{n} audit {'cell' if n == 1 else 'cells'} of {code}"
