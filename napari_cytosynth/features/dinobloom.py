"""DinoBloom, and any other DINOv2 ViT/14 without registers, as an embedder.

Koch et al. (2024), DinoBloom: a foundation model for generalizable cell embeddings in
hematology, arXiv 2404.05022. Oquab et al. (2023), DINOv2, arXiv 2304.07193.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cytosynth.core.errors import InputError, MissingExtraError, WeightsError
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.features.checks import check_crops
from napari_cytosynth.features.dinobloom_files import (
    LISTED,
    VARIANTS,
    Given,
    Variant,
    demand_known,
    hash_stream,
    read_given,
    sha256_of,
    weights_folder,
)

if TYPE_CHECKING:
    from napari_cytosynth.features._torch.dinov2 import Backbone

PREPARATION = {
    "version": 1,
    "input": 224,
    "resize": "bilinear",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "output": "normalised class token",
}
"""What is done to a crop before and after the network; part of the fingerprint."""

BATCH = 16
"""Crops embedded between two signs of life: seconds on two cores, full on a GPU."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which weights an embedder is to use.

    Parameters
    ----------
    name : str
        Registry name.
    variant : Variant, optional
        What is published under that name; None for any DINOv2 checkpoint.
    given : Given, optional
        A file of the user's, in place of the published one.
    """

    name: str
    variant: Variant | None = None
    given: Given | None = None


class DinoEmbedder:
    """Embeds crops by a DINOv2 vision transformer; its weights are loaded when needed.

    On a GPU it runs in half precision: its vectors differ slightly from those of a CPU,
    under the same fingerprint.

    Parameters
    ----------
    choice : Choice
        Which weights.

    Attributes
    ----------
    batch : int
        Crops to embed at a time.
    """

    batch = BATCH

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._backbone: Backbone | None = None
        self._of = ""

    @cached_property
    def key(self) -> str:
        """Fingerprint: name, and a hash of the weights' SHA-256 and the preparation."""
        facts = json.dumps([self._sha256(), PREPARATION])
        digest = hashlib.sha256(facts.encode()).hexdigest()
        return f"{self.choice.name}-{digest[:12]}"

    @property
    def dim(self) -> int:
        """Length of the vectors; loads the weights where only they tell."""
        if self.choice.variant is not None:
            return self.choice.variant.dim
        return self._loaded().dim

    @property
    def path(self) -> Path:
        """Where the weights are, or will be once they were fetched."""
        given, variant = self.choice.given, self.choice.variant
        if given is not None:
            return given.path
        if variant is not None:
            return weights_folder() / variant.published.file
        raise InputError(
            "The 'dinov2' embedder needs a checkpoint: dinov2:PATH, or --embedder "
            "dinov2 --weights PATH."
        )

    @property
    def at_hand(self) -> bool:
        """Whether the weights are here and transformers is installed."""
        named = self.choice.given is not None or self.choice.variant is not None
        return has_transformers() and named and self.path.is_file()

    def prepare(self) -> Task[None]:
        """Fetch the weights if they are published and not here, and load them.

        Raises
        ------
        MissingExtraError
            If transformers is not installed.
        WeightsError
            If the weights are not here and cannot be fetched, are damaged, not those
            that were named, or no DINOv2 ViT/14.
        """
        _demand_transformers()
        if self.choice.given is None and self.choice.variant is not None:
            # httpx takes a while to import, and is needed here only.
            from napari_cytosynth.features.dinobloom_fetch import fetch

            yield from fetch(self.choice.variant.published, weights_folder())
        yield Progress(0, 0, f"loading {self.path.name}")
        self._loaded()

    def embed(self, crops: Crops) -> Vectors:
        """Embed crops.

        Parameters
        ----------
        crops : uint8[n, 96, 96, 3]
            RGB, 0.25 um a pixel; resized to 224 pixels, ImageNet mean and spread.

        Returns
        -------
        float32[n, dim]
            The class token after the last normalisation.

        Raises
        ------
        InputError
            If the crops have another shape or type.
        MissingExtraError
            If transformers is not installed.
        WeightsError
            If the weights are missing (:meth:`prepare` fetches them), or unfit.
        """
        check_crops(crops)
        backbone = self._loaded()
        starts = range(0, len(crops), self.batch)
        parts = [backbone.vectors(crops[i : i + self.batch]) for i in starts]
        return np.concatenate([np.zeros((0, backbone.dim), np.float32), *parts])

    def _sha256(self) -> str:
        """Return the hash of the weights, by the list where they may not be here."""
        given, variant = self.choice.given, self.choice.variant
        if given is None and variant is not None:
            return variant.published.sha256
        return sha256_of(self.path)

    def _loaded(self) -> Backbone:
        # A worker keeps an embedder; the user may have exchanged the file meanwhile.
        wanted = self._sha256()
        if self._backbone is None or self._of != wanted:
            _demand_transformers()
            self._backbone, self._of = self._load(), wanted
        return self._backbone

    def _load(self) -> Backbone:
        from napari_cytosynth.features._torch.dinov2 import load_backbone

        variant = self.choice.variant
        try:
            with self.path.open("rb") as stream:
                found = hash_stream(stream)
                self._demand_right(found)
                demand_known(stream, self.path.name, found, self._trusted)
                backbone = load_backbone(stream, self.path)
        except OSError as error:
            raise WeightsError(
                f"The weights of {self.choice.name} cannot be read at '{self.path}' "
                f"({error.strerror}). 'cytosynth embed FOLDER --embedder "
                f"{self.choice.name} --out FILE' fetches what is published; --weights "
                "PATH names a file."
            ) from error
        if variant is not None and backbone.dim != variant.dim:
            raise WeightsError(
                f"'{self.path.name}' gives vectors of {backbone.dim} numbers; "
                f"{self.choice.name} has {variant.dim}. Name it with dinov2:PATH."
            )
        return backbone

    @property
    def _trusted(self) -> frozenset[str]:
        """Hashes of files that may be unpickled."""
        given = self.choice.given
        said = {given.sha256} if given is not None and given.sha256 else set()
        return LISTED | said

    def _demand_right(self, found: str) -> None:
        """Refuse a file that is another than was named."""
        given, variant = self.choice.given, self.choice.variant
        wanted: tuple[str, ...] = ()
        if given is not None and given.sha256:
            wanted = (given.sha256,)
        elif variant is not None:
            published = variant.published.sha256
            wanted = (published,) if given is None else (published, *variant.others)
        if wanted and found not in wanted:
            way = "Remove it to have it fetched again" if given is None else "Check it"
            raise WeightsError(
                f"'{self.path}' has SHA-256 {found}, not {' or '.join(wanted)}. It is "
                f"damaged, or another file than {self.choice.name}, and is not used. "
                f"{way}; name a checkpoint of your own with dinov2:PATH."
            )


