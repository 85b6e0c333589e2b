"""Files that cannot be read: somebody is told and the others go on, or it is raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from napari_cytosynth.core.errors import InputError

Damaged: TypeAlias = Callable[[Path, InputError], None]
"""Told of a file that cannot be read, and why."""


@dataclass
class DamagedFiles:
    """The damaged ones among several files.

    Parameters
    ----------
    tell : callable or None
        Told of each; where nobody is, the first one ends the work.
    last : InputError or None
        What was wrong with the last one.
    """

    tell: Damaged | None
    last: InputError | None = None

    def note(self, path: Path, error: InputError) -> None:
        """Tell of a file; raise its error if nobody is told."""
        if self.tell is None:
            raise error
        self.last = error
        self.tell(path, error)

    def demand_some(self, read: int) -> None:
        """Raise the last error if not one file could be read."""
        if self.last is not None and not read:
            raise self.last
