"""Views that draw nothing and remember what they were told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

from napari_cytosynth.app import synthetic_views, views


class FakeSignal:
    """Calls its slots at once, in the order in which they were connected."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any], /) -> None:
        """Call ``slot`` with what is emitted."""
        self._slots.append(slot)

    def emit(self, *args: Any) -> None:
        """Do what the user did."""
        for slot in self._slots:
            slot(*args)


class FakeView:
    """One panel: every signal of a protocol, and a record of every command.

    Parameters
    ----------
    protocol : type
        One of :mod:`napari_cytosynth.app.views`.

    Attributes
    ----------
    calls : list of (str, tuple)
        Commands with their arguments, oldest first.
    """

    def __init__(self, protocol: type) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name in get_type_hints(protocol):
            setattr(self, name, FakeSignal())
        for name, member in vars(protocol).items():
            if callable(member) and not name.startswith("_"):
                setattr(self, name, self._recorder(name))

    def _recorder(self, name: str) -> Callable[..., None]:
        def record(*args: Any) -> None:
            self.calls.append((name, args))

        return record

    def __getattr__(self, name: str) -> Any:
        # Only what the protocol does not name comes here.
        raise AttributeError(
            f"This panel has no '{name}'; see napari_cytosynth.app.views"
        )

    def shown(self, command: str) -> Any:
        """Return what the last ``command`` was given: its argument, or all of them."""
        args = next(args for name, args in reversed(self.calls) if name == command)
        return args[0] if len(args) == 1 else args

    def count(self, command: str) -> int:
        """Return how often ``command`` was called."""
        return sum(name == command for name, _ in self.calls)

    def forget(self) -> None:
        """Empty the record."""
        self.calls.clear()


class FakeViews:
    """All panels of a window that nobody sees; satisfies ``views.Views``."""

    def __init__(self) -> None:
        self.annotate: Any = FakeView(views.AnnotateView)
        self.classes: Any = FakeView(views.ClassesView)
        self.canvas: Any = FakeView(views.CanvasView)
        self.synthesize: Any = FakeView(synthetic_views.SynthesizeView)
        self.review: Any = FakeView(synthetic_views.ReviewView)
        self.evidence: Any = FakeView(views.EvidenceView)
        self.status: Any = FakeView(views.StatusView)
