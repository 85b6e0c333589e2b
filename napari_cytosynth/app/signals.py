"""What a presenter needs of a signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class SignalLike(Protocol):
    """A psygnal or Qt signal."""

    def connect(self, slot: Callable[..., Any], /) -> Any:
        """Call ``slot`` with what is emitted."""
        ...
