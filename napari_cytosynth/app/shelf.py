"""The synthetic cells of a project, held ready for the tab and the mosaic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.provenance import Status, SyntheticCell


class Shelf:
    """Synthetic cells that the gate let through, in order of making."""

    def __init__(self) -> None:
        self._cells: dict[SyntheticId, SyntheticCell] = {}
        self._counts: Counter[tuple[str, Status]] = Counter()

    def __len__(self) -> int:
        return len(self._cells)

    def __contains__(self, number: object) -> bool:
        return number in self._cells

    def __getitem__(self, number: SyntheticId) -> SyntheticCell:
        return self._cells[number]

    def put(self, cells: Iterable[SyntheticCell]) -> None:
        """Take in stored cells; what a critic dropped stays out."""
        for cell in cells:
            if cell.status is not Status.DROPPED:
                self._forget(cell.id)
                self._cells[cell.id] = cell
                self._counts[cell.code, cell.status] += 1

    def set_status(self, number: SyntheticId, status: Status) -> None:
        """Change where one cell stands."""
        self.put([replace(self._cells[number], status=status)])

    def _forget(self, number: SyntheticId) -> None:
        # The dictionary keeps the place of a key that is set again: the order stays.
        if number in self._cells:
            old = self._cells[number]
            self._counts[old.code, old.status] -= 1

    def ids(self, code: str = "") -> tuple[SyntheticId, ...]:
        """Return the cells of a class, or all for an empty code, in order of making."""
        return tuple(n for n, c in self._cells.items() if code in ("", c.code))

    def count(self, code: str, status: Status) -> int:
        """Return how many cells of a class stand so."""
        return self._counts[code, status]
