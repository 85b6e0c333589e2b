"""What every reader needs: the smear's record, and a look at a file's first bytes."""

from __future__ import annotations

from pathlib import Path

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.smear import PLAUSIBLE_MPP, Smear
from napari_cytosynth.core.splits import picture_group
from napari_cytosynth.ingest.identity import fingerprint


def first_bytes(uri: str, count: int) -> bytes:
    """Return up to ``count`` first bytes of a file; empty where it has none."""
    try:
        with Path(uri).open("rb") as file:
            return file.read(count)
    except OSError:
        return b""


def plausible(mpp: float | None) -> float | None:
    """Return ``mpp`` where a microscope can have it, else None."""
    if mpp is None or not PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]:
        return None
    return mpp


def smear_of(uri: str, *, width: int, height: int, mpp: float | None = None) -> Smear:
    """Return the record of an opened picture; its group is the picture itself.

    Raises
    ------
    InputError
        If the picture has no pixels.
    """
    if width < 1 or height < 1:
        raise InputError(
            f"'{uri}' is {width} x {height} pixels. A smear has at least one pixel; "
            "check how it was exported."
        )
    content = fingerprint(uri)
    group = picture_group(Path(uri).stem, content)
    return Smear(uri, width, height, plausible(mpp), group, content)
