"""Finds nucleated cells by their stain, with no weights to download.

Nuclei hold more of the nuclear dye than the calibration's threshold; lobes of one
nucleus are joined; each nucleus grows over the cytoplasm around it to the whole cell.
All sizes are micrometres and hold for every picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours
from skimage.segmentation import watershed

from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.protocols import Detector
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.ingest.calibration import SMOOTH_UM, WORKING_MPP
from napari_cytosynth.ingest.clear import RoundedConfig, rounded
from napari_cytosynth.ingest.erythroid import (
    Outline,
    RedConfig,
    beside_cells,
    clear_of,
    platelets,
    red_cells,
)
from napari_cytosynth.ingest.lobes import LobeConfig, join_lobes
from napari_cytosynth.ingest.masks import Labels, areas_of, holes_filled, opened
from napari_cytosynth.ingest.stain import (
    Image32,
    Mask,
    nuclear_dye,
    optical_density,
    painted,
    smooth_density,
    unusable,
)
from napari_cytosynth.ingest.touching import NeckConfig, part_touching
from napari_cytosynth.ingest.wholeness import WholeConfig, cut_apart

DOUBTED = 0.45
"""Least mean dye of what may be a nucleus, as a share of common nuclei."""

EDGE = 0.8
"""Dye at its edge, as a share of the smear's threshold."""

PLACE_CHANCE = 0.3
"""Share of the places seen so, and not seen else, that are cells: 2 of 7 in 146 fields
of blood with every white cell marked, where the detector had missed 3 of 188."""

_OUTLINE_PIXELS = 0.4  # how far a drawn outline may stray from the mask's


@dataclass(frozen=True, slots=True)
class ClassicConfig:
    """Sizes in micrometres; one set for all pictures.

    Parameters
    ----------
    speck_um : float
        Radius below which a piece of nuclear dye is a speck.
    edge : float
        Dye at the edge of a nucleus, as a share of the smear's threshold.
    hole_um2 : float
        Largest pale spot within a nucleus that still belongs to it.
    nucleus_um2 : float
        Smallest nucleus, lobes together.
    dark : float
        Least mean dye of a nucleus, as a share of common nuclei.
    small_um2, small_dark : float
        A nucleus smaller than this is as dark as this.
    rim_um : float
        Cytoplasm that every cell has, however pale.
    reach_um : float
        Farthest that cytoplasm reaches from the nucleus.
    red_reach_um : float
        The same, for cytoplasm as red as red cells.
    red_ring_um, red_ring : float
        Width of the ring around a nucleus that such cytoplasm fills, and the least
        share that it fills; of the ring beyond its reach, at most the rest is as red.
    strand_um : float
        Half the width of strands that are cut off the cytoplasm.
    platelet : float
        Dye of a platelet at least, as a share of that of nuclei.
    necks, lobes, wholes, red : NeckConfig, LobeConfig, WholeConfig, RedConfig
        What parts nuclei, what may join them, and what makes one cell of them; sizes
        of red cells and platelets.
    """

    speck_um: float = 0.6
    edge: float = 1.0
    hole_um2: float = 12.0
    nucleus_um2: float = 14.0
    dark: float = 0.58
    small_um2: float = 25.0
    small_dark: float = 0.7
    rim_um: float = 0.8
    reach_um: float = 5.5
    red_reach_um: float = 4.0
    red_ring_um: float = 1.2
    red_ring: float = 0.6
    strand_um: float = 1.2
    platelet: float = 0.2
    necks: NeckConfig = field(default_factory=NeckConfig)
    lobes: LobeConfig = field(default_factory=LobeConfig)
    lobed: RoundedConfig = field(default_factory=RoundedConfig)
    wholes: WholeConfig = field(default_factory=WholeConfig)
    red: RedConfig = field(default_factory=RedConfig)


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
    place_chance: float = PLACE_CHANCE

    def doubting(self) -> Detector:
        """Return a detector that refuses less: for places to look at, not for cells."""
        config = replace(self.config, dark=DOUBTED, small_dark=DOUBTED, edge=EDGE)
        return replace(self, config=config)

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
        # Red cells are told by edges, however pale they are.
        if ObjectKind.RED_CELL not in self.kinds and _is_bare(tile, calibration):
            return Detections.empty()
        seen = _Seen.of(tile, calibration)
        cells, nuclei, islands = self._nucleated(seen)
        found = [_measured(cells, ObjectKind.NUCLEATED, seen.share, nuclei)]
        if ObjectKind.PLATELET in self.kinds:
            red, levels = self.config.red, self._platelet_levels(seen)
            free = clear_of(cells > 0, red, seen.mpp) | islands
            loose = platelets(seen.dye, free, levels, red, seen.mpp)
            found.append(_measured(loose, ObjectKind.PLATELET, seen.share, loose))
        if ObjectKind.RED_CELL in self.kinds:
            taken = (cells > 0) | seen.blind
            green, floor = seen.density[..., 1], seen.levels["red"]
            cells_and_scores = red_cells(green, taken, floor, self.config.red, seen.mpp)
            found.append(_outlined(*cells_and_scores, cells.shape))
        return Detections.concatenate(found)

    def _nucleated(self, seen: _Seen) -> tuple[Labels, Labels, Mask]:
        """Return the labels of cells and of their nuclei, and what lies beside them."""
        mpp, config, levels = seen.mpp, self.config, seen.levels
        body = seen.dye > levels["cytoplasm"]
        stained = (seen.density[..., 1] > levels["red"]) & ~seen.blind
        edge = config.edge * levels["nucleus"]
        pieces, count = _pieces(seen.dye > edge, config, mpp)
        nuclei = join_lobes(pieces, count, body | stained, config.lobes, mpp)
        areas = areas_of(nuclei, count) * mpp * mpp
        nuclei[(areas < config.nucleus_um2)[nuclei]] = 0
        nuclei = _without_pale(nuclei, seen.share, config, mpp)
        pieces[nuclei == 0] = 0
        islands = beside_cells(
            seen.dye, nuclei > 0, self._platelet_levels(seen), config.red, mpp
        )
        around = (body & ~islands, stained & ~islands)
        grounds = _grown(nuclei, pieces, around, config, mpp)
        groups = np.zeros(count + 1, np.int32)
        groups[pieces] = nuclei
        cells = cut_apart(groups, pieces, grounds, config.wholes, mpp)
        nuclei = cells[pieces]
        whole = rounded(cells[grounds], nuclei, seen.blind, config.lobed, mpp)
        return whole, nuclei, islands & (whole == 0)

    def _platelet_levels(self, seen: _Seen) -> tuple[float, float]:
        """Return the dye at the edge and in the middle of a platelet, at least."""
        edge = seen.levels["cytoplasm"]
        return edge, max(self.config.platelet * seen.levels["level"], edge)


