"""Which cells teach and which only measure. Fixed for ever by a hash of the group.

Adding smears never moves a cell from one side to the other, and the cells of one
patient or slide never stand on both. With fewer than five groups a split by group would
leave one side empty or odd, so blocks of the picture stand in for groups, and every
figure then says so. The split therefore changes once: when the fifth group comes.
Models are to be fitted again then; no figure mixes the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.provenance import refuse_synthetic

AUDIT_SHARE = 0.3
"""Share of the groups held out for audit cards."""

MIN_GROUPS = 5
"""Fewer groups than this are split by blocks of the picture."""

AUDIT_EVERY = 10
"""One card in so many of the queue is an audit card."""

MIN_AUDIT = 10
"""With fewer audit cells of a class its figures cannot be estimated yet."""

NOT_YET = "cannot be estimated yet"
"""What is said instead of such a figure."""

BLOCK_UM = 100.0
"""Side of a block, micrometres: wider than any cell, so few straddle two."""


class Split(StrEnum):
    """What a real cell is for."""

    TRAIN = "train"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Splits:
    """The split of every cell of a table.

    Parameters
    ----------
    audit : bool[n]
        True where the cell is held out.
    keys : str[n]
        The group or block that decided it; folds go by it too.
    by_group : bool
        False where blocks stood in for groups.
    ungrouped : int
        Pictures of which nobody said whose they are: each is its own group.
    pictures : int
        All pictures.
    """

    audit: npt.NDArray[np.bool_]
    keys: npt.NDArray[np.str_]
    by_group: bool
    ungrouped: int = 0
    pictures: int = 0

    @property
    def caveat(self) -> str:
        """What every figure must say; empty where the split is by patient or slide."""
        if self.by_group and self.ungrouped:
            rest = self.ungrouped < self.pictures
            which = f" for {self.ungrouped} of {self.pictures} pictures" if rest else ""
            return f"split by picture, not by patient{which}: no groups were given"
        if self.by_group:
            return ""
        return (
            f"split by blocks of {BLOCK_UM:.0f} um, not by patient: fewer than "
            f"{MIN_GROUPS} groups"
        )


def picture_group(name: str, fingerprint: str) -> str:
    """Return the group of a picture of which nobody said whose it is.

    Name and content, not the folder: splits go by the group, and must not change when a
    project is repeated on another machine.
    """
    return f"{name}{_own(fingerprint)}"


def is_picture_group(group: str, fingerprint: str) -> bool:
    """Tell whether a group is the picture itself; its file may have moved since."""
    return group.endswith(_own(fingerprint))


def _own(fingerprint: str) -> str:
    return f":{fingerprint[:8]}"


def hash_share(key: str, salt: str = "split") -> float:
    """Return a number in 0..1 that depends on the key alone."""
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(key: str) -> Split:
    """Return the split of a group or block."""
    return Split.AUDIT if hash_share(key) < AUDIT_SHARE else Split.TRAIN


def split_cells(
    cells: CellTable,
    groups: dict[int, str],
    mpp: dict[int, float],
    *,
    ungrouped: int = 0,
) -> Splits:
    """Split the cells of a project.

    Parameters
    ----------
    cells : CellTable
        Real cells.
    groups : dict of smear id to group
        Patient, slide or picture.
    mpp : dict of smear id to micrometres a pixel
        For the size of the blocks.
    ungrouped : int
        How many smears have no group but their own picture; for the caveat.

    Raises
    ------
    ProvenanceError
        If a synthetic cell was passed.
    """
    refuse_synthetic(cells, "a split")
    by_group = len(set(groups.values())) >= MIN_GROUPS
    keys = _group_keys(cells, groups) if by_group else _block_keys(cells, groups, mpp)
    unique, inverse = np.unique(keys, return_inverse=True)
    held_out = np.array([split_of(str(k)) is Split.AUDIT for k in unique], dtype=bool)
    audit = held_out[inverse] if len(unique) else np.zeros(0, bool)
    return Splits(audit, keys, by_group, ungrouped, len(groups))


def _group_keys(cells: CellTable, groups: dict[int, str]) -> npt.NDArray[np.str_]:
    smears, inverse = np.unique(cells.smears, return_inverse=True)
    return np.array([groups[int(s)] for s in smears], dtype=np.str_)[inverse]


def _block_keys(
    cells: CellTable, groups: dict[int, str], mpp: dict[int, float]
) -> npt.NDArray[np.str_]:
    centres = cells.boxes[:, :2] + cells.boxes[:, 2:] / 2
    scale = np.array([mpp[int(s)] for s in cells.smears], dtype=np.float64)
    blocks = (centres * scale[:, None] // BLOCK_UM).astype(int)
    return np.array(
        [
            f"{groups[int(s)]}:{bx}:{by}"
            for s, (bx, by) in zip(cells.smears, blocks, strict=True)
        ],
        dtype=np.str_,
    )
