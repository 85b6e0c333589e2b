"""Which addresses a worker may be reached at, and whose certificates count."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import httpx

from napari_cytosynth.core.errors import InputError


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_readable(url: str) -> None:
    """Refuse an address at which anyone on the way could read along.

    Raises
    ------
    InputError
        If it is plain HTTP to another machine.
    httpx.InvalidURL
        If it is no address.
    """
    parts = httpx.URL(url)
    if parts.scheme == "http" and parts.host and not is_loopback(parts.host):
        raise InputError(
            f"The worker's address {url} is plain HTTP to another machine: everyone on "
            "the way could read the token and the patients' cells. Use https:// with "
            "a worker that has a --certificate, or an SSH tunnel and its end on this "
            "machine, such as http://127.0.0.1:8765."
        )


def trusting(certificate: str) -> ssl.SSLContext | bool:
    """Return how to check a worker's certificate.

    Parameters
    ----------
    certificate : str
        PEM file of the worker's own certificate, or of who signed it; empty: only the
        public authorities count.

    Raises
    ------
    InputError
        If the file holds no certificate.
    """
    if not certificate:
        return True
    path = Path(certificate).expanduser()
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"The worker's certificate '{path}' cannot be used ({error}). Give the PEM "
            "file that the worker was started with as --certificate; never its key."
        ) from error
