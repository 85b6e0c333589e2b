"""One page that says whether synthesis helped: HTML by itself, and its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.files import (
    demand_place,
    is_text,
    refusal,
    sweep_partials,
    write_durably,
)
from napari_cytosynth.core.splits import MIN_AUDIT, NOT_YET
from napari_cytosynth.evidence.appendix import Appendix
from napari_cytosynth.evidence.plots import confusion_table, dot_plot
from napari_cytosynth.evidence.record import NOTICE, CaseResult, Difference, Evidence
from napari_cytosynth.evidence.sections import Section, sections_of
from napari_cytosynth.evidence.tables import table
from napari_cytosynth.evidence.verdict import (
    EMBEDDING,
    NONE,
    SYNTHETIC,
    control_name,
)
from napari_cytosynth.metrics.intervals import Interval

_COMPARED = (NONE, SYNTHETIC, EMBEDDING)
"""Cases whose confusions stand open; the controls are folded."""

_TITLE = "Did synthetic cells help?"

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --page: #fff; --line: #d5d5d5;
  --faint: #666; --accent: #7b3fa0; --drawn: #00704f; --control: #4d4d4d;
  --notice: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --page: #191919;
  --line: #4a4a4a; --faint: #a8a8a8; --accent: #c99be8; --drawn: #63c9a4;
  --control: #b9b9b9; --notice: #4a3c12; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
  padding: 1rem; color: var(--ink); background: var(--page); }
a { color: var(--accent); } :focus-visible { outline: 3px solid var(--accent); }
.skip, .card caption { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.verdict { font-size: 1.25rem; border-left: .4rem solid var(--accent);
  padding-left: 1rem; }
.notice { background: var(--notice); padding: .5rem 1rem; }
.wide { overflow-x: auto; } .wide, .plot { margin: .7rem 0; }
.card code { font-size: .85em; overflow-wrap: anywhere; }
table { border-collapse: collapse; } caption { text-align: left; font-weight: 600; }
td, th { padding: .2rem .7rem; text-align: right; vertical-align: top; }
th[scope=row] { font-weight: 400; } tr > :first-child { text-align: left; }
tbody tr { border-top: 1px solid var(--line); }
.matrix td { background: color-mix(in srgb, var(--accent) var(--share), var(--page)); }
figure { margin: 1rem 0; } img, svg { max-width: 100%; height: auto; display: block; }
svg { color: var(--ink); } svg text { font: 12px system-ui, sans-serif;
  fill: currentColor; } svg .faint { fill: var(--faint); }
svg .tick { stroke: var(--line); } svg line { stroke-width: 2; }
.control { stroke: var(--control); fill: var(--control); }
.made { stroke: var(--accent); fill: var(--accent); }
.drawn { stroke: var(--drawn); fill: var(--drawn); }
@media print { :root { color-scheme: light; --ink: #000; --page: #fff; --line: #bbb;
  --faint: #444; --accent: #5a2d78; --drawn: #005a40; --control: #333;
  --notice: #fff; } nav, .skip { display: none; }
  h2, h3, h4, caption, summary { break-after: avoid; } thead {
  display: table-header-group; } figure, svg, tr, .matrix { break-inside: avoid; }
  tbody tr:first-child { break-before: avoid; } .wide { overflow: visible; }
  td, th { padding: .2rem .45rem; }
  details::details-content { content-visibility: visible; } }
"""


def write_report(
    evidence: Evidence, path: str | Path, appendix: Appendix | None = None
) -> tuple[Path, Path]:
    """Write the report as HTML, and the same figures as JSON beside it.

    Parameters
    ----------
    evidence : Evidence
        What the evaluation found.
    path : str or Path
        The HTML file; the JSON file ends in ``.json`` instead.
    appendix : Appendix, optional
        Pictures, provenance, fidelity and cards. It shows pictures of real cells.

    Returns
    -------
    Path, Path
        The HTML file and the JSON file.

    Raises
    ------
    InputError
        If the page itself is to end in ``.json``.
    StorageError
        If they cannot be written, or would replace what is no text.
    """
    page, twin = places_of(path)
    figures = evidence.to_json()
    if appendix is not None:
        figures["inspection"] = appendix.inspection.to_json()
    document = json.dumps(figures, indent=2, ensure_ascii=False)
    try:
        sweep_partials(page)
        sweep_partials(twin)
        write_durably(page, html_of(evidence, appendix).encode())
        write_durably(twin, f"{document}\n".encode())
    except OSError as error:
        raise refusal(page, error) from error
    return page, twin


def places_of(path: str | Path) -> tuple[Path, Path]:
    """Return where a report and its figures go, if they can: ask before the work.

    Parameters
    ----------
    path : str or Path
        The HTML file.

    Raises
    ------
    InputError
        If the page itself is to end in ``.json``.
    StorageError
        If something else stands there, or the folder takes no file.
    """
    page = Path(path)
    twin = page.with_suffix(".json")
    if twin == page:
        raise InputError(
            f"The report was to be written as '{page.name}', which is the name of its "
            "figures. Let it end in .html; the figures come beside it."
        )
    demand_place(page, is_text)
    # Nobody named the twin, so it may replace nothing but another twin.
    demand_place(twin, _is_twin)
    return page, twin


