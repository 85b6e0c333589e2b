"""A data set to give away, before it is written in some format: cells, and a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import ProvenanceError
from napari_cytosynth.core.provenance import Provenance, SyntheticCell

NO_LICENCE = "https://choosealicense.com/no-permission/"
"""What stands where the giver named no licence: others may not use it."""

UNNAMED = "Not named"


class Part(StrEnum):
    """The two parts of a data set. Their cells never mix."""

    SYNTHETIC = "synthetic"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Sample:
    """One cell.

    Parameters
    ----------
    name : str
        Name of its picture, without ending; one of its kind in a part.
    pixels : uint8[96, 96, 3]
        RGB at 0.25 um a pixel.
    part : Part
        Whether it is real.
    split : str
        ``"train"`` or ``"test"``; a synthetic cell can only train.
    columns : mapping of str to str, int or bool
        What is known of it; the same keys for each cell of a part.
    cell : SyntheticCell or None
        The cell itself, if it is synthetic.

    Raises
    ------
    ProvenanceError
        If a synthetic cell would test, or does not say how it was made, or stands as a
        real one.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    part: Part
    split: str
    columns: Mapping[str, str | int | bool]
    cell: SyntheticCell | None = None

    def __post_init__(self) -> None:
        """Keep synthetic cells out of what is measured on."""
        if (self.part is Part.SYNTHETIC) is not (self.cell is not None):
            raise ProvenanceError(
                f"Picture '{self.name}' stands in the part '{self.part}', and its cell "
                "says otherwise. A synthetic cell comes with its provenance, a real "
                "one has none."
            )
        if self.part is Part.SYNTHETIC and self.split != "train":
            raise ProvenanceError(
                f"Synthetic cell '{self.name}' was put into the split '{self.split}'. "
                "It can only train; evaluation splits hold real cells."
            )

    @property
    def path(self) -> str:
        """File of its picture, from the top of the data set."""
        return f"{self.part}/{self.split}/{self.name}.png"


@dataclass(frozen=True, slots=True)
class About:
    """Who gives a data set away, and on what terms.

    Parameters
    ----------
    name : str
        What it is called.
    licence : str
        URL of the licence.
    creator : str
        Person or institution.
    url : str
        Where it will be found; empty: it is named by its hash.
    date : str
        Day of publication, ISO 8601.
    """

    name: str = "Synthetic blood and marrow cells"
    licence: str = NO_LICENCE
    creator: str = UNNAMED
    url: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What must be known of a data set before it is used.

    Parameters
    ----------
    about : About
        Terms.
    samples : tuple of Sample
        All its cells.
    classes : mapping of code to name
        Of the taxonomy, in order.
    generators : mapping of key to Provenance
        One of each generator's cells, for its weights and version.
    notes : mapping of str to tuple of str
        Sentences by property of the RAI vocabulary, such as ``"dataLimitations"``.
    """

    about: About
    samples: tuple[Sample, ...]
    classes: Mapping[str, str]
    generators: Mapping[str, Provenance] = field(default_factory=dict)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts that hold cells."""
        held = {sample.part for sample in self.samples}
        return tuple(part for part in Part if part in held)

    def of(self, part: Part, split: str = "") -> tuple[Sample, ...]:
        """Return the cells of a part, or of one split of it."""
        return tuple(
            s for s in self.samples if s.part is part and split in ("", s.split)
        )

    def splits(self, part: Part) -> tuple[str, ...]:
        """Return the splits of a part that hold cells, ``train`` first."""
        held = {sample.split for sample in self.of(part)}
        return tuple(split for split in ("train", "test") if split in held)

    def counts(self, part: Part, split: str = "") -> dict[str, int]:
        """Return how many cells of each class there are, in the taxonomy's order."""
        found = Counter(str(s.columns["class"]) for s in self.of(part, split))
        return {code: found[code] for code in self.classes if found[code]}

    def columns(self, part: Part) -> Sequence[str]:
        """Return the columns of a part's table, behind the picture's name."""
        return tuple(next(iter(self.of(part))).columns)
