"""Ways to make a cell, all with one painter; three of them begin with a real cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.synthesis._torch.paint import Sketch, Stroke, Strokes, paint
from napari_cytosynth.synthesis._torch.painter import Painter
from napari_cytosynth.synthesis.centre import centre_masks


@dataclass(frozen=True, slots=True)
class Manner:
    """Which strategy, and how far.

    Parameters
    ----------
    strategy : str
        ``"class"``, ``"variation"``, ``"inpaint"`` or ``"in-then-out"``.
    strength : float
        How far a variation may leave its real cell, above 0 and up to 1.
    """

    strategy: str
    strength: float


def follow(net: Painter, sketch: Sketch, stroke: Stroke, manner: Manner) -> Strokes:
    """Paint as :func:`~.paint.paint` does, in a manner.

    Parameters
    ----------
    net : Painter
        Loaded.
    sketch : Sketch
        With the real cells as ``base``, in the stain of the training cells, for every
        strategy but ``"class"``.
    stroke, manner : Stroke, Manner
        How, and in which way.

    Yields
    ------
    None, and at last uint8[n, 96, 96, 3]
        RGB. What a strategy keeps of the real cell is that cell's own pixels.
    """
    base = sketch.base
    if base is None or manner.strategy == "class":
        yield from paint(net, replace(sketch, base=None), stroke)
    elif manner.strategy == "variation":
        yield from paint(net, replace(sketch, begin=1 - manner.strength), stroke)
    elif manner.strategy == "inpaint":
        yield from _around(net, sketch, stroke, centre_masks(base))
    else:
        within = _around(net, sketch, stroke, 1 - centre_masks(base))
        new = base
        for crops in within:
            new = base if crops is None else crops
            yield None
        # The second painting starts from noise of its own.
        other = replace(sketch, base=new, noise=sketch.noise[:, ::-1].copy())
        yield from _around(net, other, stroke, centre_masks(new))


def _around(
    net: Painter, sketch: Sketch, stroke: Stroke, keep: npt.NDArray[np.float32]
) -> Strokes:
    """Keep the pixels that a mask marks, and paint the rest to fit."""
    for crops in paint(net, replace(sketch, keep=keep), stroke):
        yield None if crops is None else _blended(sketch.base, crops, keep)


def _blended(
    base: Crops | None, painted: Crops, keep: npt.NDArray[np.float32]
) -> Crops:
    if base is None:
        return painted
    share = keep[..., None]
    mixed: Crops = np.rint(share * base + (1 - share) * painted).astype(np.uint8)
    return mixed