def _is_twin(head: bytes) -> bool:
    return not head.strip() or (is_text(head) and b'"verdict"' in head)


def html_of(evidence: Evidence, appendix: Appendix | None = None) -> str:
    """Return the page; it needs no network and no other file."""
    sections = list(_sections(evidence, appendix))
    links = "".join(
        f"<li><a href='#{key}'>{title}</a></li>" for key, title, _ in sections
    )
    body = "".join(
        f"<section aria-labelledby='{key}'><h2 id='{key}'>{title}</h2>{html}</section>"
        for key, title, html in sections
    )
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{_TITLE}</title><style>{_STYLE}</style></head><body>"
        "<a class='skip' href='#figures'>To the figures</a><header>"
        f"<p class='notice'>{escape(NOTICE)}</p><h1>{_TITLE}</h1>"
        f"<p class='verdict'>{escape(evidence.sentence)}</p></header>"
        f"<nav aria-label='Contents'><ul>{links}</ul></nav><main>{body}</main>"
        f"<footer><p>{_foot(evidence)}</p></footer></body></html>\n"
    )


def _sections(evidence: Evidence, appendix: Appendix | None) -> Iterator[Section]:
    if evidence.caveats:
        limits = "".join(f"<li>{escape(c)}</li>" for c in evidence.caveats)
        yield "limits", "What limits it", f"<ul>{limits}</ul>"
    yield "figures", "What was measured", "".join(_figures(evidence))
    confusions = _confusions(evidence)
    if confusions:
        yield "confusion", "What was taken for what", confusions
    yield "counts", "Cells", _counts(evidence)
    if appendix is not None:
        yield from sections_of(appendix)


def _confusions(evidence: Evidence) -> str:
    codes = list(evidence.counts)
    shown: list[str] = []
    folded: list[str] = []
    for case in evidence.cases:
        if case.confusion:
            part = shown if case.case in _COMPARED else folded
            part.append(confusion_table(codes, case.confusion, case.title))
    others = _folded("The other controls", "".join(folded)) if folded else ""
    return "".join(shown) + others


def _foot(evidence: Evidence) -> str:
    return (
        f"Runs {len(evidence.seeds)}, seed {evidence.seed}, embedder "
        f"{escape(evidence.embedder)}, napari-cytosynth {escape(evidence.version)}, "
        f"{escape(evidence.time)}."
    )


def _figures(evidence: Evidence) -> list[str]:
    if not evidence.cases:
        return [f"<p>Figures {NOT_YET}.</p>"]
    rows = [(case.title, case.macro_f1, case.case) for case in evidence.cases]
    parts = [
        "<h3>Macro-F1 on audit cells</h3>",
        dot_plot(rows, "Macro-F1 on audit cells"),
        f"<p>{_covered(evidence)}</p>",
        "<h3>Recall of each class on audit cells</h3>",
    ]
    for code in evidence.covered:
        if code in evidence.cases[0].classes:
            plot = dot_plot(_recalls(evidence.cases, code), f"Recall of {code}")
            parts += [f"<h4>{escape(code)}</h4>", plot]
    if evidence.differences:
        parts += ["<h3>Against each control</h3>", _differences(evidence)]
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
    heads = ("trained on", "figure", "against", "difference", "p (Holm)")
    parts = []
    for of_class, words in (
        (False, "of macro-F1"),
        (True, "of recall, class by class"),
    ):
        rows = [
            _difference_row(d, titles.get(d.case, d.case))
            for d in asked
            if bool(d.code) is of_class
        ]
        # Only differences of classes are corrected by Holm, and so have a p here.
        width = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
        kept = [row[:width] for row in rows]
        shown = table(f"Differences {words}, same audit cells", heads[:width], kept)
        parts.append(_folded(f"Differences {words}", shown) if of_class else shown)
    return "".join(parts)


def _folded(words: str, html: str) -> str:
    """Return what opens by key or click; it is printed open."""
    return f"<details><summary>{escape(words)}</summary>{html}</details>"


def _difference_row(difference: Difference, title: str) -> tuple[str, ...]:
    figure = f"{difference.metric} {difference.code}".strip()
    found, other = difference.interval, control_name(difference.other)
    told = f"{found.value:+z.2f} [{found.low:+z.2f}, {found.high:+z.2f}]"
    p = "" if difference.p is None else f"{difference.p:.3f}"
    return title, figure, other, told, p


def _recalls(
    cases: Sequence[CaseResult], code: str
) -> list[tuple[str, Interval | None, str]]:
    return [(case.title, case.classes[code].recall, case.case) for case in cases]


def _counts(evidence: Evidence) -> str:
    heads = (
        "class",
        "real, training",
        "accepted synthetic",
        "vectors drawn",
        "real, audit",
    )
    rows = [
        (code, *(str(n.get(k, 0)) for k in ("real", "synthetic", "vectors", "audit")))
        for code, n in evidence.counts.items()
    ]
    return table("Cells of each class", heads, rows)
