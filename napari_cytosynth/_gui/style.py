"""The one style sheet of our docks; it adds to napari's and replaces nothing."""

from __future__ import annotations

from napari_cytosynth._gui.theme import SYNTHETIC, Colours


def style_sheet(colours: Colours) -> str:
    """Return the Qt style sheet for a theme."""
    return f"""
    QTableView {{
        background: {colours.back}; color: {colours.text}; border: 0; padding: 0;
    }}
    QTableView::item {{ padding: 0; border: 0; background: transparent; }}
    QHeaderView::section {{
        background: {colours.back}; color: {colours.muted}; border: 0;
        border-bottom: 1px solid {colours.edge}; padding: 3px 6px; font-size: 11px;
    }}
    QTabBar::tab {{
        background: transparent; color: {colours.muted}; padding: 5px 12px;
        border: 0; border-bottom: 2px solid transparent; margin: 0;
    }}
    QTabBar::tab:selected {{
        color: {colours.text}; border-bottom: 2px solid {colours.focus};
        font-weight: bold;
    }}
    QLabel#muted, QLabel#notice, QLabel#hint {{ color: {colours.muted}; }}
    QLabel#hint {{ font-size: 11px; }}
    QLabel#notice {{ font-style: italic; }}
    QLabel#warning {{ color: {colours.warning}; font-weight: bold; }}
    QLabel#heading, QLabel#verdict {{ font-weight: bold; }}
    QLabel#message[failed="true"] {{ color: {colours.warning}; font-weight: bold; }}
    QToolButton#scale[unsure="true"] {{ color: {colours.warning}; font-weight: bold; }}
    QLabel#pending {{
        background: {colours.focus}; color: black; font-weight: bold;
        border-radius: 4px; padding: 4px 8px; font-size: 15px;
    }}
    QFrame#fill {{ border: 1px dashed {SYNTHETIC}; border-radius: 6px; }}
    QProgressBar::chunk {{ background: {colours.focus}; }}
    """
