"""Which weight files the ``dinobloom`` and ``dinov2`` embedders take, and from where.

A file of the list below is known by its SHA-256, published beside the file. Only such a
file is ever downloaded. A file in Python's pickle format, which could run code, is
opened only if its hash is of the list or was given by the user, and then with
``weights_only=True``; a safetensors file cannot run code.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_data_path

from napari_cytosynth.core.errors import InputError, WeightsError

_HUB = "https://huggingface.co"
_SMALL = "1aurent/vit_small_patch14_224.dinobloom"
_BASE = "1aurent/vit_base_patch14_224.dinobloom"
_LARGE = "1aurent/vit_large_patch14_224.dinobloom"
_AUTHORS = "MarrLab/DinoBloom"
_CHUNK = 2**24
_HEX = re.compile(r"[0-9a-f]{64}")
_MARK = "#sha256="


@dataclass(frozen=True, slots=True)
class Published:
    """A weight file that can be downloaded.

    Parameters
    ----------
    url : str
        Where it is.
    sha256 : str
        What it must be.
    size : int
        Bytes, as its page states them, rounded.
    file : str
        Its name in the folder of weights.
    """

    url: str
    sha256: str
    size: int
    file: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One size of DinoBloom.

    Parameters
    ----------
    dim : int
        Length of its vectors.
    published : Published
        The file that is downloaded.
    others : tuple of str
        SHA-256 of other published files of the same model.
    """

    dim: int
    published: Published
    others: tuple[str, ...] = ()


VARIANTS = {
    "dinobloom-s": Variant(
        384,
        Published(
            f"{_HUB}/{_SMALL}/resolve/main/model.safetensors",
            "a7aa4f35e0fdc34c1ce25962db2511df895a96201f2cebe19dd3b3539ab93b26",
            86_500_000,
            "dinobloom-s.safetensors",
        ),
        # DinoBloom-S.pth of zenodo.org/records/10908163
        ("c2f7990b003e89bcece80e379fb8fe0ba2ec392ce19b286e8a294abd99568e44",),
    ),
    "dinobloom-b": Variant(
        768,
        Published(
            f"{_HUB}/{_BASE}/resolve/main/model.safetensors",
            "37d7c42f6ac8adea355b6cbf4d2a74c5c8de6d292fed909be793328572106334",
            343_000_000,
            "dinobloom-b.safetensors",
        ),
    ),
    "dinobloom-l": Variant(
        1024,
        Published(
            f"{_HUB}/{_LARGE}/resolve/main/model.safetensors",
            "6e224b1cc9cab7d2fcdef7d416960df98244fd807b2ad86e53da5d2d1a06d6bc",
            1_210_000_000,
            "dinobloom-l.safetensors",
        ),
        # pytorch_model_l.bin of huggingface.co/MarrLab/DinoBloom
        ("3963b60942e18e1f66fc77340700f4d408c69ca6d6617c0f94feedbad7caa88f",),
    ),
    "dinobloom-g": Variant(
        1536,
        Published(
            f"{_HUB}/{_AUTHORS}/resolve/main/pytorch_model_g.bin",
            "16bff9c85eabb2628e8c741701b6eb23a6ebd61699de85777af99750d6415a39",
            4_540_000_000,
            "dinobloom-g.bin",
        ),
    ),
}
"""DinoBloom (Koch et al. 2024, arXiv 2404.05022), Apache-2.0, by registry name.

The hashes were read from the pages of these files on huggingface.co, and that of
DinoBloom-S.pth from a public loader of it. Where the authors' file is a pickle and a
safetensors copy of it is published, the copy is the one that is fetched.
"""

LISTED = frozenset(
    hash_
    for variant in VARIANTS.values()
    for hash_ in (variant.published.sha256, *variant.others)
)
"""SHA-256 of every published file that is known."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file that the user named.

    Parameters
    ----------
    path : Path
        Where it lies.
    sha256 : str
        What the user says it must be; empty if nothing was said.
    """

    path: Path
    sha256: str = ""


def weights_folder() -> Path:
    """Return where weights are kept: ``CYTOSYNTH_WEIGHTS``, or the user's data folder.

    A folder on a stick that was filled elsewhere serves as well.
    """
    named = os.environ.get("CYTOSYNTH_WEIGHTS")
    if named:
        return Path(named).expanduser()
    return user_data_path("cytosynth", appauthor=False) / "weights"


def offline() -> bool:
    """Tell whether downloads are forbidden (CYTOSYNTH_OFFLINE or HF_HUB_OFFLINE)."""
    said = (os.environ.get(n, "") for n in ("CYTOSYNTH_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in said)


def read_given(text: str) -> Given:
    """Read ``PATH`` or ``PATH#sha256=HEX``.

    Raises
    ------
    InputError
        If there is no path, or what should be a SHA-256 is none.
    """
    path, mark, sha256 = text.rpartition(_MARK)
    if not mark:
        path, sha256 = text, ""
    elif not _HEX.fullmatch(sha256.lower()):
        raise InputError(
            f"'{sha256}' is no SHA-256, which has 64 digits of 0-9 and a-f. "
            "'sha256sum FILE' prints it."
        )
    if not path:
        raise InputError(
            "A weight file is needed after the colon: dinov2:PATH, or --weights PATH."
        )
    return Given(Path(path).expanduser().absolute(), sha256.lower())


def write_given(path: Path, sha256: str | None) -> str:
    """Return what :func:`read_given` reads."""
    return f"{path.expanduser().absolute()}{_MARK + sha256 if sha256 else ''}"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; it is read again only if it was touched.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        state = path.stat()
        return _hashed(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise WeightsError(
            f"The weight file '{path}' cannot be read ({error.strerror}). Give the "
            "path of a checkpoint that is there."
        ) from error


@lru_cache(maxsize=32)
def _hashed(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hash_stream(stream)


def hash_stream(stream: BinaryIO) -> str:
    """Return the SHA-256 of what is left of a stream."""
    steps = hashing(stream)
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        digest: str = stop.value
        return digest


def hashing(stream: BinaryIO) -> Generator[int, None, str]:
    """Hash a stream in steps; yields how many bytes have been read."""
    digest, done = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        done += len(chunk)
        yield done
    return digest.hexdigest()


def is_safetensors(stream: BinaryIO) -> bool:
    """Tell by its first bytes whether a stream holds safetensors; rewinds it."""
    stream.seek(0)
    head = stream.read(9)
    stream.seek(0)
    length = int.from_bytes(head[:8], "little")
    return len(head) == 9 and 2 <= length < 2**30 and head[8:] == b"{"


def demand_known(
    stream: BinaryIO, name: str, found: str, trusted: frozenset[str]
) -> None:
    """Refuse a file that may not be opened, before anything in it is looked at.

    Parameters
    ----------
    stream : binary file
        The opened file; it is rewound.
    name : str
        For the message.
    found : str
        SHA-256 of the file.
    trusted : frozenset of str
        SHA-256 that a file in pickle format may have.

    Raises
    ------
    WeightsError
        If it is a pickle of another hash.
    """
    if is_safetensors(stream) or found in trusted:
        return
    raise WeightsError(
        f"'{name}' is no safetensors file, so it may hold a pickle, which can run "
        f"code, and its SHA-256 {found} is not on the list. Give a safetensors file; "
        "or, if you have compared this hash with what the makers of the file publish, "
        "say so with --sha256 HASH."
    )
