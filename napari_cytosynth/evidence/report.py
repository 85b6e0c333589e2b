"""One page that says whether synthesis helped: HTML by itself, and its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from napari_cytosynth.core.files import demand_ours, is_text, refusal, write_durably
from napari_cytosynth.core.splits import MIN_AUDIT, NOT_YET
from napari_cytosynth.evidence.record import NOTICE, CaseResult, Difference, Evidence
from napari_cytosynth.evidence.verdict import control_name
from napari_cytosynth.metrics.intervals import Interval

_COLOURS = {
    "none": "#4d4d4d",
    "class_weights": "#b35900",
    "duplicates": "#0072b2",
    "synthetic": "#7b3fa0",
    "embedding": "#00704f",
}
_LEFT, _RIGHT, _ROW = 190, 560, 20

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c1c1c; background: #fff; }
.verdict { font-size: 1.25rem; border-left: .4rem solid #7b3fa0; padding-left: 1rem; }
.notice { background: #fff4d6; padding: .5rem 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .7rem; text-align: right; }
td:first-child, th:first-child { text-align: left; }
tr + tr { border-top: 1px solid #ddd; } svg text { font: 12px system-ui, sans-serif; }
"""


def write_report(evidence: Evidence, path: str | Path) -> tuple[Path, Path]:
    """Write the report as HTML, and the same figures as JSON beside it.

    Parameters
    ----------
    evidence : Evidence
        What the evaluation found.
    path : str or Path
        The HTML file; the JSON file ends in ``.json`` instead.

    Returns
    -------
    Path, Path
        The HTML file and the JSON file.

    Raises
    ------
    StorageError
        If they cannot be written, or would replace what is no text.
    """
    page = Path(path)
    twin = page.with_suffix(".json")
    document = json.dumps(evidence.to_json(), indent=2, ensure_ascii=False)
    try:
        demand_ours(page, is_text)
        demand_ours(twin, is_text)
        write_durably(page, html_of(evidence).encode())
        write_durably(twin, f"{document}\n".encode())
    except OSError as error:
        raise refusal(page, error) from error
    return page, twin


def html_of(evidence: Evidence) -> str:
    """Return the page; it needs no network and no other file."""
    caveats = "".join(f"<li>{escape(c)}</li>" for c in evidence.caveats)
    body = [
        f"<p class='notice'>{escape(NOTICE)}</p>",
        "<h1>Did synthetic cells help?</h1>",
        f"<p class='verdict'>{escape(evidence.verdict)}</p>",
        f"<ul>{caveats}</ul>" if caveats else "",
        *_figures(evidence),
        "<h2>Cells</h2>",
        _counts(evidence),
        f"<p>Runs {len(evidence.seeds)}, seed {evidence.seed}, embedder "
        f"{escape(evidence.embedder)}, napari-cytosynth {escape(evidence.version)}, "
        f"{escape(evidence.time)}.</p>",
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>Did synthetic cells help?</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _figures(evidence: Evidence) -> list[str]:
    if not evidence.cases:
        return [f"<p>Figures {NOT_YET}.</p>"]
    rows = [(case.title, case.macro_f1, case.case) for case in evidence.cases]
    parts = [
        "<h2>Macro-F1 on audit cells</h2>",
        _plot(rows),
        f"<p>{_covered(evidence)}</p>",
        "<h2>Recall of each class on audit cells</h2>",
    ]
    for code, counts in evidence.counts.items():
        if counts["audit"] or counts["synthetic"]:
            parts += [f"<h3>{escape(code)}</h3>", _plot(_recalls(evidence.cases, code))]
    if evidence.differences:
        parts += ["<h2>Against each control</h2>", _differences(evidence)]
    return parts


def _covered(evidence: Evidence) -> str:
    """Say which classes macro-F1 is a mean of, and which it leaves out."""
    covered = ", ".join(map(escape, evidence.covered)) or "none"
    told = f"Over the classes of {MIN_AUDIT} audit cells or more: {covered}."
    left = [
        f"{escape(code)} ({n['audit']}{', filled' if n['synthetic'] else ''})"
        for code, n in evidence.counts.items()
        if code not in evidence.covered
    ]
    return (
        f"{told} Left out, with their audit cells: {', '.join(left)}." if left else told
    )


def _differences(evidence: Evidence) -> str:
    titles = {case.case: case.title for case in evidence.cases}
    asked = [
        d
        for d in evidence.differences
        if not d.code or evidence.counts[d.code]["synthetic"] or d.case == "embedding"
    ]
    rows = "".join(_difference_row(d, titles.get(d.case, d.case)) for d in asked)
    return (
        "<table><tr><th>trained on</th><th>figure</th><th>against</th>"
        f"<th>difference</th></tr>{rows}</table>"
    )


def _difference_row(difference: Difference, title: str) -> str:
    figure = f"{difference.metric} {difference.code}".strip()
    found, other = difference.interval, control_name(difference.other)
    return (
        f"<tr><td>{escape(title)}</td><td>{escape(figure)}</td><td>{escape(other)}</td>"
        f"<td>{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]</td></tr>"
    )


def _recalls(
    cases: Sequence[CaseResult], code: str
) -> list[tuple[str, Interval | None, str]]:
    return [(case.title, case.classes[code].recall, case.case) for case in cases]


def _plot(rows: Sequence[tuple[str, Interval | None, str]]) -> str:
    """Draw a dot and its interval a row, on an axis from 0 to 1."""
    height = _ROW * len(rows) + 28
    marks = [_axis(height)]
    for number, (title, interval, case) in enumerate(rows):
        y = _ROW * number + 14
        marks.append(f"<text x='0' y='{y + 4}'>{escape(title)}</text>")
        marks.append(_mark(interval, y, _COLOURS.get(case, "#000")))
    return (
        f"<svg role='img' width='720' height='{height}' viewBox='0 0 720 {height}'>"
        f"{''.join(marks)}</svg>"
    )


def _axis(height: int) -> str:
    ticks = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _x(share)
        ticks.append(
            f"<line x1='{x}' x2='{x}' y1='4' y2='{height - 20}' stroke='#ddd'/>"
            f"<text x='{x}' y='{height - 6}' text-anchor='middle'>{share:g}</text>"
        )
    return "".join(ticks)


def _mark(interval: Interval | None, y: int, colour: str) -> str:
    if interval is None:
        return f"<text x='{_x(0)}' y='{y + 4}' fill='#777'>{NOT_YET}</text>"
    low, high, middle = _x(interval.low), _x(interval.high), _x(interval.value)
    return (
        f"<line x1='{low}' x2='{high}' y1='{y}' y2='{y}' stroke='{colour}' "
        f"stroke-width='2'/><circle cx='{middle}' cy='{y}' r='4.5' fill='{colour}'/>"
        f"<text x='{_RIGHT + 14}' y='{y + 4}'>{interval.value:.2f} "
        f"[{interval.low:.2f}, {interval.high:.2f}]</text>"
    )


def _x(share: float) -> int:
    return round(_LEFT + 30 + share * (_RIGHT - _LEFT - 30))


def _counts(evidence: Evidence) -> str:
    heading = (
        "<tr><th>class</th><th>real, training</th><th>accepted synthetic</th>"
        "<th>vectors drawn</th><th>real, audit</th></tr>"
    )
    rows = "".join(
        f"<tr><td>{escape(code)}</td><td>{n['real']}</td><td>{n['synthetic']}</td>"
        f"<td>{n.get('vectors', 0)}</td><td>{n['audit']}</td></tr>"
        for code, n in evidence.counts.items()
    )
    return f"<table>{heading}{rows}</table>"
