"""Tables of a report: a caption, heads that are printed again on every page, rows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def wide(words: str, html: str) -> str:
    """Return what scrolls by itself where the page is narrow, by key, too."""
    return (
        f"<div class='wide' tabindex='0' role='region' aria-label='{escape(words)}'>"
        f"{html}</div>"
    )


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain text.

    Parameters
    ----------
    caption : str
        Plain text.
    heads, rows : sequence
        Plain text; the first column names its row.
    """
    safe = [[escape(value) for value in row] for row in (heads, *rows)]
    return table_of(caption, safe[0], safe[1:])


def table_of(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of what is HTML already; the caption is plain text."""
    top = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    body = "".join(
        f"<tr><th scope='row'>{row[0]}</th>"
        + "".join(f"<td>{value}</td>" for value in row[1:])
        + "</tr>"
        for row in rows
    )
    return wide(
        caption,
        f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table>",
    )
