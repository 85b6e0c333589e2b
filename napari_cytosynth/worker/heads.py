"""Fits heads in a process beside the viewer, which then never loads scikit-learn.

The import alone takes two seconds, and a fit holds the interpreter's lock for as long
as it lasts. ``python -m napari_cytosynth.worker.heads`` answers each frame on standard
input with one on standard output.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import TrainingSet, Weights
from napari_cytosynth.learning.head import Head
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.side import serve
from napari_cytosynth.worker.wire import Frame, error_frame

COMMAND = (sys.executable, "-m", "napari_cytosynth.worker.heads")

_PREVIOUS = "previous."


class BesideFitter:
    """Implements :class:`napari_cytosynth.learning.head.HeadFitter` in a side process.

    Parameters
    ----------
    side : SideProcess
        Runs :data:`COMMAND`; closed by :meth:`close`. It starts with the first fit.
    """

    def __init__(self, side: SideProcess) -> None:
        self.side = side

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
        data: dict[str, Any] = {
            "verb": "head",
            "codes": list(training.codes),
            "groups": None if groups is None else groups.tolist(),
            "seed": seed,
            "folds": folds,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "vectors": training.vectors,
            "weights": training.weights,
        }
        if previous is not None:
            kept = previous.to_weights()
            data["previous"] = dict(kept.meta)
            arrays |= {_PREVIOUS + name: a for name, a in kept.tensors.items()}
        answer = self.side.ask(Frame(data, arrays))
        return Head.from_weights(Weights(dict(answer.arrays), answer.data["head"]))

    def close(self) -> None:
        """End the process."""
        self.side.close()


class FitDesk:
    """Answers questions for a head."""

    def __init__(self) -> None:
        # Imported here, and not by whoever only asks.
        from napari_cytosynth.learning.fitting import fit_head

        self._fit = fit_head

    def answer(self, question: Frame) -> Frame:
        """Return the answer; an error becomes a frame that says it."""
        try:
            head = self._fitted(question.data, question.arrays)
        except Exception as error:  # noqa: BLE001  crosses the process unchanged
            return error_frame(error)
        kept = head.to_weights()
        return Frame({"head": dict(kept.meta)}, kept.tensors)

    def close(self) -> None:
        """Keep nothing, release nothing."""

    def _fitted(self, data: Any, arrays: Any) -> Head:
        groups, previous = data["groups"], None
        if "previous" in data:
            tensors = {
                name.removeprefix(_PREVIOUS): array
                for name, array in arrays.items()
                if name.startswith(_PREVIOUS)
            }
            previous = Head.from_weights(Weights(tensors, data["previous"]))
        return self._fit(
            TrainingSet(arrays["vectors"], tuple(data["codes"]), arrays["weights"]),
            previous=previous,
            groups=None if groups is None else np.array(groups, np.str_),
            seed=data["seed"],
            folds=data["folds"],
        )


if __name__ == "__main__":
    serve(FitDesk())
