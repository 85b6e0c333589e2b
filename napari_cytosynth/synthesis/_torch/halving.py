"""Batches that halve where memory runs out, so that the work goes on.

Torch is imported only to look at an error that may be its own, so that work that needs
no torch can be run in the same way.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from napari_cytosynth.core.errors import MemoryShortError

T = TypeVar("T")
logger = logging.getLogger(__name__)

_SIGNS = (
    "out of memory",  # of MPS, and of CUDA where a library reports it
    "not enough memory",  # of the CPU's allocator
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class Halving:
    """A batch size that halves where memory runs out, and stays so.

    Keep one for each model and kind of work: what did not fit will not fit next time.

    Parameters
    ----------
    size : int
        Items in a batch at first, >= 1.
    what : str
        Names the work in the error: ``"embedding"``, ``"drawing cells"``.

    Attributes
    ----------
    size : int
        Items in a batch by now.
    """

    def __init__(self, size: int, what: str) -> None:
        self.size = size
        self._what = what

    def parts(
        self, start: int, stop: int, make: Callable[[int, int], Iterable[T]]
    ) -> Iterator[T]:
        """Work through items ``start`` to ``stop``, a batch after another.

        Parameters
        ----------
        start, stop : int
            First item, and the one after the last.
        make : callable
            Told the first item of a batch and the one after its last; gives signs of
            life, and the result last. A batch that did not fit is made again in halves,
            so what an item becomes must not depend on the batch that it is in.

        Raises
        ------
        MemoryShortError
            If one item alone does not fit.
        """
        while start < stop:
            end = min(start + self.size, stop)
            try:
                yield from make(start, end)
            except (RuntimeError, MemoryError) as error:
                self._halve(error, end - start)
            else:
                start = end
                continue
            # Out here the error is gone, and with it the frames that hold memory.
            _free()

    def attempt(self, step: Callable[[int], T]) -> T:
        """Return ``step(size)``, taken again with half the size where memory runs out.

        For a training step that splits its batch into parts of ``size``, sums their
        gradients, and begins by clearing those of an attempt that failed.

        Raises
        ------
        MemoryShortError
            If size 1 does not fit.
        """
        while True:
            size = self.size
            try:
                return step(size)
            except (RuntimeError, MemoryError) as error:
                self._halve(error, size)
            _free()

    def _halve(self, error: Exception, tried: int) -> None:
        """Take half of what was tried; raise what is no want of memory."""
        if not is_out_of_memory(error):
            raise error
        if tried <= 1:
            raise MemoryShortError(
                f"There is not enough memory for {self._what}, even one item at a time "
                f"({_first_line(error)}). Close other programs that use the "
                "GPU, or choose a smaller model or another worker."
            ) from error
        self.size = tried // 2
        logger.warning(
            "Memory ran out while %s in batches of %d; going on with %d.",
            self._what,
            tried,
            self.size,
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError):
        return True
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error) for s in _SIGNS)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _free() -> None:
    """Give back what no tensor uses any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
