"""Sections of a report that come from its appendix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.evidence.appendix import (
    Appendix,
    Made,
    PairSheet,
    Sheet,
    grid_uri,
)
from napari_cytosynth.evidence.card_html import card_html
from napari_cytosynth.evidence.figures import Fidelity
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.reader import ReaderResult
from napari_cytosynth.evidence.tables import table
from napari_cytosynth.evidence.tabulated import (
    ALL_CLASSES,
    fidelity_lines,
    memory_lines,
)

Section = tuple[str, str, str]
"""Anchor, heading and HTML."""


def sections_of(appendix: Appendix) -> Iterator[Section]:
    """Yield what there is to show."""
    yield "made", "What was made", _made(appendix)
    if appendix.sheets:
        body = "".join(map(_sheet, appendix.sheets))
        yield "cells", "Real and synthetic cells", body
    if appendix.inspection.classes:
        yield "fidelity", "How real, how varied", _fidelity(appendix.inspection)
        yield "copies", "Whose copies", _copies(appendix.inspection, appendix.pairs)
    if appendix.readers:
        body = "".join(map(_reader, appendix.readers))
        yield "readers", "Blinded readers", body
    if appendix.cards:
        yield "cards", "Model cards", "".join(map(card_html, appendix.cards))


def _reader(result: ReaderResult) -> str:
    """Show a test without the reader's name: over all, by class and by strategy."""
    parts = {"all": result.over_all, **result.by_class, **result.by_strategy}
    rows = [
        (name, str(part.accuracy), str(part.d_prime)) for name, part in parts.items()
    ]
    caption = f"Real or synthetic, a reader's calls of {result.time[:10]}"
    return table(caption, ("cells", "right", "d'"), rows)


def _made(appendix: Appendix) -> str:
    told = f"{appendix.labels} real cells are labelled; smears: {appendix.smears}."
    about = f"<p>{told}</p>"
    if not appendix.made:
        return f"{about}<p>No synthetic cell was made.</p>"
    heads = ("class", "generator", "accepted", "not looked at", "refused")
    return about + table("Synthetic cells", heads, list(map(_fate, appendix.made)))


def _fate(made: Made) -> tuple[str, ...]:
    numbers = (made.accepted, made.proposed, made.refused)
    return made.code, made.generator, *map(str, numbers)


def _sheet(sheet: Sheet) -> str:
    alt = (
        f"{len(sheet.real)} real cells of {sheet.name} above {len(sheet.synthetic)} "
        "synthetic ones"
    )
    words = (
        f"{sheet.code}, {alt}; drawn at random from {sheet.of[0]} and {sheet.of[1]} "
        f"(seed {sheet.seed}); the synthetic ones were accepted, or not looked at yet"
    )
    return _figure(alt, [sheet.real, sheet.synthetic], words)


def _figure(alt: str, rows: Sequence[Crops], words: str) -> str:
    return (
        f"<figure><img alt='{escape(alt)}' src='{grid_uri(rows)}'>"
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _fidelity(inspection: Inspection) -> str:
    told = "".join(f"<li>{escape(str(f))}</li>" for f in inspection.findings)
    tables = "".join(map(_figures, inspection.classes))
    limits = "".join(f"<li>{escape(c)}</li>" for c in inspection.caveats)
    return f"<ul>{told}</ul>{tables}" + (
        f"<p>Limits:</p><ul>{limits}</ul>" if limits else ""
    )


def _figures(found: Fidelity) -> str:
    rows = [(*line.words[1:], line.tells) for line in fidelity_lines(found)]
    heads = ("figure", "synthetic", "as many real", "n", "tells")
    return table(f"Class {found.code or ALL_CLASSES}", heads, rows)


def _copies(inspection: Inspection, pairs: Sequence[PairSheet]) -> str:
    heads = ("class", "figure", "synthetic", "real", "n", "tells")
    rows = [
        (*line.words, line.tells)
        for found in inspection.memorisation
        for line in memory_lines(found)
    ]
    sheets = "".join(
        _figure(
            f"{len(sheet.pairs)} synthetic cells above the real cell nearest to each",
            [sheet.synthetic, sheet.real],
            f"{sheet.code}: synthetic above, the nearest real training cell below; "
            + ", ".join(
                f"{p.distance:.2f}{' (copy)' if p.copy else ''}" for p in sheet.pairs
            ),
        )
        for sheet in pairs
    )
    return table("Copies of training cells", heads, rows) + sheets
