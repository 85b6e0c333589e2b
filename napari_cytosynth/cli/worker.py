"""Serve the compute backend to a viewer: on this machine, or behind an SSH tunnel.

Example: CYTOSYNTH_TOKEN=secret cytosynth worker --port 8765
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_cytosynth.core.errors import InputError


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
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Other machines without TLS; trust them all."),
    ] = False,
    max_mb: Annotated[
        int, typer.Option(min=1, max=65536, help="Largest request, MiB.")
    ] = 1024,
) -> None:
    """Serve until interrupted."""
    from napari_cytosynth.worker.app import Limits
    from napari_cytosynth.worker.serve import ServeSettings, serve

    settings = ServeSettings(
        token=_token(token_file),
        host=host,
        port=port,
        certificate=str(certificate or ""),
        key=str(key or ""),
        plain=plain,
        limits=Limits(request_bytes=max_mb * 2**20),
    )
    serve(settings, _announce)


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get("CYTOSYNTH_TOKEN", "")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The token file {file} cannot be read ({error}). Give a text file that "
            "holds the token and nothing else."
        ) from error


def _announce(address: str) -> None:
    sys.stderr.write(f"Serving at {address}; end with Ctrl-C.\n")
