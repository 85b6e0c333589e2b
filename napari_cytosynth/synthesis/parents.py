"""Real cells that a draw begins with: a variation, or a cell in new surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import (
    Crops,
    LabelledCells,
    Request,
    Setting,
    Weights,
)

STRATEGIES = {
    "class": "a new cell",
    "variation": "a real cell, changed as far as the strength says",
    "inpaint": "a real cell kept, what surrounds it new",
    "in-then-out": "a new cell in a real cell's place, then new surroundings",
}
"""Ways to make a cell, and what each makes. All but the first begin with a real one."""

MANNER = Setting(
    "strategy",
    "Made as",
    "What a synthetic cell begins with; all but the first need a labelled cell.",
    "class",
    STRATEGIES,
)
"""Which of :data:`STRATEGIES`."""

MANY = 32
"""Real cells kept of the class that a fit is for."""

FEW = 4
"""Real cells kept of each class, where a fit is for all."""


@dataclass(frozen=True, slots=True)
class Parents:
    """The real cells of a request, and which of them each draw begins with.

    Parameters
    ----------
    ids : int64[n]
        Cell ids; none where draws begin with nothing.
    crops : uint8[n, 96, 96, 3]
        Their pictures.
    key : sequence of int
        Seed and class: a draw's parent depends on these and its number only.
    """

    ids: npt.NDArray[np.int64]
    crops: Crops
    key: Sequence[int]

    @staticmethod
    def kept(cells: LabelledCells, only: str) -> dict[str, npt.NDArray[Any]]:
        """Return what a fit keeps of real cells: of class ``only``, or of each."""
        most = MANY if only else FEW
        rows: list[int] = []
        for code in sorted({only} if only else set(cells.codes)):
            own = [i for i, c in enumerate(cells.codes) if c == code]
            rng = np.random.default_rng([len(own), *code.encode()])
            rows += sorted(rng.permutation(own)[:most].tolist())
        order = sorted(set(cells.codes))
        classes = [order.index(cells.codes[i]) for i in rows]
        return {
            "parents.id": cells.ids[rows].astype(np.int64),
            "parents.crops": cells.crops[rows],
            "parents.class": np.array(classes, np.int64),
        }

    @classmethod
    def of(cls, weights: Weights, request: Request, strategy: str) -> Parents:
        """Return the parents of a request; none for a strategy that needs none.

        Raises
        ------
        InputError
            If the strategy begins with a real cell and there is none of the class.
        """
        key = [request.seed, *request.code.encode()]
        if strategy == "class":
            return cls(np.zeros(0, np.int64), np.zeros((0, 96, 96, 3), np.uint8), key)
        codes: list[str] = weights.meta.get("codes", [])
        own = np.zeros(0, bool)
        if request.code in codes and "parents.class" in weights.tensors:
            own = weights.tensors["parents.class"] == codes.index(request.code)
        demand_parent(strategy, request.code, int(own.sum()))
        tensors = weights.tensors
        return cls(tensors["parents.id"][own], tensors["parents.crops"][own], key)

    def id_of(self, number: int) -> int | None:
        """Return the id of the real cell that draw ``number`` begins with, if any."""
        return int(self.ids[self._row(number)]) if len(self.ids) else None

    def pictures(self, numbers: Sequence[int]) -> Crops | None:
        """Return ``uint8[n, 96, 96, 3]``: what each draw begins with, if anything."""
        if not len(self.ids):
            return None
        return self.crops[[self._row(number) for number in numbers]]

    def _row(self, number: int) -> int:
        rng = np.random.default_rng([*self.key, number, 2])
        return int(rng.integers(len(self.ids)))


def strength_of(value: float) -> Setting:
    """Return how far a variation may go, where ``value`` is what it is by itself."""
    return Setting(
        "strength",
        "Strength",
        "How far a variation leaves its cell: 0.3 stays near, 1 keeps nothing.",
        value,
        low=0.05,
        high=1.0,
        needs=("strategy", "variation"),
    )


def demand_parent(strategy: str, code: str, real: int) -> None:
    """Refuse a strategy that begins with a real cell where there is none.

    Raises
    ------
    InputError
        If ``real``, the number of labelled cells of ``code``, does not do.
    """
    if strategy != "class" and not real:
        raise InputError(
            f"Strategy '{strategy}' begins with a real cell, and no labelled cell of "
            f"class '{code}' is at hand. Label one, or choose strategy 'class'."
        )
