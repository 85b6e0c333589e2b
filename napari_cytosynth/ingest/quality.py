"""How sharp the picture of a cell is, and whether a decoder tore it.

Both are measured in the pixels alone: nothing is learned, and no name is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.quality import MEASURES
from napari_cytosynth.core.smear import Smear, SmearImage
from napari_cytosynth.ingest.crops import cut_crops

AROUND_UM = 48.0
"""Side of the square around a cell that is searched for tears, micrometres.

After a broken block a decoder puts everything at the wrong place: what lies beside a
tear is suspect as well.
"""

_FINE, _COARSE = 1.0, 2.0  # Gaussian sigmas in pixels of a crop
_STRONGEST = 0.1  # share of a cell's pixels that count as its edges
_SOFTEST_UM = 3.0
_MARGIN_UM = 0.75
_PIXEL = 0.5  # sigma of a pixel's own blur, resampled to a crop; of its width
_BLOCK = 8  # pixels; JPEG codes blocks of this side
_STEP = 10  # grey levels by which rows must jump where they do not join
_AGREEING = 0.75  # share of a block's pixels that jump
_FEWEST = 8  # blocks a line; shorter ones tell nothing
_NOTABLE = 0.1  # share of blocks from which a line is looked at closely
_THICK = 5  # pixels: a painted line is thinner
_FLAT = 4  # grey levels within which a frame painted around a picture varies
_GREY = 128  # what a decoder paints where a file ends too early

Measures = npt.NDArray[np.float32]
_Picture = npt.NDArray[np.uint8]


def measure_quality(image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Measures:
    """Measure the picture of each cell.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    boxes : float32[n, 4]
        Boxes x, y, width, height; level-0 pixels, corner-based.
    mpp : float
        Micrometres a level-0 pixel, > 0.

    Returns
    -------
    float32[n, 2]
        Columns as in :data:`~napari_cytosynth.core.quality.MEASURES`.

    Raises
    ------
    InputError
        If ``mpp`` is not above 0, or the picture is damaged beyond reading.
    """
    wanted = np.asarray(boxes, np.float64).reshape(-1, 4)
    measures = np.empty((len(wanted), len(MEASURES)), np.float32)
    if mpp > 0:
        image = _Piece.around(image, wanted, AROUND_UM / mpp)
    crops = cut_crops(image, wanted, mpp)
    for row, (x, y, width, height) in enumerate(wanted):
        soft = edge_width(crops[row : row + 1], (width * mpp, height * mpp))
        # Coarse pixels blur by themselves, and nobody focuses that away.
        measures[row, 0] = max(soft**2 - (_PIXEL * mpp) ** 2, 0.0) ** 0.5
        centre = x + width / 2, y + height / 2
        measures[row, 1] = torn(*_window(image, centre, AROUND_UM / mpp))
    return measures


def edge_width(crop: Crops, size_um: tuple[float, float]) -> float:
    """Return how soft the sharpest edges of a cell are.

    An edge that a Gaussian of sigma s blurred has gradients that fall, when it is
    blurred again by a and by b, as sqrt(s^2 + a^2) to sqrt(s^2 + b^2); so the ratio of
    the gradients tells s (re-blurring: Zhuo and Sim 2011, "Defocus map estimation from
    a single image", Pattern Recognition 44:1852).

    Parameters
    ----------
    crop : uint8[1, 96, 96, 3]
        The cell, at 0.25 um a pixel.
    size_um : (width, height)
        Of its box, micrometres; what lies beyond is not looked at.

    Returns
    -------
    float
        Sigma in micrometres, 0 to 3; 0 where edges are as sharp as pixels allow.
    """
    pixel = CROP_UM / CROP_PIXELS
    green = crop[0, ..., 1].astype(np.float32)
    fine = ndimage.gaussian_gradient_magnitude(green, _FINE)
    coarse = ndimage.gaussian_gradient_magnitude(green, _COARSE)
    half = [
        min(int((side / 2 + _MARGIN_UM) / pixel) + 1, CROP_PIXELS // 2)
        for side in size_um
    ]
    middle = CROP_PIXELS // 2
    columns, rows = (slice(middle - h, middle + h) for h in half)
    fine, coarse = fine[rows, columns], coarse[rows, columns]
    edges = fine >= np.quantile(fine, 1 - _STRONGEST)
    ratio = float(np.median(fine[edges] / np.maximum(coarse[edges], 1e-3)))
    if ratio <= 1.0:
        return _SOFTEST_UM
    square = (_COARSE**2 - (ratio * _FINE) ** 2) / (ratio**2 - 1)
    return float(min(pixel * max(square, 0.0) ** 0.5, _SOFTEST_UM))


def torn(picture: _Picture, corner: tuple[int, int] = (0, 0)) -> float:
    """Return how far a line crosses a picture where its two sides do not join.

    A decoder that met a broken block goes on with wrong colours at a wrong place, from
    the edge of a block on. Optics leave no step of one pixel that is straight over many
    blocks. Painted lines, which come back at once, and flat frames do not count.

    Parameters
    ----------
    picture : uint8[y, x, 3]
        Pixels at level 0, unscaled.
    corner : (x, y)
        Where they lie in the smear: blocks are counted from its first pixel.

    Returns
    -------
    float
        Share of the worst line's blocks, 0..1.
    """
    across = _worst_line(picture, corner[1], corner[0])
    down = _worst_line(picture.transpose(1, 0, 2), corner[0], corner[1])
    return max(across, down)


def _worst_line(picture: _Picture, top: int, left: int) -> float:
    """Return the share of blocks that jump along the worst boundary between rows."""
    begin = -left % _BLOCK
    blocks = (picture.shape[1] - begin) // _BLOCK
    lines = np.arange(-top % _BLOCK, picture.shape[0] - 2, _BLOCK)
    lines = lines[lines >= 2]
    if blocks < _FEWEST or not len(lines):
        return 0.0
    inner = picture[:, begin : begin + blocks * _BLOCK].astype(np.int16)
    shares = _jumping(_steep(inner, lines))
    # A picture that is saved so coarsely that blocks show everywhere is not torn.
    usual = float(np.median(shares))
    worst = 0.0
    for line in lines[shares > usual + _NOTABLE]:
        if not _framed(inner, line):
            (share,) = _jumping(_stays(inner, line)[None])
            worst = max(worst, float(share) - usual)
    return worst


def _jumping(jumps: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the share of blocks of each line most of whose pixels jump."""
    blocks = jumps.reshape(len(jumps), -1, _BLOCK).mean(axis=2) >= _AGREEING
    return np.asarray(blocks.mean(axis=1), np.float64)


def _steep(
    inner: npt.NDArray[np.int16], lines: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Tell where the row at each line differs from that above, as its like do not."""
    above, below = inner[lines - 1], inner[lines]
    slopes = np.maximum(
        np.abs(above - inner[lines - 2]), np.abs(inner[lines + 1] - below)
    )
    steep = np.abs(below - above) - slopes > _STEP
    return np.asarray(steep.any(axis=2), bool)


def _stays(inner: npt.NDArray[np.int16], line: int) -> npt.NDArray[np.bool_]:
    """Tell where a step at one line is no painted line, after which all comes back."""
    steps = _steep(inner, np.array([line]))[0]
    half = np.abs(inner[line] - inner[line - 1]).max(axis=1) / 2
    for reach in range(1, _THICK):
        behind = inner[min(line + reach, len(inner) - 1)] - inner[line - 1]
        before = inner[line] - inner[max(line - 1 - reach, 0)]
        steps &= np.abs(behind).max(axis=1) > half
        steps &= np.abs(before).max(axis=1) > half
    return np.asarray(steps, bool)


def _framed(inner: npt.NDArray[np.int16], line: int) -> bool:
    """Tell whether one side is a frame of one colour, and not a decoder's grey."""
    for side in (inner[max(line - 6, 0) : line - 1], inner[line + 2 : line + 7]):
        if not side.size:
            continue
        low, middle, high = np.percentile(side, (10, 50, 90), axis=(0, 1))
        if np.max(high - low) <= _FLAT and np.max(np.abs(middle - _GREY)) > _FLAT:
            return True
    return False


@dataclass(frozen=True)
class _Piece:
    """A picture whose part around some cells was read in one go.

    Implements what of :class:`napari_cytosynth.core.smear.SmearImage` is needed here.
    """

    image: SmearImage
    corner: tuple[int, int]
    block: _Picture

    @classmethod
    def around(
        cls, image: SmearImage, boxes: npt.NDArray[np.float64], side: float
    ) -> SmearImage:
        """Read what lies around boxes; cells far apart are read one by one."""
        if len(boxes) < 2:
            return image
        smear, middles = image.smear, boxes[:, :2] + boxes[:, 2:] / 2
        low = np.maximum(middles.min(axis=0) - side, 0).astype(int)
        ends = np.ceil(middles.max(axis=0) + side).astype(int)
        width, height = (np.minimum(ends, (smear.width, smear.height)) - low).tolist()
        if min(width, height) < 1 or width * height > len(boxes) * side**2:
            return image
        left, top = low.tolist()
        block = image.read(left, top, width, height)
        return cast("SmearImage", cls(image, (left, top), block))

    @property
    def smear(self) -> Smear:
        return self.image.smear

    @property
    def downsamples(self) -> Sequence[float]:
        return self.image.downsamples

    def read(
        self, x: int, y: int, width: int, height: int, level: int = 0
    ) -> npt.NDArray[np.uint8]:
        left, top = x - self.corner[0], y - self.corner[1]
        rows, columns = self.block.shape[:2]
        inside = left >= 0 and top >= 0
        if level or not inside or left + width > columns or top + height > rows:
            return self.image.read(x, y, width, height, level)
        return self.block[top : top + height, left : left + width]


def _window(
    image: SmearImage, centre: tuple[float, float], side: float
) -> tuple[_Picture, tuple[int, int]]:
    """Read the part of a square that lies in the picture, and say where it lies."""
    smear = image.smear
    left, right = _span_of(centre[0], side, smear.width)
    top, bottom = _span_of(centre[1], side, smear.height)
    return image.read(left, top, right - left, bottom - top), (left, top)


def _span_of(middle: float, side: float, size: int) -> tuple[int, int]:
    low = min(max(int(middle - side / 2), 0), size)
    return low, min(max(int(middle + side / 2), low), size)
