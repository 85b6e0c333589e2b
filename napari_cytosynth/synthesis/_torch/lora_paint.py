"""The four ways from real cells to a new one, each as passes of the same drawing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.synthesis._torch.halving import Halving
from napari_cytosynth.synthesis._torch.stable_base import StableBase
from napari_cytosynth.synthesis._torch.stable_draw import Drawn, Plan, Start, draw
from napari_cytosynth.synthesis.centre import centre_masks

Pixels = npt.NDArray[np.uint8]

_KEPT = {
    "class": ("",),
    "variation": ("",),
    "inpaint": ("cell",),
    "in-then-out": ("background", "cell"),
}
"""What each pass of a strategy keeps of the picture that it starts from."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a block of draws is made of; arrays run over the draws.

    Parameters
    ----------
    strategy : str
        ``"class"``, ``"variation"``, ``"inpaint"`` or ``"in-then-out"``.
    noise : float32[2, n, channels, y, x]
        Standard normal, for a first and a second pass.
    seeds : tuple of int
        For samplers that add noise on the way.
    sources : uint8[n, 96, 96, 3] or None
        Real cells; none for ``"class"``.
    """

    strategy: str
    noise: npt.NDArray[np.float32]
    seeds: tuple[int, ...]
    sources: Pixels | None = None


def paint(
    base: StableBase, halving: Halving, plan: Plan, sheet: Sheet
) -> Iterator[Drawn | None]:
    """Yield None after each step, and a block of draws at last.

    A block that does not fit into memory is made in halves.
    """
    start = Start(sheet.noise[0], sheet.seeds, sheet.sources)
    if sheet.strategy != "variation":
        plan = replace(plan, strength=1.0)
    flaws: tuple[str, ...] = ("",) * len(sheet.seeds)
    exact = (False,) * len(flaws)
    for number, kept in enumerate(_KEPT[sheet.strategy]):
        start = replace(start, noise=sheet.noise[number], fresh=_fresh(start, kept))
        parts: list[Drawn] = []
        for made in _in_parts(base, halving, plan, start):
            if made is None:
                yield None
            else:
                parts.append(made)
        crops = np.concatenate([part.crops for part in parts])
        found = [flaw for part in parts for flaw in part.flaws]
        flaws = tuple(a or b for a, b in zip(flaws, found, strict=True))
        again = [e for p in parts for e in p.exact or (False,) * len(p.flaws)]
        exact = tuple(a or b for a, b in zip(exact, again, strict=True))
        start = replace(start, sources=_pasted(crops, start))
    assert start.sources is not None
    yield Drawn(start.sources, flaws, exact)


def _in_parts(
    base: StableBase, halving: Halving, plan: Plan, start: Start
) -> Iterator[Drawn | None]:
    count = len(start.seeds)
    return halving.parts(
        0, count, lambda a, b: draw(base, plan, start.rows(range(a, b)))
    )


def _fresh(start: Start, kept: str) -> npt.NDArray[np.float32] | None:
    """Return where a pass paints anew; None is everywhere."""
    if not kept or start.sources is None:
        return None
    cells = centre_masks(start.sources)
    return 1 - cells if kept == "cell" else cells


def _pasted(crops: Pixels, start: Start) -> Pixels:
    """Put the kept pixels of the sources back: the autoencoder blurs them."""
    if start.fresh is None or start.sources is None:
        return crops
    share = start.fresh[..., None]
    mixed: Pixels = np.rint(share * crops + (1 - share) * start.sources)
    return mixed.astype(np.uint8)
