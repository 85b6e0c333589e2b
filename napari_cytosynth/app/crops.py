"""Crops of real cells, kept in memory, so that the grid paints without waiting."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project

PAGE = 8
"""Crops that are read at once: those of a ranking lie scattered over the disk."""

KEPT = 1000
"""Crops kept in memory: 28 MB."""

Crop = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int64]


class CropCache:
    """Reads crops by the page; any thread may fill it.

    Parameters
    ----------
    project : Project
        Holds them.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._crops: OrderedDict[int, Crop] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, ids: Ids, row: int) -> Crop:
        """Return uint8[96, 96, 3] of the cell at ``row``, and read its page ahead."""
        crop = self._known(int(ids[row]))
        if crop is None:
            start = row - row % PAGE
            self.warm(ids[start : start + PAGE])
            crop = self._known(int(ids[row]))
        return _blank() if crop is None else crop

    def forget(self, cell: int) -> None:
        """Read a picture that was cut anew when it is wanted next."""
        with self._lock:
            self._crops.pop(int(cell), None)

    def forget_all(self) -> None:
        """Read all pictures anew when they are wanted next."""
        with self._lock:
            self._crops.clear()

    def warm(self, ids: Ids) -> None:
        """Read what is not there yet; cells struck out meanwhile are left out."""
        with self._lock:
            wanted = [i for i in ids.tolist() if i not in self._crops]
        try:
            crops = self._project.crops(wanted)
        except InputError:
            return
        with self._lock:
            self._crops.update(zip(wanted, crops, strict=True))
            while len(self._crops) > KEPT:
                self._crops.popitem(last=False)

    def _known(self, cell: int) -> Crop | None:
        with self._lock:
            if cell not in self._crops:
                return None
            self._crops.move_to_end(cell)
            return self._crops[cell]


def _blank() -> Crop:
    return np.full((CROP_PIXELS, CROP_PIXELS, 3), 255, np.uint8)
