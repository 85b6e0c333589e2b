"""Finds nucleated cells by their stain, with no weights to download.

Nuclei are purple above the calibration's threshold; lobes of one nucleus are joined; each
nucleus grows over the cytoplasm around it to the whole cell. All sizes are micrometres and
hold for every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import find_contours
from skimage.segmentation import watershed

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.ingest.stain import Image32, purple

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ClassicConfig:
    """Sizes in micrometres; one set for all pictures."""

    smooth_um: float = 0.5
    lobe_gap_um: float = 1.5
    nucleus_um2: float = 14.0
    rim_um: float = 0.6
    reach_um: float = 5.0
    speck_um: float = 0.8


@dataclass(frozen=True)
class ClassicDetector:
    """Threshold, distance and watershed.

    Parameters
    ----------
    config : ClassicConfig
        Sizes.
    kinds : tuple of ObjectKind
        What to look for.
    """

    config: ClassicConfig = ClassicConfig()
    kinds: tuple[ObjectKind, ...] = tuple(ObjectKind)
    key: str = "classic"
    working_mpp: float = 0.4

    def only(self, kinds: Sequence[ObjectKind]) -> Detector:
        """Return a detector that looks for these kinds alone."""
        return replace(self, kinds=tuple(kinds))

    def detect(
        self, tile: npt.NDArray[np.uint8], calibration: Calibration
    ) -> Detections:
        """Find cells in a tile.

        Parameters
        ----------
        tile : uint8[y, x, 3]
            Pixels at ``calibration.mpp``.
        calibration : Calibration
            Of the whole smear.

        Returns
        -------
        Detections
            In the tile's pixels.
        """
        if min(tile.shape[:2]) < 3:
            return Detections.empty()
        mpp, config = calibration.mpp, self.config
        dye = ndimage.gaussian_filter(
            purple(tile, calibration.background), config.smooth_um / mpp, truncate=3
        )
        nuclei = _nuclei(dye, calibration.thresholds["nucleus"], config, mpp)
        cells = _grown(nuclei, dye, calibration.thresholds["cytoplasm"], config, mpp)
        return _measured(cells, dye, calibration.thresholds["nucleus"])


def _nuclei(
    dye: Image32, threshold: float, config: ClassicConfig, mpp: float
) -> Labels:
    """Label nuclei, the lobes of one joined."""
    mask = _opened(dye > threshold, config.speck_um / mpp)
    mask = ndimage.binary_fill_holes(mask)
    joined = _dilated(mask, config.lobe_gap_um / 2 / mpp)
    labels, count = ndimage.label(joined)
    labels[~mask] = 0
    areas = np.bincount(labels.ravel(), minlength=count + 1) * mpp * mpp
    labels[(areas < config.nucleus_um2)[labels]] = 0
    return np.asarray(labels, np.int32)


def _grown(
    nuclei: Labels, dye: Image32, threshold: float, config: ClassicConfig, mpp: float
) -> Labels:
    """Grow each nucleus over the cytoplasm around it."""
    away = ndimage.distance_transform_edt(nuclei == 0) * mpp
    body = _opened((dye > threshold) & (away < config.reach_um), config.speck_um / mpp)
    body |= away <= config.rim_um
    return np.asarray(watershed(away, nuclei, mask=body), np.int32)


def _measured(cells: Labels, dye: Image32, threshold: float) -> Detections:
    """Turn labels into boxes, scores and outlines."""
    height, width = cells.shape
    boxes, scores, edges, outlines = [], [], [], []
    for number, where in enumerate(ndimage.find_objects(cells), start=1):
        if where is None:
            continue
        rows, columns = where
        mask = cells[where] == number
        boxes.append(
            (
                columns.start,
                rows.start,
                columns.stop - columns.start,
                rows.stop - rows.start,
            )
        )
        scores.append(_score(dye[where][mask], threshold))
        edges.append(
            rows.start == 0
            or columns.start == 0
            or rows.stop == height
            or columns.stop == width
        )
        outlines.append(_outline(mask, columns.start, rows.start))
    if not boxes:
        return Detections.empty()
    return Detections(
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        np.array(edges, bool),
        outlines,
        np.full(len(boxes), ObjectKind.NUCLEATED, np.uint8),
    )


def _score(dye: npt.NDArray[np.float32], threshold: float) -> float:
    """Return how far the darkest part lies above the threshold, 0..1."""
    dark = float(np.percentile(dye, 90))
    return float(np.clip((dark - threshold) / max(threshold, 0.1), 0.0, 1.0))


def _outline(mask: Mask, x: int, y: int) -> npt.NDArray[np.float32]:
    """Return the polygon float32[k, 2] around a mask, corner-based."""
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    longest = max(contours, key=len)[:-1]
    return (longest[:, ::-1] - 0.5 + [x, y]).astype(np.float32)


def _disc(radius: float) -> Mask:
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x * x + y * y <= radius * radius, bool)


def _opened(mask: Mask, radius: float) -> Mask:
    return np.asarray(ndimage.binary_opening(mask, _disc(radius)), bool)


def _dilated(mask: Mask, radius: float) -> Mask:
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius, bool)
