"""The ``cytosynth`` command: one file a verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name; ``sys.argv`` by default.
    """
    try:
        # Imported here: Ctrl-C while libraries load is an interruption like any other.
        from napari_cytosynth.cli.verbs import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("cytosynth: Interrupted before it began.\n")
        return 130
