"""From optical density to the camera's picture."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

GLASS = (247.0, 243.0, 245.0)
"""RGB of empty glass under the lamp."""

STRAY = 0.035
"""Share of light that reaches the camera without having passed the cell."""


@dataclass(frozen=True, slots=True)
class Optics:
    """Microscope and camera.

    Parameters
    ----------
    glass : (float, float, float)
        RGB of empty glass, 0..255.
    blur_um : float
        Standard deviation of the point spread, micrometres.
    sharpen : float
        The camera's edge enhancement; leaves the faint halo of real fields.
    noise : float
        Standard deviation of sensor noise, grey levels.
    jpeg : int
        Quality of one pass of JPEG; 0 leaves it out.
    """

    glass: tuple[float, float, float] = GLASS
    blur_um: float = 0.17
    sharpen: float = 0.35
    noise: float = 1.0
    jpeg: int = 92


def expose(
    density: npt.NDArray[np.float32],
    light: npt.NDArray[np.float32],
    mpp: float,
    optics: Optics,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Return the picture of a layer of dye.

    Parameters
    ----------
    density : float32[y, x, 3]
        Optical density, natural logarithm.
    light : float32[y, x]
        Illumination, about 1.
    mpp : float
        Micrometres a pixel.
    optics : Optics
        Microscope and camera.
    rng : numpy.random.Generator
        Sensor noise.

    Returns
    -------
    uint8[y, x, 3]
    """
    passed = STRAY + (1 - STRAY) * np.exp(-density)
    # Blue is focused a little less well than green by most objectives.
    for channel, factor in enumerate((1.1, 1.0, 1.25)):
        sigma = factor * optics.blur_um / mpp
        plane = gaussian_filter(passed[..., channel], sigma, mode="nearest")
        wide = gaussian_filter(plane, 0.45 / mpp, mode="nearest")
        passed[..., channel] = plane + optics.sharpen * (plane - wide)
    picture = passed * light[..., None] * np.asarray(optics.glass, np.float32)
    picture += optics.noise * rng.standard_normal(picture.shape, dtype=np.float32)
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return _through_jpeg(pixels, optics.jpeg) if optics.jpeg else pixels


def _through_jpeg(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=quality, subsampling=0)
    return np.asarray(Image.open(buffer).convert("RGB"))
