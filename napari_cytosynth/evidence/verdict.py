"""Says in one sentence whether synthetic cells helped, and does not flatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_cytosynth.evidence.record import MIN_AUDIT, Difference
from napari_cytosynth.metrics.intervals import Interval

_CONTROLS = ("real", "duplicates")
_WORDS = {2: "two", 10: "ten"}


def verdict_of(
    counts: Mapping[str, Mapping[str, int]], differences: Sequence[Difference]
) -> str:
    """Return the verdict.

    A class has benefited where its recall rose against the real cells alone and against
    repeats of them, both with an interval above 0, and macro-F1 fell against neither.

    Parameters
    ----------
    counts : mapping of code to mapping
        ``real``, ``synthetic`` and ``audit`` cells of each class.
    differences : sequence of Difference
        With synthetic cells, minus each control.
    """
    filled = [code for code, n in counts.items() if n["synthetic"]]
    if not filled:
        return (
            "cannot be estimated yet: no synthetic cell was accepted, so there is "
            "nothing to compare"
        )
    if sum(n["real"] > 0 for n in counts.values()) < 2:
        return "cannot be estimated yet: real training cells of two classes are needed"
    ready = [code for code in filled if counts[code]["audit"] >= MIN_AUDIT]
    sentences = [_judge(ready, differences)] if ready else []
    sentences += _waiting([c for c in filled if c not in ready], counts)
    return "; ".join(sentences)


def _judge(ready: Sequence[str], differences: Sequence[Difference]) -> str:
    """Return the verdict on the classes whose recall can be measured."""
    table = {(d.metric, d.code, d.other): d.interval for d in differences}
    overall = table["macro-F1", "", "real"]
    if overall.high < 0:
        return f"it did harm: {_signed(overall)} macro-F1 against real cells alone"
    helped = [code for code in ready if _helped(table, code)]
    fallen = min((table["macro-F1", "", c] for c in _CONTROLS), key=lambda d: d.value)
    if helped and fallen.value < 0:
        paid = _gain(table["recall", helped[0], "real"], helped[0])
        return f"no benefit found: {paid}, but {_signed(fallen)} macro-F1"
    if helped:
        gains = [_gain(table["recall", code, "real"], code) for code in helped]
        return ", ".join(gains)
    best = max(ready, key=lambda code: table["recall", code, "real"].value)
    return f"no benefit found: {_gain(table['recall', best, 'real'], best)}"


def _helped(table: Mapping[tuple[str, str, str], Interval], code: str) -> bool:
    return all(table["recall", code, other].low > 0 for other in _CONTROLS)


def _gain(interval: Interval, code: str) -> str:
    return f"{interval.value:+.2f} recall of {code} {_range(interval)}"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.2f} {_range(interval)}"


def _range(interval: Interval) -> str:
    return f"[{interval.low:+.2f}, {interval.high:+.2f}]"


def _waiting(
    codes: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> list[str]:
    if not codes:
        return []
    told = ", ".join(_audited(counts[code]["audit"], code) for code in codes)
    needed = _WORDS.get(MIN_AUDIT, str(MIN_AUDIT))
    return [f"cannot be estimated yet: {told}; {needed} are needed"]


def _audited(n: int, code: str) -> str:
    return f"{n} audit {'cell' if n == 1 else 'cells'} of {code}"
