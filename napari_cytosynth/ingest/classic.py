"""Finds nucleated cells by their stain, with no weights to download.

Nuclei hold more of the nuclear dye than the calibration's threshold; lobes of one
nucleus are joined; each nucleus grows over the cytoplasm around it to the whole cell.
All sizes are micrometres and hold for every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import find_contours
from skimage.segmentation import watershed

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.ingest.calibration import SMOOTH_UM, WORKING_MPP
from napari_cytosynth.ingest.stain import (
    Image32,
    Mask,
    nuclear_dye,
    smooth_density,
    unusable,
)

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ClassicConfig:
    """Sizes in micrometres; one set for all pictures."""

    speck_um: float = 0.6
    fragment_um2: float = 3.0
    nucleus_um2: float = 14.0
    lobe_um2: float = 32.0
    lobe_gap_um: float = 2.5
    cell_um: float = 17.0
    rim_um: float = 0.8
    reach_um: float = 6.0
    strand_um: float = 1.2


@dataclass
class ClassicDetector:
    """Threshold, distance and watershed.

    Parameters
    ----------
    config : ClassicConfig
        Sizes.
    kinds : tuple of ObjectKind
        What to look for.
    """

    config: ClassicConfig = field(default_factory=ClassicConfig)
    kinds: tuple[ObjectKind, ...] = tuple(ObjectKind)
    key: str = "classic"
    working_mpp: float = WORKING_MPP

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
        levels = calibration.thresholds
        density = smooth_density(tile, calibration.background, SMOOTH_UM / mpp)
        dye = nuclear_dye(density, calibration.stain_vectors)
        dye[unusable(tile, calibration.background, mpp)] = 0
        body = dye > levels["cytoplasm"]
        nuclei = _nuclei(dye > levels["nucleus"], body, config, mpp)
        cells = _grown(nuclei, body, config, mpp)
        return _measured(cells, nuclei, dye, levels["level"])


def _nuclei(mask: Mask, body: Mask, config: ClassicConfig, mpp: float) -> Labels:
    """Label nuclei, the lobes of one joined."""
    mask = ndimage.binary_fill_holes(_opened(mask, config.speck_um / mpp))
    fragments, count = ndimage.label(mask)
    areas = np.bincount(fragments.ravel(), minlength=count + 1) * mpp * mpp
    owner = _joined(fragments, areas, body, config, mpp)
    nuclei = owner[fragments]
    whole = np.bincount(nuclei.ravel(), minlength=count + 1) * mpp * mpp
    nuclei[(whole < config.nucleus_um2)[nuclei]] = 0
    return np.asarray(nuclei, np.int32)


def _joined(
    fragments: Labels,
    areas: npt.NDArray[np.floating],
    body: Mask,
    config: ClassicConfig,
    mpp: float,
) -> npt.NDArray[np.int32]:
    """Return, for each fragment, the number of the nucleus that it is a lobe of."""
    owner = np.arange(len(areas), dtype=np.int32)
    owner[areas < config.fragment_um2] = 0
    lobes = np.flatnonzero(owner)
    if len(lobes) < 2:
        return owner
    boxes = ndimage.find_objects(fragments)
    centres = np.array(ndimage.center_of_mass(fragments > 0, fragments, lobes)) * mpp
    radii = np.sqrt(areas[lobes] / np.pi)
    pairs = cKDTree(centres).query_pairs(config.cell_um, output_type="ndarray")
    gaps = np.hypot(*(centres[pairs[:, 0]] - centres[pairs[:, 1]]).T)
    gaps = gaps - radii[pairs].sum(axis=1)
    spans = {int(n): _span(boxes[n - 1]) * mpp for n in lobes}
    for k in np.lexsort((pairs[:, 1], pairs[:, 0], gaps)):
        i, j = pairs[k]
        a, b = int(owner[lobes[i]]), int(owner[lobes[j]])
        if a == b or gaps[k] > config.lobe_gap_um:
            continue
        # Only lobes join, and only within one cell's cytoplasm and size.
        span = np.array(
            [
                *np.minimum(spans[a][:2], spans[b][:2]),
                *np.maximum(spans[a][2:], spans[b][2:]),
            ]
        )
        if (
            max(areas[lobes[i]], areas[lobes[j]]) <= config.lobe_um2
            and (span[2:] - span[:2]).max() <= config.cell_um
            and _bridged(body, centres[i] / mpp, centres[j] / mpp)
        ):
            owner[owner == b] = a
            spans[a] = span
    return owner


def _span(where: tuple[slice, slice]) -> npt.NDArray[np.float64]:
    rows, columns = where
    return np.array([rows.start, columns.start, rows.stop, columns.stop], float)


def _bridged(
    body: Mask, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
) -> bool:
    """Tell whether the straight line between two points runs through cytoplasm."""
    steps = int(np.abs(end - start).max()) + 2
    rows, columns = np.linspace(start, end, steps).astype(int).T
    return bool(body[rows, columns].mean() > 0.85)


def _grown(nuclei: Labels, body: Mask, config: ClassicConfig, mpp: float) -> Labels:
    """Grow each nucleus over the cytoplasm around it."""
    away = ndimage.distance_transform_edt(nuclei == 0) * mpp
    within = _opened(body & (away < config.reach_um), config.strand_um / mpp)
    within |= away <= config.rim_um
    return np.asarray(watershed(away, nuclei, mask=within), np.int32)


def _measured(cells: Labels, nuclei: Labels, dye: Image32, level: float) -> Detections:
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
        scores.append(_score(dye[where][nuclei[where] == number], level))
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


def _score(dye: npt.NDArray[np.float32], level: float) -> float:
    """Return how fully a nucleus is dyed, against common nuclei of the smear, 0..1."""
    return float(np.clip(np.mean(dye) / level, 0.0, 1.0))


def _outline(mask: Mask, x: int, y: int) -> npt.NDArray[np.float32]:
    """Return the polygon float32[k, 2] around a mask, corner-based."""
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    longest = max(contours, key=len)[:-1]
    return np.asarray(longest[:, ::-1] - 0.5 + [x, y], np.float32)


def _disc(radius: float) -> Mask:
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x * x + y * y <= radius * radius, bool)


def _opened(mask: Mask, radius: float) -> Mask:
    return np.asarray(ndimage.binary_opening(mask, _disc(radius)), bool)
