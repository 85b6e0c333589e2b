"""One y-x plane with channels, out of an array of more axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.ingest.image import LazyLevel, LevelPlan, decoding

_SAMPLE = 512
_NAMES = {"t": "time points", "z": "focal planes"}


@dataclass(frozen=True)
class Plane:
    """The first time point and the middle focal plane of an array.

    Parameters
    ----------
    array : array-like
        Sliceable, with shape and dtype.
    axes : str
        One lower-case letter an axis; ``y``, ``x`` and at most one of ``c``, ``s``.
    notes : list of str
        What was left out.
    """

    array: Any
    axes: str
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, uri: str, array: Any, axes: str) -> Plane:
        """Check an array's axes.

        Raises
        ------
        InputError
            If there is no y or x axis, the axes do not fit, or there are no pixels.
        """
        axes = axes.lower()
        if (
            len(axes) != len(array.shape)
            or axes.count("y") != 1
            or axes.count("x") != 1
        ):
            raise InputError(
                f"'{uri}' has axes '{axes}' and shape {tuple(array.shape)}. A smear is "
                "a flat picture with one y and one x axis; export one."
            )
        if 0 in array.shape:
            raise InputError(
                f"'{uri}' holds an array of shape {tuple(array.shape)}: no pixels. "
                "Export it again with its pixels."
            )
        sizes = dict(zip(axes, array.shape, strict=True))
        notes = [
            f"one of {size} {_NAMES.get(axis, 'pictures')} taken"
            for axis, size in sizes.items()
            if axis not in "yxcs" and size > 1
        ]
        return cls(array, axes, notes)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        sizes = dict(zip(self.axes, self.array.shape, strict=True))
        return int(sizes["y"]), int(sizes["x"])

    def read(self, y0: int, y1: int, x0: int, x1: int) -> npt.NDArray[Any]:
        """Return [y1 - y0, x1 - x0, channels] of the array's own dtype."""
        spans = {"y": slice(y0, y1), "x": slice(x0, x1)}
        channels = self._channel_axis
        if channels is not None:
            spans[channels] = slice(None)
        key = tuple(
            spans.get(axis, size // 2 if axis == "z" else 0)
            for axis, size in zip(self.axes, self.array.shape, strict=True)
        )
        block = np.asarray(self.array[key])
        kept = [axis for axis in self.axes if axis in spans]
        order = [kept.index(a) for a in ("y", "x", channels) if a is not None]
        block = block.transpose(order)
        return block if channels is not None else block[..., None]

    def sample(self) -> npt.NDArray[Any]:
        """Return pixels around the middle: number[<= 512, <= 512, channels]."""
        height, width = self.shape
        y0, x0 = max((height - _SAMPLE) // 2, 0), max((width - _SAMPLE) // 2, 0)
        return self.read(y0, min(y0 + _SAMPLE, height), x0, min(x0 + _SAMPLE, width))

    @property
    def _channel_axis(self) -> str | None:
        sizes = dict(zip(self.axes, self.array.shape, strict=True))
        present = [a for a in ("s", "c") if a in sizes]
        wide = [a for a in present if sizes[a] > 1]
        return next(iter(wide or present), None)


def plan_level(
    uri: str, plane: Plane, convert: Callable[[Any], Any], whole: tuple[int, int]
) -> LevelPlan:
    """Return a level over a plane, its pixels converted as they are read.

    Parameters
    ----------
    uri : str
        The file, for error messages.
    plane : Plane
        The pixels.
    convert : callable
        Makes uint8[y, x, 3] of what the plane holds.
    whole : tuple of 2 ints
        Height and width of the finest level.
    """

    def fetch(y0: int, y1: int, x0: int, x1: int) -> Any:
        with decoding(uri):
            return convert(plane.read(y0, y1, x0, x1))

    return LevelPlan(LazyLevel(plane.shape, fetch), _downsample(whole, plane.shape))


def _downsample(whole: tuple[int, int], level: tuple[int, int]) -> float:
    """Return how many pixels of the finest level a pixel of another one spans.

    Sizes were rounded when the level was made, so that their ratio would stretch it. A
    power of two, or else a whole number, that explains both sides is taken.
    """
    ratio = whole[1] / level[1]
    for factor in (2 ** round(math.log2(ratio)), round(ratio)):
        sides = zip(whole, level, strict=True)
        if factor >= 1 and all(n // factor <= m <= -(-n // factor) for n, m in sides):
            return float(factor)
    return ratio
