"""Measures scale and stain once a smear, so that any tiling finds the same cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_multiotsu, threshold_otsu

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import Calibration, MppSource, SmearImage
from napari_cytosynth.ingest.scale import SMOOTH_PIXELS, Scale, estimate_scale
from napari_cytosynth.ingest.stain import (
    PURPLE,
    RGB,
    RIM,
    Colour,
    Image32,
    Mask,
    brightest,
    estimate_background,
    nuclear_dye,
    optical_density,
    painted,
    purple,
    smooth,
    smooth_density,
    unusable,
)

WINDOW = 768
"""Side of the windows that are looked at, level-0 pixels; nine at most."""

_ONE_WINDOW = 1152  # side up to which one window holds it all, level-0 pixels

MOST_EVENED = 1536
"""Longest side of what is looked at of a window at :data:`WORKING_MPP`, pixels."""

WORKING_MPP = 0.4
"""Pixel size at which stain is measured and the ``classic`` detector works."""

SMOOTH_UM = 0.5
"""Standard deviation of the blur that evens out chromatin, micrometres."""

DEFAULT_STAINS: tuple[Colour, Colour] = ((0.55, 0.80, 0.24), (0.35, 0.75, 0.56))
"""Nuclear dye, then red cells, where the picture does not show them."""

_DEFAULT_LEVEL = 1.0  # density of the nuclear dye in nuclei
_WEAKEST_LEVEL = 0.25
_HAEMOGLOBIN = -0.045  # hue; of nuclei it is higher, just so on yellow glass
_RED = 0.4  # of the threshold that parts red cells from glass: some are pale
_RANGE = (-0.2, 2.0)
_BINS = 80
_CYTOPLASM = 3  # times the area of its nucleus, at most
_MOST_RED = 0.95
_SURE = 0.2  # confidence from which a smaller difference counts
_OFF, _FAR_OFF = 1.6, 3.0  # times; a fourth of what cells tell may be off


def calibrate(image: SmearImage, mpp: float | None = None) -> Calibration:
    """Measure a smear's scale, background, stain and thresholds.

    Looks at up to nine windows at fixed places, so that the same picture always gives
    the same answer, whatever its size.

    Parameters
    ----------
    image : SmearImage
        An open smear.
    mpp : float or None
        Micrometres a pixel that the user states; it overrules the file.

    Returns
    -------
    Calibration
        Its ``mpp`` comes from the user, else the file, else the red cells, else the
        nuclei, else a stated fallback.

    Raises
    ------
    InputError
        If ``mpp`` is not above 0, or the picture is damaged.
    """
    if mpp is not None and not (np.isfinite(mpp) and mpp > 0):
        raise InputError(
            f"A pixel cannot be {mpp} micrometres wide. Give a pixel size above 0; "
            "most smears are scanned at 0.1 to 0.5."
        )
    windows = sample_windows(image)
    background = estimate_background(np.concatenate(windows, axis=1))
    scale = _scale(image, mpp, windows, background)
    even = [_evened(w, scale.mpp, background) for w in windows]
    density = np.concatenate([e[0][e[1]] for e in even])
    stains, level = estimate_stains(density)
    return Calibration(
        mpp=scale.mpp,
        mpp_source=scale.source,
        background=background,
        stain_vectors=stains,
        thresholds=_thresholds(density, nuclear_dye(density, stains), level),
        confidence=scale.confidence,
        seen=scale.seen,
        told=_contradiction(scale, windows, background),
    )


def sample_windows(image: SmearImage) -> list[npt.NDArray[np.uint8]]:
    """Return up to nine windows of level 0: uint8[<= 1152, <= 1152, 3]."""
    height, width = image.levels[0].shape[:2]
    ys, xs = _spans(height), _spans(width)
    return [image.read(x, y, w, h) for y, h in ys for x, w in xs]


def _spans(size: int) -> list[tuple[int, int]]:
    """Return where windows start along an axis, and their length."""
    if size <= _ONE_WINDOW:
        # Windows that overlap cost more than one, and count cells twice.
        return [(0, size)]
    if size <= 3 * WINDOW:
        return [(0, WINDOW), (size - WINDOW, WINDOW)]
    starts = (int(size * share - WINDOW / 2) for share in (1 / 4, 1 / 2, 3 / 4))
    return [(start, WINDOW) for start in starts]


def _scale(
    image: SmearImage, mpp: float | None, windows: list[RGB], background: Colour
) -> Scale:
    if mpp is not None:
        return Scale(float(mpp), MppSource.USER, 1.0)
    if image.smear.mpp is not None:
        return Scale(image.smear.mpp, MppSource.METADATA, 0.95)
    return _read_off(windows, background)


def _contradiction(stated: Scale, windows: list[RGB], background: Colour) -> float:
    """Return the pixel size that cells tell, if a stated one is another; else 0.

    The middle window is enough to tell a slip of the pen, or a file that counts inches.
    """
    if stated.source not in (MppSource.USER, MppSource.METADATA):
        return 0.0
    told = _read_off([windows[len(windows) // 2]], background)
    if told.source is MppSource.FALLBACK:
        return 0.0
    sure = told.confidence >= _SURE
    apart = max(told.mpp / stated.mpp, stated.mpp / told.mpp)
    return told.mpp if apart > (_OFF if sure else _FAR_OFF) else 0.0


def _read_off(windows: list[RGB], background: Colour) -> Scale:
    seen = [brightest(w) > RIM for w in windows]
    pairs = list(zip(windows, seen, strict=True))
    maps = [smooth(purple(w, background), SMOOTH_PIXELS)[kept] for w, kept in pairs]
    values = np.concatenate(maps)
    strongest = values > _upper_otsu(values)
    pixels = np.concatenate([w[kept] for w, kept in pairs])[strongest]
    level = _RANGE[1]
    if len(pixels) and not _is_haemoglobin(optical_density(pixels, background)):
        level = float(np.median(values[strongest]))
    return estimate_scale(windows, background, 0.5 * level)


def _evened(window: RGB, mpp: float, background: Colour) -> tuple[Image32, Mask]:
    """Return density float32[y, x, 3] as the detector sees it, and what is smear.

    A coarse picture is enlarged for that; of such a one the middle is enough.
    """
    factor = max(WORKING_MPP / mpp, 1e-6)
    window = _middle(window, max(int(MOST_EVENED * factor), 1))
    size = [max(round(n / factor), 1) for n in window.shape[:2]]
    small = Image.fromarray(window).resize((size[1], size[0]), Image.Resampling.BOX)
    pixels = np.asarray(small)
    density = smooth_density(pixels, background, SMOOTH_UM / WORKING_MPP)
    nothing = unusable(pixels, background, WORKING_MPP)
    return density, ~(nothing | painted(pixels, background, WORKING_MPP))


def _middle(window: RGB, side: int) -> RGB:
    """Return the middle of a window, no longer than ``side`` either way."""
    top, left = (max(n - side, 0) // 2 for n in window.shape[:2])
    return np.ascontiguousarray(window[top : top + side, left : left + side])


def estimate_stains(density: Image32) -> tuple[tuple[Colour, Colour], float]:
    """Measure the colours of nuclei and red cells, and how dark nuclei are.

    Parameters
    ----------
    density : float32[n, 3]
        Smoothed optical densities of pixels.

    Returns
    -------
    stains, level
        Unit vectors of nuclear dye and of red cells, and the density of the nuclear dye
        in common nuclei.
    """
    dyed = density @ PURPLE
    strongest = dyed > max(_upper_otsu(dyed), _WEAKEST_LEVEL / 2)
    total = density.sum(axis=-1)
    if strongest.sum() < 20 or _is_haemoglobin(density[strongest]):
        red = density[total > 0.12]
        return (DEFAULT_STAINS[0], _direction(red, DEFAULT_STAINS[1])), _DEFAULT_LEVEL
    nuclear = _direction(density[strongest], DEFAULT_STAINS[0])
    # Cytoplasm is as blue as nuclei are; only what is clearly redder is a red cell.
    hue = _hue(density)
    redder = hue < 0.5 * float(np.median(hue[strongest]))
    red = _direction(density[(total > 0.12) & ~strongest & redder], DEFAULT_STAINS[1])
    level = float(np.median(nuclear_dye(density[strongest], (nuclear, red))))
    return (nuclear, red), max(level, _WEAKEST_LEVEL)


def _hue(density: Image32) -> Image32:
    """Return float32[n]: density of red less that of blue, as a share of all three."""
    total = np.maximum(density.sum(axis=-1), 0.05)
    return np.asarray((density[:, 0] - density[:, 2]) / total, np.float32)


def _is_haemoglobin(strongest: Image32) -> bool:
    """Tell whether what is dyed most takes blue rather than red: there are no nuclei.

    A field of red cells alone is dyed too, and something in it most.
    """
    return float(np.median(_hue(strongest))) < _HAEMOGLOBIN


def _upper_otsu(dyed: npt.NDArray[np.float32]) -> float:
    """Return the upper of the two thresholds that part glass, cytoplasm and nuclei."""
    values = dyed.clip(*_RANGE)
    if len(values) < 100 or np.ptp(values) < 0.1:
        return _RANGE[1]
    counts, edges = np.histogram(values, 128, _RANGE)
    centres = (edges[:-1] + edges[1:]) / 2
    # Nuclei may be one pixel in a thousand; the root lets them count as a class.
    hist = (np.sqrt(counts), centres)
    return float(threshold_multiotsu(classes=3, hist=hist)[1])


def _thresholds(density: Image32, dye: Image32, level: float) -> dict[str, float]:
    """Return thresholds on the nuclear dye, and on green for red cells."""
    nucleus = 0.45 * level
    undyed = dye < 0.3 * level
    middle, noise = _undyed(dye[undyed], level)
    cytoplasm = middle + max(2.5 * noise, 0.06 * level)
    green = density[..., 1][undyed].clip(-0.1, 0.5)
    red = float(threshold_otsu(green)) if len(green) and np.ptp(green) else 0.0
    nuclei = int((dye > nucleus).sum())
    cytoplasm = max(cytoplasm, _dye_of_red(dye[undyed][green > red], nuclei))
    return {
        "level": level,
        "nucleus": nucleus,
        "cytoplasm": min(cytoplasm, 0.6 * nucleus),
        "red": max(_RED * red, 0.03),
    }


def _dye_of_red(stained: npt.NDArray[np.float32], nuclei: int) -> float:
    """Return the most dye that red cells hold, which some stains turn purple.

    What is stained is red cells, save for the cytoplasm: that covers no more than a few
    times the area of the nuclei, and holds more dye.
    """
    red = len(stained) - _CYTOPLASM * nuclei
    if red <= 0:
        return -np.inf
    return float(np.quantile(stained, _MOST_RED * red / len(stained)))


def _undyed(dye: npt.NDArray[np.float32], level: float) -> tuple[float, float]:
    """Return the middle and the spread of the dye where there is none.

    In marrow much of what is not nucleus is cytoplasm; so only the side below the
    commonest value tells the spread.
    """
    if not len(dye):
        return 0.0, 0.0
    counts, edges = np.histogram(dye, _BINS, (-0.3 * level, 0.3 * level))
    top = int(ndimage.gaussian_filter1d(counts.astype(float), 1.5).argmax())
    mode = float(edges[top] + edges[top + 1]) / 2
    median = float(np.median(dye))
    spread = float(np.median(np.abs(dye - median)))
    below = dye[dye < mode]
    if len(below):
        spread = min(spread, float(np.median(mode - below)))
    return min(mode, median), 1.48 * spread


def _direction(density: Image32, default: Colour) -> Colour:
    vector = np.median(density, axis=0) if len(density) >= 20 else np.array(default)
    vector = vector.clip(0, None).astype(np.float64)
    length = float(np.linalg.norm(vector))
    red, green, blue = vector / length if length > 0 else np.array(default)
    return float(red), float(green), float(blue)
