"""Red cells: outlines of discs whose size and place are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.ingest.erythroid import RedConfig, red_cells
from napari_cytosynth.ingest.rounds import RoundConfig, Rounds, find_rounds

MPP = 0.4
STAIN = 0.15
THRESHOLD = 0.04
FULL = 0.55 * THRESHOLD
RADIUS = 3.6  # of the steepest edge
REACH = RADIUS + RoundConfig().rim_um  # real cells fade out beyond it


def field(
    *cells: tuple[float, float], inner: float = 0.0, size: int = 80
) -> np.ndarray:
    """Paint cells at x, y micrometres; stain adds up where they overlap."""
    y, x = (np.mgrid[:size, :size] + 0.5) * MPP
    density = np.zeros((size, size))
    for cx, cy in cells:
        away = np.hypot(x - cx, y - cy)
        density += STAIN * ((away < RADIUS) & (away >= inner))
    return ndimage.gaussian_filter(density, 0.5 / MPP).astype(np.float32)


def rounds_in(density: np.ndarray, free: np.ndarray | None = None) -> Rounds:
    free = np.ones(density.shape, bool) if free is None else free
    return find_rounds(density, free, FULL, RoundConfig(), MPP)


def boxes_in(density: np.ndarray, taken: np.ndarray | None = None) -> np.ndarray:
    taken = np.zeros(density.shape, bool) if taken is None else taken
    outlines, scores = red_cells(density, taken, THRESHOLD, RedConfig(), MPP)
    assert all(0 <= score <= 1 for score in scores)
    low = np.array([o.min(axis=0) for o in outlines]).reshape(-1, 2)
    high = np.array([o.max(axis=0) for o in outlines]).reshape(-1, 2)
    return np.concatenate([low, high - low], axis=1)


def box_of(cx: float, cy: float) -> np.ndarray:
    return np.array([[cx - REACH, cy - REACH, 2 * REACH, 2 * REACH]]) / MPP


def test_one_disc_has_one_outline_of_its_size_and_place() -> None:
    boxes = boxes_in(field((15.3, 16.9)))
    assert len(boxes) == 1
    assert box_iou(boxes, box_of(15.3, 16.9))[0, 0] > 0.85


def test_a_ring_is_outlined_outside() -> None:
    boxes = boxes_in(field((16, 16), inner=1.6))
    assert len(boxes) == 1
    assert box_iou(boxes, box_of(16, 16))[0, 0] > 0.85


@pytest.mark.parametrize("apart", [1.3, 1.6, 2.0])
def test_overlapping_and_touching_cells_are_two(apart: float) -> None:
    half = apart * RADIUS / 2
    boxes = boxes_in(field((16 - half, 16), (16 + half, 16)))
    assert len(boxes) == 2
    for cx in (16 - half, 16 + half):
        assert box_iou(boxes, box_of(cx, 16)).max() > 0.7


def test_a_cell_that_the_border_cuts_is_outlined_as_far_as_it_shows() -> None:
    density = field((1.2, 16))
    rounds = rounds_in(density)
    best = (rounds.support * rounds.strength).argmax()
    assert not rounds.whole[best]
    assert rounds.outlines[best][:, 0].min() < 0
    boxes = boxes_in(density)
    assert len(boxes) == 1
    assert boxes[0, 0] == 0
    assert boxes[0, 2] * MPP == pytest.approx(1.2 + REACH, abs=0.5)


def test_support_is_the_share_of_the_outline_where_stain_falls_off() -> None:
    density = field((16, 16))
    free = np.ones(density.shape, bool)
    whole = rounds_in(density).support.max()
    free[:, :40] = False
    half = rounds_in(density, free).support.max()
    assert whole > 0.95
    assert half == pytest.approx(0.5, abs=0.15)


def test_a_straight_edge_and_even_stain_are_no_cells() -> None:
    density = np.zeros((80, 80), np.float32)
    density[:, 40:] = STAIN
    assert len(boxes_in(ndimage.gaussian_filter(density, 0.5 / MPP))) == 0
    assert len(boxes_in(np.full((80, 80), STAIN, np.float32))) == 0


def test_nucleated_cells_are_no_red_cells() -> None:
    density = field((16, 16))
    assert len(boxes_in(density, density > 0.01)) == 0


@pytest.mark.parametrize("radius", [1.3, 7.0])
def test_what_is_too_small_or_too_large_is_no_red_cell(radius: float) -> None:
    y, x = (np.mgrid[:80, :80] + 0.5) * MPP
    disc = STAIN * (np.hypot(x - 16, y - 16) < radius)
    assert len(boxes_in(ndimage.gaussian_filter(disc, 1.25).astype(np.float32))) == 0


def test_nothing_is_found_where_nothing_is() -> None:
    assert len(rounds_in(np.zeros((40, 40), np.float32)).outlines) == 0
