"""A model card on the page: the Markdown that cards are written in, as HTML.

That is headings, paragraphs, lists by dashes, tables between pipes, ``code`` and **bold
words**: no more is read, and whatever else stands there is shown as it is, escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from napari_cytosynth.evidence.tables import table_of

_HEADING = re.compile(r"#{1,2} .+")
_RULE = re.compile(r"[|: -]+")
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


def card_html(card: str) -> str:
    """Return a card as HTML, its headings of the third and fourth rank.

    Parameters
    ----------
    card : str
        Markdown; may hold anything, as names of classes are the user's.
    """
    return f"<article class='card'>{''.join(_parts(card.splitlines()))}</article>"


def _parts(lines: Sequence[str]) -> Iterator[str]:
    """Yield headings, tables, lists and paragraphs."""
    title = heading = ""
    for kind, group in groupby(lines, _kind):
        held = list(group)
        if kind == "heading":
            for line in held:
                rank, _, heading = line.partition(" ")
                title = heading if rank == "#" else title
                tag = f"h{2 + len(rank)}"
                yield f"<{tag}>{_inline(heading)}</{tag}>"
        elif kind == "table":
            yield _table(f"{title}: {heading}", held)
        elif kind == "item":
            items = "".join(f"<li>{_inline(line[2:])}</li>" for line in held)
            yield f"<ul>{items}</ul>"
        elif kind == "words":
            yield f"<p>{_inline(' '.join(held))}</p>"


def _kind(line: str) -> str:
    if _HEADING.fullmatch(line):
        return "heading"
    if line.startswith("|") and line.endswith("|") and len(line) > 1:
        return "table"
    if line.startswith("- "):
        return "item"
    return "words" if line.strip() else ""


def _table(caption: str, lines: Sequence[str]) -> str:
    rows = [
        [_inline(value.strip()) for value in line[1:-1].split("|")]
        for line in lines
        if not _RULE.fullmatch(line)
    ]
    return table_of(caption.replace("`", ""), rows[0], rows[1:]) if rows else ""


def _inline(text: str) -> str:
    """Return text escaped, with its code and its bold words."""
    code = _CODE.sub(r"<code>\1</code>", escape(text))
    return _BOLD.sub(r"<strong>\1</strong>", code)