def dinobloom_s(weights: str = "") -> DinoEmbedder:
    """Return DinoBloom-S, 384 numbers a cell; ``weights`` as in :func:`dinov2`."""
    return _embedder("dinobloom-s", VARIANTS["dinobloom-s"], weights)


def dinobloom_b(weights: str = "") -> DinoEmbedder:
    """Return DinoBloom-B, 768 numbers a cell; ``weights`` as in :func:`dinov2`."""
    return _embedder("dinobloom-b", VARIANTS["dinobloom-b"], weights)


def dinobloom_l(weights: str = "") -> DinoEmbedder:
    """Return DinoBloom-L, 1024 numbers a cell; ``weights`` as in :func:`dinov2`."""
    return _embedder("dinobloom-l", VARIANTS["dinobloom-l"], weights)


def dinobloom_g(weights: str = "") -> DinoEmbedder:
    """Return DinoBloom-G, 1536 numbers a cell; ``weights`` as in :func:`dinov2`."""
    return _embedder("dinobloom-g", VARIANTS["dinobloom-g"], weights)


def dinov2(weights: str = "") -> DinoEmbedder:
    """Return an embedder for a DINOv2 ViT/14 checkpoint on disk.

    Parameters
    ----------
    weights : str
        ``PATH``, or ``PATH#sha256=HEX`` to demand a hash, without which a file in
        pickle format is not opened.
    """
    return _embedder("dinov2", None, weights)


def has_transformers() -> bool:
    """Tell whether the extra ``[foundation]`` is installed, without loading it."""
    return find_spec("transformers") is not None


def _embedder(name: str, variant: Variant | None, weights: str) -> DinoEmbedder:
    given = read_given(weights) if weights else None
    return DinoEmbedder(Choice(name, variant, given))


def _demand_transformers() -> None:
    if not has_transformers():
        raise MissingExtraError(
            "The dinobloom and dinov2 embedders need transformers, which is not "
            "installed: pip install 'napari-cytosynth[foundation]'."
        )
