"""Which classes the starter weights can paint, and which must be learned."""

from __future__ import annotations

from pathlib import Path

from napari_cytosynth.core.errors import UnknownClassError
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.synthesis.starter import load_card

MIN_TO_LEARN = 3
"""Real cells from which a class that the starter weights do not know can be learned."""

CLOSE_CONCEPTS = {"neutrophil": "neutrophil.segmented"}
"""Coarse concepts, and the trained one that stands for each."""


class Repertoire:
    """The classes that the weights in a folder know; reads their card alone.

    Parameters
    ----------
    folder : Path
        Where ``latent.json`` lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def index_of(self, concept: str | None) -> int | None:
        """Return the class index of a concept, or None where it was not trained."""
        concept = CLOSE_CONCEPTS.get(concept or "", concept or "")
        known = list(load_card(self._folder)["concepts"])
        return known.index(concept) if concept in known else None

    def refuse_unknown(self, code: str, real: int, taxonomy: Taxonomy) -> None:
        """Raise where a class could not be painted.

        Parameters
        ----------
        code : str
            Class.
        real : int
            Real cells of it that there are to learn from.
        taxonomy : Taxonomy
            The project's.

        Raises
        ------
        UnknownClassError
            Naming the classes that can be painted.
        """
        if real < MIN_TO_LEARN and self.index_of(taxonomy[code].concept) is None:
            raise self.unknown(code, taxonomy)

    def unknown(self, code: str, taxonomy: Taxonomy) -> UnknownClassError:
        """Return the error that says what can be painted, and what would help."""
        cells = [taxonomy[c] for c in taxonomy.cell_codes]
        known = [c.code for c in cells if self.index_of(c.concept) is not None]
        return UnknownClassError(
            f"The latent generator does not know class '{code}': of taxonomy "
            f"'{taxonomy.name}' its weights know {', '.join(known) or 'no class'}, and "
            f"fewer than {MIN_TO_LEARN} real cells of {code} are there to learn from. "
            f"Label {MIN_TO_LEARN} or more of them and fill again."
        )
