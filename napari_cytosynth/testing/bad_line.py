"""A line that is slow, hangs, or breaks off: a TCP proxy before a real worker."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_POLL_SECONDS = 0.05
_JOIN_SECONDS = 10.0


class BadLine:
    """Passes bytes on between its own port and another, as long as it pleases.

    Parameters
    ----------
    port : int
        Where the worker listens on this machine.

    Attributes
    ----------
    port, port_behind : int
        Where it listens, and where it leads.
    rate : int
        Bytes a second that come back from the worker; 0: as many as there are.
    passed : int
        Bytes that came back so far.
    met : int
        Connections so far.
    """

    def __init__(self, port: int) -> None:
        self.rate = self.passed = self.met = 0
        self.port_behind = port
        self._flows, self._open = threading.Event(), True
        self._flows.set()
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._run(self._accept)

    def cut(self) -> None:
        """Break every connection off."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            _shut(end)

    def hang(self) -> None:
        """Pass nothing on any more, and say nothing: new connections hang too."""
        self._flows.clear()

    def heal(self) -> None:
        """Pass on again what is sent from now on; what hung is broken off."""
        self.cut()
        self._flows.set()

    def block(self) -> None:
        """Break all off, and refuse new connections until :meth:`open`."""
        self._open = False
        self.cut()

    def open(self) -> None:
        """Take connections again."""
        self._open = True

    def close(self) -> None:
        """End it."""
        _shut(self._listener)
        self._listener.close()
        self.block()
        self._flows.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _run(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            if not self._open:
                near.close()
                continue
            self.met += 1
            far = socket.create_connection(("127.0.0.1", self.port_behind))
            with self._lock:
                self._ends += [near, far]
            self._run(self._pass_on, near, far, False)
            self._run(self._pass_on, far, near, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with source, suppress(OSError):
            while data := source.recv(self._portion(back)):
                self._flows.wait()
                sink.sendall(data)
                if back:
                    self.passed += len(data)
                    if self.rate:
                        threading.Event().wait(len(data) / self.rate)
        _shut(sink)

    def _portion(self, back: bool) -> int:
        return max(1, int(self.rate * _POLL_SECONDS)) if back and self.rate else 65536


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
