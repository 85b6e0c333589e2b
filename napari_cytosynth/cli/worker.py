"""Serve the compute backend to a viewer: on this machine, or behind an SSH tunnel.

Example: CYTOSYNTH_TOKEN=secret cytosynth worker --port 8765
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    host: Annotated[
        str, typer.Option(help="Loopback unless you use TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free.")] = 8765,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; else CYTOSYNTH_TOKEN.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS key.")] = None,
) -> None:
    """Serve until interrupted."""
    from napari_cytosynth.worker.serve import serve

    serve(host, port, token_file=token_file, certificate=certificate, key=key)
