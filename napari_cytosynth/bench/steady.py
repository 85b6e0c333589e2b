"""Whether the detector finds the same cells when a picture is cropped or resized.

Crops lie anywhere, so that cells are cut and few red cells are left to tell the scale.
Resized pictures are compared with themselves: the cells found at the size they came in
are the truth. Every crop and every size calibrates itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.bench.truth import Truth
from napari_cytosynth.core.cells import Detections, ObjectKind
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.smear import Smear, SmearImage
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.ingest import calibrate, detect_cells
from napari_cytosynth.ingest.classic import ClassicDetector
from napari_cytosynth.ingest.image import LevelPlan, PyramidImage, array_level

SCALES = (0.5, 0.75, 1.5, 2.0)
"""Sizes at which a picture is looked at again."""

_CROP = 2 / 3  # of the picture's sides
_SEEN = 0.5  # share of a cell that shows, from which it has to be found

Boxes = npt.NDArray[np.floating]
RGB = npt.NDArray[np.uint8]
Score = Callable[[Boxes, npt.NDArray[np.floating], Boxes], tuple[int, int, int]]


def pixels_of(truth: Truth) -> RGB:
    """Return a picture, uint8[y, x, 3]."""
    with Image.open(truth.path) as picture:
        return np.asarray(picture.convert("RGB"))


def in_memory(pixels: RGB) -> SmearImage:
    """Return a smear of pixels, without a stated scale."""
    height, width = pixels.shape[:2]
    smear = Smear("memory", width, height, None, "memory", "0")
    return PyramidImage(smear, [LevelPlan(array_level(pixels), 1.0)])


def nucleated_in(pixels: RGB) -> Detections:
    """Return the nucleated cells of a picture that calibrates itself."""
    image = in_memory(pixels)
    found = run_to_end(detect_cells(image, ClassicDetector(), calibrate(image)))
    return found.take(found.kinds == ObjectKind.NUCLEATED)


def cropped(truth: Truth, rng: np.random.Generator) -> tuple[RGB, Boxes, Boxes]:
    """Cut a crop at a random place.

    Parameters
    ----------
    truth : Truth
        A picture and its white cells.
    rng : numpy.random.Generator
        Draws the place.

    Returns
    -------
    pixels, boxes, slivers
        The crop; boxes float64[n, 4] of cells of which half or more shows, cut at the
        border; and of those of which less shows, which may be found or not.
    """
    pixels = pixels_of(truth)
    size = (np.array(pixels.shape[1::-1]) * _CROP).astype(int)
    x, y = (
        int(rng.integers(0, n - s + 1))
        for n, s in zip(pixels.shape[1::-1], size, strict=True)
    )
    boxes = truth.boxes["white cell"]
    low = (boxes[:, :2] - [x, y]).clip(0, size)
    high = (boxes[:, :2] + boxes[:, 2:] - [x, y]).clip(0, size)
    shows = (high - low).prod(axis=1) / boxes[:, 2:].prod(axis=1)
    cut = np.concatenate([low, high - low], axis=1)
    whole, sliver = shows >= _SEEN, (shows > 0) & (shows < _SEEN)
    return pixels[y : y + size[1], x : x + size[0]], cut[whole], cut[sliver]


def crop_counts(
    truths: Iterable[Truth], score: Score, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Return right, found and true for a random crop of each picture."""
    counts = []
    for truth in truths:
        pixels, boxes, slivers = cropped(truth, rng)
        found = nucleated_in(pixels)
        on_sliver = box_iou(found.boxes, slivers).max(axis=1, initial=0)
        on_cell = box_iou(found.boxes, boxes).max(axis=1, initial=0)
        found = found.take(~((on_sliver > on_cell) & (on_sliver > 0)))
        counts.append(score(found.boxes, found.scores, boxes))
    return counts


def resized_counts(
    truths: Iterable[Truth], score: Score
) -> dict[float, list[tuple[int, int, int]]]:
    """Return right, found and true of each picture, at each of :data:`SCALES`."""
    counts: dict[float, list[tuple[int, int, int]]] = {s: [] for s in SCALES}
    for truth in truths:
        pixels = pixels_of(truth)
        boxes = nucleated_in(pixels).boxes
        for scale in SCALES:
            other = nucleated_in(resized(pixels, scale))
            counts[scale].append(score(other.boxes / scale, other.scores, boxes))
    return counts


def resized(pixels: RGB, scale: float) -> RGB:
    """Return a picture at another size, smoothly."""
    size = tuple(max(round(n * scale), 1) for n in pixels.shape[1::-1])
    picture = Image.fromarray(pixels)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
