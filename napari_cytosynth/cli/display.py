"""Finds out whether a window can be opened here, and says what is missing if not."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import sys
from importlib.util import find_spec

from napari_cytosynth.core.errors import InputError, MissingExtraError

QT_LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "xkbcommon-x11": "libxkbcommon-x11-0",
    "xcb-cursor": "libxcb-cursor0",
    "xcb-icccm": "libxcb-icccm4",
    "xcb-keysyms": "libxcb-keysyms1",
    "xcb-shape": "libxcb-shape0",
    "xcb-xinerama": "libxcb-xinerama0",
    "xcb-image": "libxcb-image0",
    "xcb-render-util": "libxcb-render-util0",
    "dbus-1": "libdbus-1-3",
}
"""Shared libraries that Qt needs on Linux, with their Debian packages."""


def has_display() -> bool:
    """Tell whether a window system can be reached."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_libraries() -> list[str]:
    """Return the Debian packages of the shared libraries that are missing."""
    if not sys.platform.startswith("linux"):
        return []
    return [
        package
        for name, package in QT_LIBRARIES.items()
        if ctypes.util.find_library(name) is None
    ]


def has_qt() -> bool:
    """Tell whether a Qt binding is installed."""
    return any(find_spec(name) is not None for name in ("PyQt6", "PySide6"))


def has_virtual_display() -> bool:
    """Tell whether ``xvfb-run`` is there."""
    return shutil.which("xvfb-run") is not None


def demand_window() -> None:
    """Raise if no window could be opened even on a virtual display.

    Raises
    ------
    MissingExtraError
        If there is no Qt binding.
    InputError
        If shared libraries are missing.
    """
    if not has_qt():
        raise MissingExtraError(
            "No Qt binding is installed, so no window can be opened. Install one: "
            'pip install "napari-cytosynth[qt]"'
        )
    if missing := missing_libraries():
        raise InputError(
            "Qt needs system libraries that are missing here. Install them: "
            f"apt-get install {' '.join(missing)}"
        )


def demand_display() -> None:
    """Raise if no window can be opened on a real display."""
    demand_window()
    if not has_display():
        raise InputError(
            "There is no display here. Log in with a screen, or run it on a virtual "
            "one: xvfb-run -a cytosynth ..."
        )
