"""The ``cytosynth`` command: one file a verb."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name. By default ``sys.argv``: then this is
        the whole of the process, which ends at once where it was interrupted.
    """
    code = _run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and code == _INTERRUPTED:
        _leave(code)
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        # Imported here: Ctrl-C while libraries load is an interruption like any other.
        from napari_cytosynth.cli.verbs import run

        return run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("cytosynth: Interrupted before it began.\n")
        return _INTERRUPTED


def _leave(code: int) -> None:
    """End the process after what was registered for its end.

    Taking apart the loaded libraries, torch foremost, takes seconds on a busy machine,
    and all that was open is closed by now.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
