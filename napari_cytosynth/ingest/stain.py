"""Background, optical density and the purple of nuclei, for any Romanowsky stain."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

RGB: TypeAlias = npt.NDArray[np.uint8]
Image32: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Colour: TypeAlias = tuple[float, float, float]

RIM = 50
"""A pixel with no channel above this is the rim of an eyepiece, not stain."""

_BLACK = 0.35  # of the background's brightest channel
_BLACK_UM = 1.2  # half the width of the narrowest black thing that is masked
_RIM_EDGE_UM = 5.0
_TINT = 0.02  # optical density beyond which a flat colour is not that of the glass
_FRAME_UM = 30.0  # a flat bar is longer than any cell
_FLAT = 5  # pixels: side of the square that noise always marks
_SAME = 1e-3  # of the larger singular value; below, two stains are one
_MANY = 1_000_000  # pixels from which the background is told well enough

PURPLE = np.array([1.0, 1.0, -1.0], np.float32)
"""Weights of the densities of red, green and blue in :func:`purple`."""


def optical_density(rgb: RGB, background: Colour) -> Image32:
    """Return the decadic optical density over the background.

    Parameters
    ----------
    rgb : uint8[..., 3]
        Pixels.
    background : tuple of 3 floats
        RGB of the empty glass, 0..255.

    Returns
    -------
    float32[..., 3]
        0 on empty glass; below 0 where brighter.
    """
    table = np.log10(np.arange(256, dtype=np.float64) + 1)
    empty = np.log10(np.asarray(background, np.float64) + 1)
    tables = (empty[:, None] - table).astype(np.float32)
    return np.stack([tables[c][rgb[..., c]] for c in range(3)], axis=-1)


def purple(rgb: RGB, background: Colour) -> Image32:
    """Return how strongly each pixel is dyed like a nucleus.

    Azure-eosin dyes nuclei in red and green but hardly in blue; haemoglobin takes blue
    and green and leaves red. So the densities of red and green less that of blue are
    high in nuclei, low in cytoplasm and near 0 in red cells, on blue, cream, yellow or
    grey glass alike.

    Parameters
    ----------
    rgb : uint8[..., 3]
        Pixels.
    background : tuple of 3 floats
        RGB of the empty glass.

    Returns
    -------
    float32[...]
        About 0 on glass, 0.3 to 2 in nuclei.
    """
    density = optical_density(rgb, background)
    return np.asarray(density[..., 0] + density[..., 1] - density[..., 2], np.float32)


def brightest(rgb: RGB) -> npt.NDArray[np.uint8]:
    """Return the largest channel of each pixel, uint8[...]."""
    # Ten times quicker than ``max`` along an axis of three.
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def unusable(rgb: RGB, background: Colour, mpp: float) -> Mask:
    """Mark black rims, black dirt and their blurred edges.

    Stain, however deep, lets some blue or red through; what lets nothing through is no
    stain.

    Parameters
    ----------
    rgb : uint8[y, x, 3]
        Pixels.
    background : tuple of 3 floats
        RGB of the empty glass.
    mpp : float
        Micrometres a pixel.

    Returns
    -------
    bool[y, x]
    """
    black = brightest(rgb) < max(_BLACK * max(background), RIM)
    if not black.any():
        return np.zeros_like(black)
    inside = ndimage.distance_transform_edt(np.pad(black, 1, mode="edge"))[1:-1, 1:-1]
    core = inside > _BLACK_UM / mpp
    if not core.any():
        return np.zeros_like(black)
    reach = (_BLACK_UM + _RIM_EDGE_UM) / mpp
    away = ndimage.distance_transform_edt(~core)
    return np.asarray(away <= reach, bool)


def smooth(values: Image32, sigma: float) -> Image32:
    """Return float32[y, x] blurred by a Gaussian of ``sigma`` pixels."""
    return np.asarray(ndimage.gaussian_filter(values, sigma, truncate=3.0), np.float32)


def smooth_density(rgb: RGB, background: Colour, sigma: float) -> Image32:
    """Return :func:`optical_density` blurred by a Gaussian of ``sigma`` pixels."""
    density = optical_density(rgb, background)
    even = ndimage.gaussian_filter(density, (sigma, sigma, 0), truncate=3.0)
    return np.asarray(even, np.float32)


def nuclear_dye(density: Image32, stains: tuple[Colour, Colour]) -> Image32:
    """Return how much of the nuclear dye each pixel holds, red cells taken out.

    Least squares on the two stain vectors (Ruifrok and Johnston 2001, colour
    deconvolution, Anal Quant Cytol Histol 23:291).

    Parameters
    ----------
    density : float32[..., 3]
        Optical densities.
    stains : tuple of 2 tuples of 3 floats
        Unit vectors: nuclear dye, then red cells.

    Returns
    -------
    float32[...]
        About 0 on glass and red cells, 0.3 to 2 in nuclei.
    """
    # Where a picture has no colour, both vectors are one: that is no way to part them.
    vectors = np.array(stains, np.float64).T
    unmix = np.linalg.pinv(vectors, rcond=_SAME)[0].astype(np.float32)
    # Sums in a fixed order: a matrix product may round by the size of the tile.
    return np.asarray(
        density[..., 0] * unmix[0]
        + density[..., 1] * unmix[1]
        + density[..., 2] * unmix[2],
        np.float32,
    )


def estimate_background(rgb: RGB) -> Colour:
    """Return the RGB of the empty glass.

    The commonest green among the pixels that are bright in green, which all dyes
    absorb. Black rims and flat frames, painted around the picture by software, are left
    out.

    Parameters
    ----------
    rgb : uint8[n, m, 3]
        Pixels, several windows side by side if wished.

    Returns
    -------
    tuple of 3 floats
        0..255; white where there is nothing to go by.
    """
    step = max(round((rgb.shape[0] * rgb.shape[1] / _MANY) ** 0.5), 1)
    rgb = rgb[::step, ::step]
    pixels = rgb[~_flat(rgb) & (brightest(rgb) > RIM)]
    if not len(pixels):
        return 255.0, 255.0, 255.0
    green = pixels[:, 1]
    bright = green[green >= threshold_otsu(green)] if np.ptp(green) else green
    counts = np.bincount(bright, minlength=256).astype(float)
    mode = int(ndimage.gaussian_filter1d(counts, 2).argmax())
    near = np.abs(green.astype(int) - mode) <= 6
    red, green_, blue = np.median(pixels[near], axis=0)
    return float(red), float(green_), float(blue)


def painted(rgb: RGB, background: Colour, mpp: float) -> Mask:
    """Mark flat frames that software painted around the picture.

    They are longer than any cell. What is flat and as bright as the glass may be glass,
    and is left alone.

    Parameters
    ----------
    rgb, background, mpp
        As for :func:`unusable`.

    Returns
    -------
    bool[y, x]
    """
    frame = np.zeros(rgb.shape[:2], bool)
    flat = _level(rgb[..., 1], (_FLAT, _FLAT))
    if not flat.any():
        return frame
    tinted = np.abs(optical_density(rgb, background)).max(axis=-1) > _TINT
    long = 2 * round(_FRAME_UM / mpp / 2) + 1
    for size in ((_FLAT, long), (long, _FLAT)):
        bar = _level(rgb[..., 1], size) & tinted
        frame |= np.asarray(ndimage.maximum_filter(bar, size), bool)
    return frame


def _flat(rgb: RGB) -> Mask:
    """Mark pixels whose neighbourhood is one flat colour, unless most of it is."""
    flat = _level(rgb[..., 1], (_FLAT, _FLAT))
    return np.zeros_like(flat) if flat.mean() > 0.6 else flat


def _level(gray: npt.NDArray[np.uint8], size: tuple[int, int]) -> Mask:
    highest = ndimage.maximum_filter(gray, size)
    return np.asarray(highest == ndimage.minimum_filter(gray, size), bool)
