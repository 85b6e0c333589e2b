"""The synthetic cells of a project, held ready for the tab and the mosaic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.workflows.review import REFUSED, lets_through, vetoes_of

_WORDS = {
    "": "all that passed the gate",
    Status.PROPOSED.value: "waiting for a verdict",
    Status.ACCEPTED.value: "accepted",
    Status.REJECTED.value: "rejected",
    "unverified": "unverified",
    "uncalibrated": "a critic not calibrated",
    Status.DROPPED.value: "dropped by the gate",
}
_ALWAYS = ("", "proposed", "accepted", "rejected")


class Shelf:
    """Judged synthetic cells, in order of making.

    What a critic dropped lies here too, to be looked at when asked for; it is in no
    list and no count otherwise.
    """

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
        """Take in stored cells."""
        for cell in cells:
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

    def ids(self, code: str = "", sieve: str = "") -> tuple[SyntheticId, ...]:
        """Return cells in order of making.

        Parameters
        ----------
        code : str
            Class; empty: any.
        sieve : str
            See :func:`napari_cytosynth.workflows.review.lets_through`; empty: what the
            gate let through.
        """
        return tuple(
            number
            for number, cell in self._cells.items()
            if code in ("", cell.code) and lets_through(sieve, cell)
        )

    def sieves(self, code: str = "") -> tuple[tuple[str, str, int], ...]:
        """Return what cells of a class can be sifted by: key, words, how many.

        All that passed and each status are always there, the others where a cell is.
        """
        cells = [c for c in self._cells.values() if code in ("", c.code)]
        keys = dict.fromkeys(REFUSED + key for cell in cells for key in vetoes_of(cell))
        refused = {k: f"refused by {k.removeprefix(REFUSED)}" for k in keys}
        counted = [
            (key, said, sum(lets_through(key, cell) for cell in cells))
            for key, said in (_WORDS | refused).items()
        ]
        return tuple(s for s in counted if s[2] or s[0] in _ALWAYS)

    def count(self, code: str, status: Status) -> int:
        """Return how many cells of a class stand so."""
        return self._counts[code, status]
