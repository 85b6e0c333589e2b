"""Attributes of a cell as a haematologist says them.

Values are those of WBCAtt (Tsutsui, Pang, Wen, NeurIPS 2023). A phrase is a noun with
the adjectives that are sure: "segmented nucleus", "coarse purple granules".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Values = tuple[str, ...]
Chances = Mapping[str, Mapping[str, float]]
"""Probability of each value of each attribute; those of one attribute sum to 1."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word for some values of an attribute.

    Parameters
    ----------
    text : str
        Adjective; empty: the noun says it.
    values : tuple of str
        Any of these; the probability is their sum.
    absent : bool
        True: there is none of what the noun names.
    """

    text: str
    values: Values
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """What a phrase is about.

    Parameters
    ----------
    noun : str
        Ends the phrase.
    terms : mapping of attribute to terms
        In the order of the adjectives; for each attribute the first term that is sure
        is said, so narrow ones stand before wide ones.
    """

    noun: str
    terms: Mapping[str, tuple[Term, ...]]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing said of a cell.

    Parameters
    ----------
    noun : str
        Noun of the topic.
    text : str
        Such as ``"segmented nucleus"``.
    confidence : float
        0..1; the least of its words'.
    said : tuple of (attribute, values)
        What it claims.
    brief : str
        With its first adjective only.
    """

    noun: str
    text: str
    confidence: float
    said: tuple[tuple[str, Values], ...]
    brief: str


_SEGMENTED = ("segmented-bilobed", "segmented-multilobed")
_UNSEGMENTED = ("unsegmented-band", "unsegmented-indented", "unsegmented-round")

NC_RATIO = "N/C ratio"
"""Noun that is not said where the ratio was measured."""

TELLING = ("nucleus", "granules", "chromatin")
"""Nouns that a reason names, where they are sure."""

TOPICS = (
    Topic(
        "nucleus",
        {
            "nucleus_shape": (
                Term("bilobed", _SEGMENTED[:1]),
                Term("multilobed", _SEGMENTED[1:]),
                Term("band-shaped", _UNSEGMENTED[:1]),
                Term("indented", _UNSEGMENTED[1:2]),
                Term("round", _UNSEGMENTED[2:]),
                Term("irregular", ("irregular",)),
                Term("segmented", _SEGMENTED),
                Term("unsegmented", _UNSEGMENTED),
            )
        },
    ),
    Topic(
        "granules",
        {
            "granule_type": (
                Term("", ("nil",), absent=True),
                Term("small", ("small",)),
                Term("round", ("round",)),
                Term("coarse", ("coarse",)),
                Term("", ("small", "round", "coarse")),
            ),
            "granule_colour": tuple(Term(c, (c,)) for c in ("pink", "red", "purple")),
        },
    ),
    Topic(
        "chromatin",
        {
            "chromatin_density": (
                Term("dense", ("densely",)),
                Term("loose", ("loosely",)),
            )
        },
    ),
    Topic(
        "cytoplasm",
        {
            "cytoplasm_texture": tuple(Term(t, (t,)) for t in ("clear", "frosted")),
            "cytoplasm_colour": (
                Term("light blue", ("light blue",)),
                Term("blue", ("blue",)),
                Term("purple-blue", ("purple blue",)),
                Term("blue to purple-blue", ("blue", "purple blue")),
            ),
        },
    ),
    Topic(
        "vacuoles",
        {"cytoplasm_vacuole": (Term("", ("yes",)), Term("", ("no",), absent=True))},
    ),
    Topic(
        "cell",
        {
            "cell_size": (Term("large", ("big",)), Term("small", ("small",))),
            "cell_shape": tuple(Term(s, (s,)) for s in ("round", "irregular")),
        },
    ),
    Topic(
        NC_RATIO,
        {
            "nuclear_cytoplasmic_ratio": tuple(
                Term(level, (level,)) for level in ("high", "low")
            )
        },
    ),
)
"""What is said, in order."""


def phrases(chances: Chances, sure: float) -> tuple[Phrase, ...]:
    """Say what is sure of one cell; nothing of a topic of which nothing is.

    Parameters
    ----------
    chances : mapping
        Probability of each value of each attribute.
    sure : float
        Least probability of a word, above 0.5.
    """
    found = (_phrase(topic, chances, sure) for topic in TOPICS)
    return tuple(phrase for phrase in found if phrase is not None)


def _phrase(topic: Topic, chances: Chances, sure: float) -> Phrase | None:
    words = list(_words(topic, chances, sure))
    absent = next((w for w in words if w[1].absent), None)
    if absent is not None:
        words = [absent]
    if not words:
        return None
    before = ["no"] if absent else [t.text for _, t, _ in words if t.text]
    return Phrase(
        topic.noun,
        " ".join([*before, topic.noun]),
        min(confidence for _, _, confidence in words),
        tuple((attribute, term.values) for attribute, term, _ in words),
        " ".join([*before[:1], topic.noun]),
    )


def _words(
    topic: Topic, chances: Chances, sure: float
) -> Iterator[tuple[str, Term, float]]:
    for attribute, terms in topic.terms.items():
        of_value = chances[attribute]
        for term in terms:
            confidence = sum(of_value.get(value, 0.0) for value in term.values)
            if confidence >= sure:
                yield attribute, term, min(confidence, 1.0)
                break


def reason_of(said: tuple[Phrase, ...], code: str) -> str:
    """Return "segmented nucleus, coarse granules: EO?"; empty: nothing to say.

    Parameters
    ----------
    said : tuple of Phrase
        What is sure.
    code : str
        Class that it speaks for; empty: none.
    """
    telling = [phrase.brief for phrase in said if phrase.noun in TELLING]
    if not telling:
        return ""
    return ", ".join(telling) + (f": {code}?" if code else "")


def sentences(said: tuple[Phrase, ...], unsure: tuple[str, ...], code: str) -> str:
    """Say all that is sure, each with its confidence, then what is not.

    Such as "Bilobed nucleus 0.93, round red granules 0.99: EO? Unsure: vacuoles."
    """
    parts = []
    if said:
        listed = ", ".join(f"{p.text} {_share(p.confidence)}" for p in said)
        ending = f": {code}?" if code else "."
        parts.append(listed[0].upper() + listed[1:] + ending)
    if unsure:
        parts.append(f"Unsure: {', '.join(unsure)}.")
    return " ".join(parts)


def _share(confidence: float) -> str:
    """Round down: what is not certain is never called 1.00."""
    return f"{math.floor(min(confidence, 0.999) * 100) / 100:.2f}"
