"""Prompts for a text-to-image model, made from the taxonomy.

A CLIP text encoder reads 77 tokens, the marks of start and end included, and drops the
rest without a word. Prompts here are short, and are counted by the model's own
tokenizer before they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy

MAX_TOKENS = 77

_SCENE = "single cell in a blood smear, May-Gruenwald-Giemsa stain"
_LINEAGES = {
    "blast": "immature cell",
    "granulocytic": "granulocytic lineage",
    "monocytic": "monocytic lineage",
    "lymphocytic": "lymphocytic lineage",
    "erythroid": "erythroid lineage",
    "megakaryocytic": "megakaryocytic lineage",
}


def prompt_of(cell_class: CellClass) -> str:
    """Return the prompt of a class: ICSH name, lineage, scene."""
    return _join(cell_class.name, cell_class.lineage)


def prompts_of(codes: Iterable[str], concepts: Mapping[str, str]) -> dict[str, str]:
    """Return a prompt for each class code.

    Parameters
    ----------
    codes : iterable of str
        Class codes.
    concepts : mapping of str to str
        Their concepts. Built-in taxonomies give the ICSH name of a concept; one that
        they do not know is told by its own words.
    """
    return {code: _prompt(code, concepts.get(code)) for code in codes}


def too_long(prompts: Mapping[str, str], count: Callable[[str], int]) -> None:
    """Raise if a prompt is longer than the text encoder reads.

    Parameters
    ----------
    prompts : mapping of str to str
        Prompt of each class code.
    count : callable
        Tokens of a text, start and end included.

    Raises
    ------
    InputError
        Naming the class, its prompt and the number of tokens.
    """
    for code, prompt in prompts.items():
        if (tokens := count(prompt)) > MAX_TOKENS:
            raise InputError(
                f"The prompt of class {code} has {tokens} tokens: '{prompt}'. The text "
                f"encoder reads {MAX_TOKENS} and would miss the rest. Give a shorter "
                f"one in the option 'prompts', such as {{'{code}': '{prompt[:40]}'}}."
            )


def built_in_prompts() -> set[str]:
    """Return the prompts of all classes of all built-in taxonomies."""
    tables: list[Taxonomy] = [built_in(name) for name in BUILT_IN]
    return {prompt_of(c) for table in tables for c in table if not c.abstain}


def _prompt(code: str, concept: str | None) -> str:
    for name in BUILT_IN:
        table = built_in(name)
        known = table.by_concept(concept) if concept else _by_code(table, code)
        if known is not None:
            return prompt_of(known)
    return _join((concept or code).replace(".", " "), "")


def _by_code(table: Taxonomy, code: str) -> CellClass | None:
    return next((c for c in table if c.code == code), None)


def _join(name: str, lineage: str) -> str:
    words = [name.lower(), _LINEAGES.get(lineage, ""), _SCENE]
    return ", ".join(word for word in words if word)
