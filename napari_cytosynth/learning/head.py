"""The classifier head: what a fit leaves, and how it is applied.

A head is coefficients and a temperature, kept as arrays and never as a pickle.
:mod:`napari_cytosynth.learning.fitting` makes one. That takes scikit-learn and may run
in another process; what is here takes numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import RLock
from typing import Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from napari_cytosynth.core.errors import InputError, WeightsError
from napari_cytosynth.core.protocols import TrainingSet, Vectors, Weights

STRENGTH = 16.0
"""C times the dimension: a longer vector needs a smaller C for the same freedom."""

_CHUNK = 8192
_FORMAT = "logistic head 1"


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Parameters
    ----------
    codes_ : tuple of str
        Class code of each column.
    coefficients : float32[classes, dim]
        On vectors as the embedder gives them.
    intercepts : float32[classes]
        One a class.
    temperature : float
        Logits are divided by it, > 0; already within the coefficients. Above 1 the bare
        fit was too sure of itself.
    """

    codes_: tuple[str, ...]
    coefficients: npt.NDArray[np.float32]
    intercepts: npt.NDArray[np.float32]
    temperature: float = 1.0

    @property
    def dim(self) -> int:
        """Length of the vectors that it takes."""
        return int(self.coefficients.shape[1])

    @cached_property
    def version(self) -> str:
        """First twelve digits of the SHA-256 of its weights."""
        return self.to_weights().sha256[:12]

    def predict_proba(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """Return calibrated probabilities.

        Parameters
        ----------
        vectors : float32[n, dim]
            Embeddings, finite.

        Returns
        -------
        float32[n, classes]
            Rows sum to 1.

        Raises
        ------
        InputError
            If the vectors have another length than those it was fitted on.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(
                f"A head of {self.dim} features was given vectors of shape "
                f"{vectors.shape}. Vectors must come from the embedder that it was "
                "fitted on; train again after a change of embedder."
            )
        out = np.empty((len(vectors), len(self.codes_)), np.float32)
        with one_thread():
            # Chunks stay in the processor's cache, which a million rows would not, and
            # classes come first so that the sums run along memory.
            for start in range(0, len(vectors), _CHUNK):
                logits = self.coefficients @ vectors[start : start + _CHUNK].T
                _softmax_in_place(logits, self.intercepts)
                out[start : start + _CHUNK] = logits.T
        return out

    def predict(self, vectors: Vectors) -> list[str]:
        """Return the likeliest class of each vector."""
        return [self.codes_[i] for i in self.predict_proba(vectors).argmax(axis=1)]

    def to_weights(self) -> Weights:
        """Return arrays and meta; :meth:`from_weights` reads them back."""
        tensors = {
            "coefficients": self.coefficients,
            "intercepts": self.intercepts,
            "temperature": np.array([self.temperature], np.float32),
        }
        return Weights(tensors, {"head": _FORMAT, "codes": list(self.codes_)})

    @classmethod
    def from_weights(cls, weights: Weights) -> Head:
        """Build a head from stored weights.

        Raises
        ------
        WeightsError
            If they are not those of such a head, or do not fit together.
        """
        if weights.meta.get("head") != _FORMAT:
            raise WeightsError(
                f"These weights say '{weights.meta.get('head')}', where '{_FORMAT}' is "
                "needed. They are not those of a head; train one."
            )
        codes = tuple(str(c) for c in weights.meta["codes"])
        head = cls(
            codes,
            np.asarray(weights.tensors["coefficients"], np.float32),
            np.asarray(weights.tensors["intercepts"], np.float32),
            float(weights.tensors["temperature"][0]),
        )
        if head.coefficients.ndim != 2 or not (
            len(codes) == len(head.coefficients) == len(head.intercepts)
        ):
            raise WeightsError(
                f"The weights of a head name {len(codes)} classes, and coefficients of "
                f"shape {head.coefficients.shape}. They are damaged; train again."
            )
        return head


class HeadFitter(Protocol):
    """Fits heads: here, or in a process beside; the result is the same."""

    def __call__(
        self,
        training: TrainingSet,
        *,
        previous: Head | None = None,
        groups: npt.NDArray[np.str_] | None = None,
        seed: int = 0,
        folds: int = 3,
    ) -> Head:
        """Fit a head; see :func:`napari_cytosynth.learning.fitting.fit_head`."""
        ...


def fitter_here() -> HeadFitter:
    """Return what fits heads in this process; it loads scikit-learn."""
    from napari_cytosynth.learning.fitting import fit_head

    return fit_head


def _softmax_in_place(
    logits: npt.NDArray[np.float32], intercepts: npt.NDArray[np.float32]
) -> None:
    logits += intercepts[:, None]
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra to one thread.

    Products this thin wait for memory, and fits this small for each other: more threads
    were up to ten times slower on a busy machine. The setting is the whole process's,
    so two heads take turns.
    """
    with _TURN, _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


_TURN = RLock()
