"""What can go wrong between a client and its worker, in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from napari_cytosynth.core.errors import WorkerDiedError, WorkerUnreachableError


class Mishaps:
    """Turns what the transport tells into errors that name the worker.

    Parameters
    ----------
    url : str
        The worker's address.
    silence : float
        Seconds without a sign of life after which it counts as dead.
    """

    def __init__(self, url: str, silence: float) -> None:
        self._url, self._silence = url, silence

    def said(self, answer: httpx.Response) -> dict[str, Any]:
        """Return what a worker answered; what is none is refused."""
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict) or not said.keys() & {"type", "protocol"}:
            raise WorkerUnreachableError(
                f"What answers at {self._url} is no cytosynth worker (HTTP "
                f"{answer.status_code}). Check the address and port in the settings."
            )
        return said

    @contextmanager
    def translated(self, verb: str) -> Iterator[None]:
        """Turn the transport's errors into ours."""
        try:
            yield
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            raise self.unreachable(error) from error
        except httpx.ReadTimeout as error:
            why = f"no sign of life for {self._silence:.0f} s"
            raise self.died(verb, why) from error
        except httpx.TransportError as error:
            raise self.died(verb, str(error) or type(error).__name__) from error

    def unreachable(self, error: Exception) -> WorkerUnreachableError:
        """Say that no worker was reached, or none to be trusted."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return WorkerUnreachableError(
                f"The worker at {self._url} is not to be trusted ({error}). If its "
                "certificate was made by hand, name that file in the settings, and the "
                "host as the certificate names it; else somebody may stand between."
            )
        return WorkerUnreachableError(
            f"No worker answers at {self._url} ({error}). Start one there with "
            "'cytosynth worker', check address and SSH tunnel, or clear the address in "
            "the settings to compute on this machine."
        )

    def died(self, verb: str, why: str) -> WorkerDiedError:
        """Say that a worker ended in the middle of a job."""
        return WorkerDiedError(
            f"The worker at {self._url} ended in the middle of {verb} ({why}). What it "
            "had sent is kept; start the worker again and repeat, and the job goes on."
        )
