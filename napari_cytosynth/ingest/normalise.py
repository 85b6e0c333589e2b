"""Shows a smear in the stain of another one. For looking only: nothing is measured so.

Macenko et al. 2009, "A method for normalizing histology slides for quantitative
analysis", ISBI 1107: each pixel's optical density is parted into two dyes, each dye is
scaled so that its strong parts are as dark as the other smear's, and both are put
together again in the other's colours. The dyes are those that the calibration found.
Where they are alike, as on strongly stained smears, they are parted timidly (ridge
regression, Hoerl and Kennard 1970), and what neither dye explains is left as it is, or
the noise of dark nuclei would show as colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.smear import Calibration, Smear, SmearImage
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest.calibration import sample_windows
from napari_cytosynth.ingest.image import read_window
from napari_cytosynth.ingest.stain import (
    RGB,
    Colour,
    brightest,
    nuclear_dye,
    optical_density,
)

_EACH = 4  # every fourth pixel tells as much
_FEW = 100  # pixels from which a strength is told
_TIMID = 0.03  # ridge; densities are of length 1
_BLACK, _DARK = 30.0, 60.0  # brightest channel: below is no stain, above is all stain
_MOST = 2.5  # times that a dye is made stronger, or weaker, at most
_STEP = 1.0 / 512  # of densities in the table that turns them into light
_DARKEST = 4.0
_ROWS = 256  # changed at a time


@dataclass(frozen=True, slots=True)
class StainLook:
    """How a smear is stained.

    Parameters
    ----------
    background : tuple of 3 floats
        RGB of the empty glass, 0..255.
    dyes : float64[2, 3]
        Unit densities, a row each: nuclear dye, red cells.
    strengths : (float, float)
        Density of each in common nuclei and red cells; NaN where too few pixels tell.
    """

    background: Colour
    dyes: npt.NDArray[np.float64]
    strengths: tuple[float, float]

    @classmethod
    def of(cls, image: SmearImage, calibration: Calibration) -> StainLook:
        """Measure a smear, in the same windows as its calibration.

        Parameters
        ----------
        image : SmearImage
            An open smear.
        calibration : Calibration
            Its own.
        """
        dyes = np.array(calibration.stain_vectors, np.float64)
        rgb = np.concatenate([w.reshape(-1, 3) for w in sample_windows(image)])
        rgb = rgb[brightest(rgb) > _DARK][::_EACH]
        density = optical_density(rgb, calibration.background)
        levels = calibration.thresholds
        dye = nuclear_dye(density, calibration.stain_vectors)
        green = density[:, 1]
        nuclei = dye > levels.get("nucleus", np.inf)
        red = (green > levels.get("red", np.inf)) & (dye < levels.get("cytoplasm", 0.0))
        strengths = tuple(
            _strength(density[where] @ vector.astype(np.float32))
            for where, vector in zip((nuclei, red), dyes, strict=True)
        )
        return cls(calibration.background, dyes, (strengths[0], strengths[1]))


@dataclass(frozen=True, slots=True)
class StainMap:
    """Turns the colours of one smear into those of another.

    Parameters
    ----------
    source, target : tuple of 3 floats
        RGB of the empty glass of both.
    mixing : float32[3, 3]
        Densities of the one, as a row, times this are those of the other.
    """

    source: Colour
    target: Colour
    mixing: npt.NDArray[np.float32]

    @classmethod
    def between(cls, source: StainLook, target: StainLook) -> StainMap:
        """Return the map from one smear's look to another's."""
        pairs = zip(source.strengths, target.strengths, strict=True)
        scales = np.array([_ratio(own, wanted) for own, wanted in pairs])
        dyes = source.dyes
        parting = dyes.T @ np.linalg.inv(dyes @ dyes.T + _TIMID * np.eye(2))
        change = parting @ (scales[:, None] * target.dyes - dyes)
        mixing = (np.eye(3) + change).astype(np.float32)
        return cls(source.background, target.background, mixing)

    def apply(self, rgb: RGB) -> RGB:
        """Return pixels uint8[..., 3] in the other stain."""
        density = optical_density(rgb, self.source) @ self.mixing
        places = np.clip(density / _STEP, -_DARKEST / _STEP, _DARKEST / _STEP)
        index = np.rint(places).astype(np.intp) + round(_DARKEST / _STEP)
        light = _lights(self.target)
        other = np.stack([light[c][index[..., c]] for c in range(3)], axis=-1)
        bright = brightest(rgb)
        if bright.size and bright.min() < _DARK:
            # Black is the rim of an eyepiece, and no stain.
            share = np.clip((bright - _BLACK) / (_DARK - _BLACK), 0, 1)[..., None]
            other = np.rint(other * share + rgb * (1 - share)).astype(np.uint8)
        return np.asarray(other, np.uint8)


class NormalisedImage:
    """A smear in the stain of another, computed as it is read. The file stays.

    Implements :class:`napari_cytosynth.core.smear.SmearImage`.

    Parameters
    ----------
    image : SmearImage
        The smear; closed with this.
    stain : StainMap
        From its stain to the other.
    """

    def __init__(self, image: SmearImage, stain: StainMap) -> None:
        self._image, self._stain = image, stain
        self._levels: list[Any] = [NormalisedLevel(v, stain) for v in image.levels]

    def kept_in_memory(self, most: int = 100_000_000) -> Task[None]:
        """Change the colours of a small smear once, and keep them.

        Parameters
        ----------
        most : int
            Bytes from which a smear stays lazy.
        """
        sizes = [int(np.prod(level.shape)) for level in self._levels]
        if sum(sizes) > most:
            return
        for number, lazy in enumerate(self._levels):
            whole = np.empty(lazy.shape, np.uint8)
            for row in range(0, lazy.shape[0], _ROWS):
                yield Progress(row, lazy.shape[0], "changing its colours")
                whole[row : row + _ROWS] = lazy[row : row + _ROWS]
            self._levels[number] = whole

    @property
    def smear(self) -> Smear:
        """The record of the picture."""
        return self._image.smear

    @property
    def levels(self) -> Sequence[Any]:
        """Lazy arrays uint8[y, x, 3], finest first."""
        return self._levels

    @property
    def downsamples(self) -> Sequence[float]:
        """Level-0 pixels a pixel of each level."""
        return self._image.downsamples

    @property
    def notes(self) -> Sequence[str]:
        """Conversions that were made, this one among them."""
        return (*self._image.notes, "stain normalised, for looking only")

    def read(
        self, x: int, y: int, width: int, height: int, level: int = 0
    ) -> npt.NDArray[np.uint8]:
        """Return uint8[height, width, 3]; white outside, whatever the stain."""
        return read_window(self._levels[level], (x, y), (width, height))

    def close(self) -> None:
        """Close the picture."""
        self._image.close()


class NormalisedLevel:
    """One level of a :class:`NormalisedImage`.

    Parameters
    ----------
    level : array-like
        uint8[y, x, 3], sliceable in y and x.
    stain : StainMap
        What turns its colours.
    """

    def __init__(self, level: Any, stain: StainMap) -> None:
        self._level, self._stain = level, stain
        self.shape: tuple[int, ...] = tuple(level.shape)
        self.dtype = np.dtype(np.uint8)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        return self._stain.apply(np.asarray(self._level[key]))


def _strength(values: npt.NDArray[np.float32]) -> float:
    if len(values) < _FEW:
        return float("nan")
    return float(np.median(values))


def _ratio(own: float, wanted: float) -> float:
    """Return how much stronger a dye is to be; 1 where one of them is not known."""
    ratio = wanted / own if own > 0 and wanted > 0 else 1.0
    return float(np.clip(ratio, 1 / _MOST, _MOST))


def _lights(background: Colour) -> npt.NDArray[np.uint8]:
    """Return uint8[3, n]: the light of each channel at each density."""
    steps = round(_DARKEST / _STEP)
    passed = 10.0 ** -(np.arange(-steps, steps + 1) * _STEP)
    light = (np.array(background)[:, None] + 1) * passed - 1
    return np.asarray(np.clip(np.rint(light), 0, 255), np.uint8)
