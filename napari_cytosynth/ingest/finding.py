"""Finds cells in this process: what the command line and tests use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.ingest.calibration import calibrate
from napari_cytosynth.ingest.crops import cut_crops
from napari_cytosynth.ingest.quality import measure_quality
from napari_cytosynth.ingest.tiles import Tiling, scan


class InlineFinder:
    """Implements :class:`napari_cytosynth.core.protocols.Finder` in this thread."""

    def calibrate(self, image: SmearImage, mpp: float | None = None) -> Calibration:
        """Measure a smear once, before its cells are looked for."""
        return calibrate(image, mpp)

    def scan(
        self, image: SmearImage, detector: str, calibration: Calibration, start: int
    ) -> Iterator[tuple[int, int, Detections]]:
        """Yield tiles done, tiles in all, and the nucleated cells of each tile."""
        plugin = load("detectors", detector)()
        yield from scan(image, plugin, calibration, tiling=Tiling(start=start))

    def crops(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Crops:
        """Cut a crop around the centre of each box."""
        return cut_crops(image, boxes, mpp)

    def measure(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Vectors:
        """Measure how sharp each cell is, and how torn the picture around it."""
        return measure_quality(image, boxes, mpp)

    def close(self) -> None:
        """Do nothing: there is nothing to end."""
