"""What a report shows beside its figures: pictures, provenance, cards, memorisation."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import NearestPair
from napari_cytosynth.evidence.reader import ReaderResult

SHOWN = 12
"""Cells of a class on a contact sheet, real and synthetic each."""

_QUALITY = 90
_GAP = 4


@dataclass(frozen=True)
class Sheet:
    """Real and synthetic cells of one class, side by side.

    Parameters
    ----------
    code, name : str
        The class.
    real, synthetic : uint8[n, 96, 96, 3]
        Some of each.
    of : (int, int)
        Real and synthetic cells that they were drawn from at random.
    seed : int
        Of the draw.
    """

    code: str
    name: str
    real: Crops
    synthetic: Crops
    of: tuple[int, int]
    seed: int = 0


@dataclass(frozen=True)
class PairSheet:
    """The synthetic cells nearest to real training cells, each above its neighbour.

    Parameters
    ----------
    code : str
        Their class.
    pairs : tuple of NearestPair
        Ids and distances.
    synthetic, real : uint8[n, 96, 96, 3]
        One for each pair.
    """

    code: str
    pairs: tuple[NearestPair, ...]
    synthetic: Crops
    real: Crops


@dataclass(frozen=True)
class Made:
    """How the draws of one class fared.

    Parameters
    ----------
    generator, code : str
        Who made what.
    accepted, proposed, refused : int
        By a reader, not looked at yet, and by reader or gate.
    """

    generator: str
    code: str
    accepted: int
    proposed: int
    refused: int


@dataclass(frozen=True)
class Appendix:
    """All of it.

    Parameters
    ----------
    smears, labels : int
        Pictures, and labelled real cells.
    inspection : Inspection
        Fidelity and memorisation.
    made : tuple of Made
        Synthetic cells.
    sheets : tuple of Sheet
        Classes that were filled.
    pairs : tuple of PairSheet
        The nearest pairs.
    cards : tuple of str
        Model cards, as Markdown.
    readers : tuple of ReaderResult
        Finished blinded tests.
    """

    smears: int
    labels: int
    inspection: Inspection
    made: tuple[Made, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    pairs: tuple[PairSheet, ...] = ()
    cards: tuple[str, ...] = ()
    readers: tuple[ReaderResult, ...] = ()


def grid_uri(rows: Sequence[Crops]) -> str:
    """Return rows of cells as one JPEG in a ``data:`` address, without any metadata.

    All are compressed alike, so that compression does not tell real from synthetic.

    Parameters
    ----------
    rows : sequence of uint8[n, 96, 96, 3]
        One a row, top to bottom; the longest decides the width.
    """
    buffer = io.BytesIO()
    Image.fromarray(_grid(rows)).save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _grid(rows: Sequence[Crops]) -> npt.NDArray[np.uint8]:
    side = rows[0].shape[1]
    step, most = side + _GAP, max(len(row) for row in rows)
    sheet = np.full((step * len(rows) - _GAP, step * most - _GAP, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, crop in enumerate(row):
            sheet[y * step : y * step + side, x * step : x * step + side] = crop
    return sheet
