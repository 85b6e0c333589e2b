"""The synthetic cells of a project, read when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.journal import Journal
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.store.backend import Backend


class Synthetics:
    """Synthetic cells by id; they have their own number range, from 1.

    Parameters
    ----------
    backend : Backend
        Where they lie.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._read: dict[int, SyntheticCell] | None = None

    @property
    def _cells(self) -> dict[int, SyntheticCell]:
        if self._read is None:
            self._read = {int(c.id): c for c in self._backend.synthetic()}
        return self._read

    def check(self, ids: Sequence[int]) -> None:
        """Raise InputError if one of these ids is no synthetic cell's."""
        for number in ids:
            if number not in self._cells:
                raise InputError(
                    f"Synthetic cell {number} is not in the project, which holds "
                    f"{len(self._cells)}. Give an id from synthetic()."
                )

    def add(
        self, cells: Sequence[SyntheticCell], row: int
    ) -> tuple[SyntheticCell, ...]:
        """Keep new cells, whose pictures start at ``row``; return them with ids."""
        first = max(self._cells, default=0) + 1
        added = tuple(
            replace(cell, id=SyntheticId(first + i)) for i, cell in enumerate(cells)
        )
        self._backend.save_synthetic(added, row)
        self._cells.update((int(c.id), c) for c in added)
        return added

    def set_status(self, ids: Sequence[SyntheticId], status: Status) -> None:
        """Change the stored status."""
        numbers = [int(i) for i in ids]
        self.check(numbers)
        self._backend.save_status(numbers, status)
        for number in numbers:
            self._cells[number] = replace(self._cells[number], status=status)

    def find(
        self, journal: Journal, code: str | None, status: Status | None
    ) -> tuple[SyntheticCell, ...]:
        """Return cells of a class and status, verdicts applied; None means any."""
        judged = (_judged(cell, journal) for cell in self._cells.values())
        return tuple(
            cell
            for cell in judged
            if code in (None, cell.code) and status in (None, cell.status)
        )


def _judged(cell: SyntheticCell, journal: Journal) -> SyntheticCell:
    verdict = journal.verdict(cell.id)
    if verdict is None:
        return cell
    return replace(cell, status=Status.ACCEPTED if verdict else Status.REJECTED)
