"""Drawings of a report: SVG that takes its colours from the page, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from napari_cytosynth.core.splits import NOT_YET
from napari_cytosynth.evidence.tables import wide
from napari_cytosynth.metrics.intervals import Interval

KINDS = {"synthetic": "made", "embedding": "drawn"}
"""Cases whose marks stand out; the others are controls."""

_LEFT, _RIGHT, _ROW = 250, 560, 22


def dot_plot(rows: Sequence[tuple[str, Interval | None, str]], title: str) -> str:
    """Draw a dot and its interval a row, on an axis from 0 to 1.

    Parameters
    ----------
    rows : sequence of (str, Interval or None, str)
        Words, figure, and case.
    title : str
        Said to those who do not see it, with every figure.
    """
    height = _ROW * len(rows) + 28
    marks = [_axis(height)]
    for number, (words, interval, case) in enumerate(rows):
        y = _ROW * number + 14
        marks.append(f"<text x='0' y='{y + 4}'>{escape(words)}</text>")
        marks.append(_mark(interval, y, KINDS.get(case, "control")))
    told = "; ".join(f"{words}: {interval or NOT_YET}" for words, interval, _ in rows)
    return (
        f"<div class='plot'><svg role='img' width='700' height='{height}' "
        f"viewBox='0 0 700 {height}' aria-label='{escape(f'{title}. {told}')}'>"
        f"{''.join(marks)}</svg></div>"
    )


def _axis(height: int) -> str:
    ticks = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _x(share)
        ticks.append(
            f"<line class='tick' x1='{x}' x2='{x}' y1='4' y2='{height - 20}'/>"
            f"<text x='{x}' y='{height - 6}' text-anchor='middle'>{share:g}</text>"
        )
    return "".join(ticks)


def _mark(interval: Interval | None, y: int, kind: str) -> str:
    if interval is None:
        return f"<text class='faint' x='{_x(0)}' y='{y + 4}'>{NOT_YET}</text>"
    low, high, middle = _x(interval.low), _x(interval.high), _x(interval.value)
    return (
        f"<line class='{kind}' x1='{low}' x2='{high}' y1='{y}' y2='{y}'/>"
        f"<circle class='{kind}' cx='{middle}' cy='{y}' r='4.5'/>"
        f"<text x='{_RIGHT + 14}' y='{y + 4}'>{interval.value:.2f} "
        f"[{interval.low:.2f}, {interval.high:.2f}]</text>"
    )


def _x(share: float) -> int:
    return round(_LEFT + share * (_RIGHT - _LEFT))


def confusion_table(
    codes: Sequence[str], counts: Sequence[Sequence[float]], title: str
) -> str:
    """Show truth against guess; each cell is shaded by its share of the row.

    Parameters
    ----------
    codes : sequence of str
        Classes of rows and columns.
    counts : sequence of sequence of float
        A row a class, and a last column for cells taken for none.
    title : str
        Caption.
    """
    kept = [i for i, row in enumerate(counts) if sum(row)]
    columns = [i for i in range(len(codes) + 1) if any(counts[k][i] for k in kept)]
    names = [*codes, "none"]
    heads = "".join(f"<th scope='col'>{escape(names[i])}</th>" for i in columns)
    rows = "".join(
        f"<tr><th scope='row'>{escape(codes[k])}</th>"
        + "".join(_shaded(counts[k][i], sum(counts[k])) for i in columns)
        + "</tr>"
        for k in kept
    )
    caption = f"{escape(title)}: rows are the truth, columns what it was taken for"
    return wide(
        title,
        f"<table class='matrix'><caption>{caption}</caption><thead><tr><td></td>{heads}"
        f"</tr></thead><tbody>{rows}</tbody></table>",
    )


def _shaded(count: float, total: float) -> str:
    # At most half of the accent, so that the number stays legible on it.
    share = round(50 * count / total)
    return f"<td style='--share:{share}%'>{count:.3g}</td>" if count else "<td></td>"
