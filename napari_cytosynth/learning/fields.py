"""Which fields of view teach most if they are labelled whole.

A field is worth what its cells are, less what they repeat: a cell that looks like one
that is labelled, or like one counted before, adds little. That sum is submodular, so
taking the best field first, again and again, comes near the best choice of fields
(Nemhauser, Wolsey, Fisher 1978, Mathematical Programming 14), and a field whose worth
was no more than another's last time need not be looked at anew (Minoux 1978).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.metrics.neighbours import nearest

Floats = npt.NDArray[np.float64]
Points = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FieldCells:
    """Cells to rank fields by.

    Parameters
    ----------
    fields : intp[n]
        Field of each cell, ``0..count-1``.
    worth : float64[n]
        Worth of a label for each cell by itself, >= 0.
    points : float32[n, k]
        Where each lies, in a space of even axes.
    known : float32[l, k]
        Labelled cells.
    extra : float64[count]
        What each field is worth beside its cells, >= 0.
    """

    fields: npt.NDArray[np.intp]
    worth: Floats
    points: Points
    known: Points
    extra: Floats

    def best(self, n: int) -> list[tuple[int, float]]:
        """Return fields and what each adds to those before it, the best first.

        At most ``n``, and none that adds nothing.
        """
        rows = [np.flatnonzero(self.fields == f) for f in range(len(self.extra))]
        # The worthiest counts in full, and the others by what it leaves them.
        rows = [r[np.argsort(-self.worth[r], kind="stable")] for r in rows]
        apart = self._from_known()
        unit = self._unit()
        heap = [(-self._adds(f, r, apart, unit), f) for f, r in enumerate(rows)]
        heapq.heapify(heap)
        chosen: list[tuple[int, float]] = []
        while heap and len(chosen) < n:
            bound, field = heapq.heappop(heap)
            adds = self._adds(field, rows[field], apart, unit)
            if heap and adds < -heap[0][0] - 1e-12 and adds < -bound - 1e-12:
                heapq.heappush(heap, (-adds, field))
                continue
            if adds <= 0:
                break
            chosen.append((field, adds))
            counted = rows[field][self.worth[rows[field]] > 0]
            if len(counted):
                near = nearest(self.points, self.points[counted], 1)[0][:, 0]
                apart = np.minimum(apart, near)
        return chosen

    def _from_known(self) -> Floats:
        apart = np.full(len(self.points), np.inf)
        if len(self.known) and len(self.points):
            apart = nearest(self.points, self.known, 1)[0][:, 0]
        return apart

    def _unit(self) -> float:
        """Return the usual distance of a cell to its nearest: what is near is alike."""
        if len(self.points) < 2:
            return 1.0
        near = nearest(self.points, self.points, 1, leave_out_self=True)[0][:, 0]
        return float(np.median(near)) or 1.0

    def _adds(
        self, field: int, rows: npt.NDArray[np.intp], apart: Floats, unit: float
    ) -> float:
        """Return what a field adds to all that was counted before."""
        own, total = apart[rows].copy(), float(self.extra[field])
        for i, row in enumerate(rows):
            total += float(self.worth[row]) * float(-np.expm1(-((own[i] / unit) ** 2)))
            if i + 1 < len(rows):
                rest = self.points[rows[i + 1 :]] - self.points[row]
                own[i + 1 :] = np.minimum(own[i + 1 :], np.linalg.norm(rest, axis=1))
        return total
