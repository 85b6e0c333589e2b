"""Files that ship with the package: a card, and what its hashes vouch for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_cytosynth.core.errors import WeightsError

TRAINED_CONCEPTS = {
    "SNE": "neutrophil.segmented",
    "BNE": "neutrophil.band",
    "MMY": "metamyelocyte",
    "MY": "myelocyte",
    "PMY": "promyelocyte",
    "EO": "eosinophil",
    "BA": "basophil",
    "MO": "monocyte",
    "LY": "lymphocyte",
    "ERB": "erythroblast",
    "PLATELET": "platelet",
}
"""Codes of the cells that train shipped weights, in the order of their class indices,
and their concepts."""

LAST_TRAINING_SHARE = 5
"""Shares up to this may train shipped weights; those above are for figures."""


def share_of(name: str) -> int:
    """Return the share of a picture, 0..9, by its base name alone."""
    return number_of(name) % 10


def number_of(name: str) -> int:
    """Return the SHA-1 of a base name as a number: an order that nobody chose."""
    return int(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(), 16)


def read_card(path: Path, what: str) -> Mapping[str, Any]:
    """Return the card of weights that ship with the package.

    Parameters
    ----------
    path : Path
        A JSON object.
    what : str
        Whose card it is, such as ``"the starter encoder"``.

    Raises
    ------
    WeightsError
        If it is missing or damaged.
    """
    try:
        card: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(_no_card(path, what, str(error))) from error
    if not isinstance(card, dict):
        raise WeightsError(_no_card(path, what, "it holds no JSON object"))
    return card


def read_checked(path: Path, wanted: str, what: str) -> bytes:
    """Return the bytes of a file that ships with the package, if it is the right one.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str
        SHA-256 of its bytes, hexadecimal.
    what : str
        Whose weights they are.

    Raises
    ------
    WeightsError
        If the file is missing, or another one than the hash says.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights of {what}, {path.name}, cannot be read ({error}). They ship "
            "with the package; install napari-cytosynth again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise WeightsError(
            f"The weights of {what}, {path.name}, have SHA-256 {found[:12]}..., not "
            f"{wanted[:12]}... as their card says. The file is damaged or was "
            "exchanged, and is not used; install napari-cytosynth again."
        )
    return data


def _no_card(path: Path, what: str, problem: str) -> str:
    return (
        f"The card of {what}, {path.name}, cannot be read ({problem}). It ships with "
        "the package; install napari-cytosynth again."
    )
