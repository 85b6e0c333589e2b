"""Runs the worker's service: as a child of the viewer, or by itself for others."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

import uvicorn

from napari_cytosynth.core.errors import InputError, WorkerError
from napari_cytosynth.worker.address import is_loopback
from napari_cytosynth.worker.app import Limits, create_app
from napari_cytosynth.worker.inline import InlineCompute

PARENT_SECONDS = 1.0
"""How often a child looks whether its parent is still there."""

CHILD_NICENESS = 5
"""A child yields the processor to the viewer that started it."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where and for whom a worker serves.

    Parameters
    ----------
    token : str
        Bearer token; clients must know it.
    host : str
        Address to listen at; this machine only by default.
    port : int
        0 takes a free one.
    certificate, key : str
        PEM files for TLS; both or none.
    plain : bool
        Allow other machines without TLS, as inside a private container network.
    limits : Limits
        How much is taken in.
    """

    token: str
    host: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    key: str = ""
    plain: bool = False
    limits: Limits = field(default_factory=Limits)


def serve(
    settings: ServeSettings,
    announce: Callable[[str], None],
    compute: InlineCompute | None = None,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    settings : ServeSettings
        Where and for whom.
    announce : callable
        Called with the address once connections are taken.
    compute : InlineCompute, optional
        What does the work; one with all installed plug-ins by default.

    Raises
    ------
    InputError
        If other machines would be served without TLS, or without a token.
    WorkerError
        If the port is taken.
    """
    server, listener = _prepare(settings, compute or InlineCompute())
    announce(_address(settings, listener))
    server.run(sockets=[listener])


def serve_child(compute: InlineCompute | None = None) -> None:
    """Serve the process that started this one, and end with it.

    The token comes as a line of JSON on standard input, so that no other user can read
    it in the list of processes; the address goes back on standard output. When standard
    input ends, the parent is gone.
    """
    said = json.loads(sys.stdin.readline())
    answer = _take_stdout()
    if hasattr(os, "nice"):
        os.nice(CHILD_NICENESS)
    settings = ServeSettings(str(said["token"]))
    server, listener = _prepare(settings, compute or InlineCompute())
    for watch in (_end_with_stdin, _end_with_parent):
        threading.Thread(target=watch, daemon=True).start()
    with answer:
        answer.write(json.dumps({"url": _address(settings, listener)}) + "\n")
    server.run(sockets=[listener])


def _prepare(
    settings: ServeSettings, compute: InlineCompute
) -> tuple[uvicorn.Server, socket.socket]:
    _check(settings)
    app = create_app(compute, settings.token, settings.limits)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        ws="none",
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.key or None,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config), _listen(settings)


def _check(settings: ServeSettings) -> None:
    if not settings.token:
        raise InputError(
            "A worker was started without a token, so anyone could use it. Give one in "
            "the environment variable CYTOSYNTH_TOKEN or by --token-file."
        )
    if not (is_loopback(settings.host) or settings.certificate or settings.plain):
        raise InputError(
            f"A worker at {settings.host} would send images and its token readable "
            "over the network. Give --certificate and --key for TLS, or keep 127.0.0.1 "
            "and reach it through an SSH tunnel; --plain allows it where you trust all."
        )


def _listen(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server(
            (settings.host, settings.port), family=family, backlog=64
        )
    except OSError as error:
        raise WorkerError(
            f"The worker cannot listen at {settings.host}:{settings.port} "
            f"({error.strerror}). Give another --port, or 0 for a free one."
        ) from error


def _address(settings: ServeSettings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.certificate else "http"
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


def _take_stdout() -> TextIO:
    """Return the pipe to the parent; what else is printed goes to standard error."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(pipe, "w", encoding="utf-8")


def _end_with_stdin() -> None:
    """End at once when the parent closes the pipe: a worker has nothing to save."""
    while sys.stdin.readline():
        pass
    os._exit(0)


def _end_with_parent() -> None:
    """End when the parent is gone, even where one that it forked holds the pipe."""
    parent, never = os.getppid(), threading.Event()
    while os.getppid() == parent:
        never.wait(PARENT_SECONDS)
    os._exit(0)