def _is_bare(tile: npt.NDArray[np.uint8], calibration: Calibration) -> bool:
    """Tell whether no pixel can hold the dye of cytoplasm, as on glass without a cell.

    Blurring only brings pixels nearer to each other, so what the extremes of the
    channels do not reach nothing in the tile does.
    """
    extremes = np.stack([tile.min(axis=(0, 1)), tile.max(axis=(0, 1))])
    densities = optical_density(extremes, calibration.background)
    corners = np.array(list(product(*densities.T)), np.float32)
    dye = float(nuclear_dye(corners, calibration.stain_vectors).max())
    return dye < calibration.thresholds["cytoplasm"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tile as its stain shows it."""

    density: Image32
    dye: Image32
    blind: Mask
    levels: Mapping[str, float]
    mpp: float

    @classmethod
    def of(cls, tile: npt.NDArray[np.uint8], calibration: Calibration) -> _Seen:
        """Measure a tile; rims and frames hold no dye."""
        mpp, glass = calibration.mpp, calibration.background
        density = smooth_density(tile, glass, SMOOTH_UM / mpp)
        blind = unusable(tile, glass, mpp) | painted(tile, glass, mpp)
        dye = nuclear_dye(density, calibration.stain_vectors)
        dye[blind] = 0
        return cls(density, dye, blind, calibration.thresholds, mpp)

    @property
    def share(self) -> Image32:
        """Return the dye as a share of that of common nuclei."""
        return np.asarray(self.dye / np.float32(self.levels["level"]), np.float32)


def _pieces(mask: Mask, config: ClassicConfig, mpp: float) -> tuple[Labels, int]:
    """Label pieces of nuclei, and count them."""
    whole = holes_filled(opened(mask, config.speck_um / mpp), config.hole_um2 / mpp**2)
    return part_touching(whole, config.necks, mpp)


def _without_pale(
    nuclei: Labels, share: Image32, config: ClassicConfig, mpp: float
) -> Labels:
    """Take away what is not as dark as nuclei are: platelets, dirt, red cells."""
    count = int(nuclei.max(initial=0))
    areas = areas_of(nuclei, count)
    dark = np.bincount(nuclei.ravel(), share.ravel(), count + 1) / np.maximum(areas, 1)
    small = areas * mpp * mpp < config.small_um2
    pale = dark < np.where(small, config.small_dark, config.dark)
    nuclei[pale[nuclei]] = 0
    return nuclei


def _grown(
    nuclei: Labels,
    pieces: Labels,
    around: tuple[Mask, Mask],
    config: ClassicConfig,
    mpp: float,
) -> Labels:
    """Grow each piece of a nucleus over cytoplasm: dyed, or red like red cells."""
    body, stained = around
    if not nuclei.any():
        return nuclei
    away = ndimage.distance_transform_edt(nuclei == 0) * mpp
    body = body | _red_cytoplasm(nuclei, away, stained & ~body, config)
    within = opened(body & (away < config.reach_um), config.strand_um / mpp)
    within |= away <= config.rim_um
    return np.asarray(watershed(away, pieces, mask=within), np.int32)


def _red_cytoplasm(
    nuclei: Labels, away: npt.NDArray[np.float64], red: Mask, config: ClassicConfig
) -> Mask:
    """Mark cytoplasm as red as red cells: of eosinophils and late erythroblasts.

    It counts where it closes around the nucleus and ends near it; red cells only touch
    a cell, or crowd on without end.
    """
    width, reach = config.red_ring_um, config.red_reach_um
    near = watershed(away, nuclei, mask=away < reach + width)
    inner = (away > config.rim_um) & (away <= config.rim_um + width)
    outer = away >= reach
    closed = _share(red & inner, inner, near) > config.red_ring
    ends = _share(red & outer, outer, near) < 1 - config.red_ring
    surrounded = closed & ends
    surrounded[0] = False
    return np.asarray(red & surrounded[near] & (away < reach), bool)


def _share(part: Mask, whole: Mask, labels: Labels) -> npt.NDArray[np.float64]:
    """Return, for each label, the share of ``whole`` that is ``part``."""
    count = int(labels.max()) + 1
    parts = np.bincount(labels[part], minlength=count)
    shares: npt.NDArray[np.float64] = parts / np.maximum(
        np.bincount(labels[whole], minlength=count), 1
    )
    return shares


def _measured(
    labels: Labels, kind: ObjectKind, share: Image32, inner: Labels
) -> Detections:
    """Turn labels into boxes, scores and outlines.

    The score is how fully the pixels of the same label in ``inner`` are dyed, against
    common nuclei of the smear, 0..1.
    """
    height, width = labels.shape
    boxes, scores, edges, outlines = [], [], [], []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        if where is None:
            continue
        rows, columns = where
        size = (columns.stop - columns.start, rows.stop - rows.start)
        boxes.append((columns.start, rows.start, *size))
        dyed = share[where][inner[where] == number]
        scores.append(float(np.clip(np.mean(dyed), 0.0, 1.0)))
        cut_above = rows.start == 0 or columns.start == 0
        edges.append(cut_above or rows.stop == height or columns.stop == width)
        outlines.append(_outline(labels[where] == number, columns.start, rows.start))
    if not boxes:
        return Detections.empty()
    return Detections(
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        np.array(edges, bool),
        outlines,
        np.full(len(boxes), kind, np.uint8),
    )


def _outlined(
    outlines: list[Outline], scores: list[float], shape: tuple[int, ...]
) -> Detections:
    """Turn outlines of red cells into detections."""
    if not outlines:
        return Detections.empty()
    low = np.array([o.min(axis=0) for o in outlines])
    high = np.array([o.max(axis=0) for o in outlines])
    cut = (low <= 0) | (high >= shape[::-1])
    return Detections(
        np.concatenate([low, high - low], axis=1).astype(np.float32),
        np.array(scores, np.float32),
        np.asarray(cut.any(axis=1), bool),
        outlines,
        np.full(len(outlines), ObjectKind.RED_CELL, np.uint8),
    )


def _outline(mask: Mask, x: int, y: int) -> npt.NDArray[np.float32]:
    """Return the polygon float32[k, 2] around a mask, corner-based."""
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    longest = approximate_polygon(max(contours, key=len), _OUTLINE_PIXELS)[:-1]
    return np.asarray(longest[:, ::-1] - 0.5 + [x, y], np.float32)
