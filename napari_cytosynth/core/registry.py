"""Finds plug-ins, built-in ones included, by entry points. Loads one when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from typing import Any

from napari_cytosynth.core.errors import CytoSynthError, RegistryError
from napari_cytosynth.core.settings import Setting

GROUPS = (
    "readers",
    "detectors",
    "embedders",
    "strategies",
    "generators",
    "critics",
    "controls",
    "formats",
)
"""Kinds of plug-in; the entry-point group is ``napari_cytosynth.<kind>``."""

DEFAULT_STRATEGY = "balanced"
"""Name of the strategy that ranks where none is asked for."""

BY_DENSITY = "novelty:density"
"""Name of a strategy with an option, offered beside the names of all."""

DEFAULT_EMBEDDER = "starter"
"""Name of the embedder that is used where none is asked for."""


@cache
def _points(kind: str) -> dict[str, EntryPoint]:
    if kind not in GROUPS:
        raise RegistryError(
            f"There is no kind of plug-in '{kind}'. Choose one of {', '.join(GROUPS)}."
        )
    return {p.name: p for p in entry_points(group=f"napari_cytosynth.{kind}")}


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all installed plug-ins of a kind, sorted."""
    return tuple(sorted(_points(kind)))


def makes_vectors(generator: str) -> bool:
    """Tell whether a generator makes vectors rather than cells.

    One that is not installed or cannot be loaded makes neither.
    """
    return _told(generator, "makes") == "vectors"


def makes_cells(generator: str) -> bool:
    """Tell whether a generator makes cells; see :func:`makes_vectors`."""
    return _told(generator, "makes") == "cells"


def needs_of(generator: str) -> str:
    """Return what a generator says that it needs, for a person; empty: nothing."""
    return _told(generator, "needs")


def settings_of(generator: str) -> tuple[Setting, ...]:
    """Return what a generator offers to choose; none where it offers nothing."""
    found: tuple[Setting, ...] = _attribute(generator, "settings", ())
    return found


def _told(generator: str, name: str) -> str:
    return str(_attribute(generator, name, ""))


def _attribute(generator: str, name: str, missing: Any) -> Any:
    try:
        found = load("generators", generator)
    except (CytoSynthError, ImportError):
        return missing
    kind: Any = found.func if isinstance(found, partial) else found
    return getattr(kind, name, missing)


def painter_of(name: str | None) -> str | None:
    """Return a name back if it is that of an installed generator of cells."""
    if name not in names("generators") or makes_vectors(str(name)):
        return None
    return name


def load(kind: str, name: str) -> Any:
    """Return the class or factory of a plug-in.

    Parameters
    ----------
    kind : str
        One of :data:`GROUPS`.
    name : str
        Its name. ``NAME:ARGUMENT`` returns a factory that passes the argument on, such
        as the file in ``dinov2:PATH``.

    Raises
    ------
    RegistryError
        If none of that name is installed, or it takes no argument.
    """
    points = _points(kind)
    base, colon, argument = name.partition(":")
    if base not in points:
        raise RegistryError(
            f"There is no '{base}' among the {kind}. Installed: "
            f"{', '.join(sorted(points)) or 'none'}. Check the spelling, or install "
            "the package that provides it."
        )
    found = points[base].load()
    if not colon:
        return found
    _demand_argument(found, base)
    return partial(found, argument)


def _demand_argument(found: Callable[..., object], name: str) -> None:
    """Refuse unless the factory's first parameter is a text."""
    first = next(iter(signature(found).parameters.values()), None)
    if first is None or first.annotation not in (str, "str"):
        raise RegistryError(
            f"'{name}' takes nothing after a colon, and no file of weights. Use the "
            "bare name."
        )
