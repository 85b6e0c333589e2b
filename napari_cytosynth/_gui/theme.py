"""Colours of the window, taken from napari's theme, for what we paint ourselves."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

SYNTHETIC = "#9b6dff"
"""Violet of everything synthetic: frames, badges, counts."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The few colours that painters need, as ``"#rrggbb"``.

    Parameters
    ----------
    text, muted : str
        Text, and text of second rank.
    back, card, edge : str
        Background of a panel, of a card in it, and of thin lines.
    focus : str
        Frame of the focused card.
    warning : str
        What must not be overlooked.
    dark : bool
        True for a dark theme.
    """

    text: str
    muted: str
    back: str
    card: str
    edge: str
    focus: str
    warning: str
    dark: bool

    @classmethod
    def of(cls, theme: str) -> Colours:
        """Take the colours of the napari theme of this name."""
        found = get_theme(theme)
        dark = found.type == "dark"
        text = QColor(found.text.as_hex())
        return cls(
            text=text.name(),
            muted=blend(text.name(), QColor(found.background.as_hex()).name(), 0.35),
            back=QColor(found.background.as_hex()).name(),
            card=QColor(found.foreground.as_hex()).name(),
            edge=QColor(found.secondary.as_hex()).name(),
            focus="#ffb000" if dark else "#c25e00",
            warning="#ffb454" if dark else "#9a4d00",
            dark=dark,
        )


def blend(first: str, second: str, share: float) -> str:
    """Return ``first`` mixed with this share (0..1) of ``second``."""
    a, b = QColor(first), QColor(second)
    mixed = [
        round(x * (1 - share) + y * share)
        for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    ]
    return str(QColor(*mixed).name())


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better on ``colour`` (WCAG luminance)."""
    channels = [c / 255 for c in QColor(colour).getRgb()[:3]]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
