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
        self._open = True
        self._flows: list[threading.Event] = []
        self.mend()
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
        """Pass nothing on any more, not even an end: new connections hang too."""
        self._flows[-1].clear()

    def mend(self) -> None:
        """Pass on what new connections send; those that hang go on to hang."""
        self._flows.append(threading.Event())
        self._flows[-1].set()

    def heal(self) -> None:
        """Break off what hangs, and pass on what new connections send."""
        self.cut()
        self.mend()

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
        for flow in self._flows:
            flow.set()
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
            self._run(self._pass_on, (near, far), self._flows[-1], False)
            self._run(self._pass_on, (far, near), self._flows[-1], True)

    def _pass_on(
        self,
        ends: tuple[socket.socket, socket.socket],
        flows: threading.Event,
        back: bool,
    ) -> None:
        source, sink = ends
        with source, suppress(OSError):
            while data := source.recv(self._portion(back)):
                flows.wait()
                sink.sendall(data)
                if back:
                    self.passed += len(data)
                    if self.rate:
                        threading.Event().wait(len(data) / self.rate)
        flows.wait()
        _shut(sink)

    def _portion(self, back: bool) -> int:
        return max(1, int(self.rate * _POLL_SECONDS)) if back and self.rate else 65536


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
