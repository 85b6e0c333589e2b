"""Cell classes: their names, order, keys, colours and neighbours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from napari_cytosynth.core.errors import TaxonomyError, UnknownClassError

SYMBOLS = (
    "arrow",
    "clobber",
    "cross",
    "diamond",
    "disc",
    "hbar",
    "ring",
    "square",
    "star",
    "tailed_arrow",
    "triangle_down",
    "triangle_up",
    "vbar",
    "x",
)
"""Marks that a class may have on screen."""


@dataclass(frozen=True, slots=True)
class CellClass:
    """One class of cell.

    Parameters
    ----------
    concept : str
        Identity across taxonomies, such as ``"neutrophil.segmented"``. Two classes are
        the same exactly when their concepts are.
    code : str
        Short code shown on screen and stored in the journal, such as ``"SNE"``.
    name : str
        ICSH name (Palmer et al. 2015, ijlh.12327).
    lineage : str
        Line of maturation, such as ``"granulocytic"``.
    keys : str
        Key, or chord of two keys, that labels a cell: ``"5"`` or ``"g2"``.
    colour : str
        ``"#rrggbb"``; never the only sign, the symbol and code go with it.
    symbol : str
        One of :data:`SYMBOLS`.
    neighbours : tuple of str
        Codes of the classes next to it on the maturation line; a confusion with them
        counts half.
    abstain : bool
        True for "not identifiable", "artefact", "smudge": labels that teach no type.
    aliases : tuple of str
        Codes and names by which other data sets call it; matched without case.
    """

    concept: str
    code: str
    name: str
    lineage: str
    keys: str
    colour: str
    symbol: str = "disc"
    neighbours: tuple[str, ...] = ()
    abstain: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def worded(self) -> str:
        """The name within a sentence, with its article: ``"an eosinophil"``."""
        article = "an" if self.name[0].lower() in "aeiou" else "a"
        return f"{article} {self.name[0].lower()}{self.name[1:]}"


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of classes.

    Parameters
    ----------
    name : str
        Such as ``"pbc11"``.
    classes : sequence of CellClass
        In the order in which a haematologist lists them.
    costs : mapping of (str, str) to float
        Cost of taking a cell of the first code for the second; 1 where absent, and 0.5
        between neighbours on a maturation line.

    Raises
    ------
    TaxonomyError
        If a code, concept or key stands twice, a key starts another class's chord, or a
        neighbour is unknown.
    """

    name: str
    classes: tuple[CellClass, ...]
    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.classes:
            raise TaxonomyError(
                f"Taxonomy '{self.name}' has no classes. Give it at least one."
            )
        for what in ("code", "concept", "keys"):
            _refuse_repeats(self.name, what, [getattr(c, what) for c in self.classes])
        _refuse_key_prefixes(self.name, [c.keys for c in self.classes])
        known = set(self.codes)
        for cell_class in self.classes:
            _refuse_strange_looks(self.name, cell_class)
            if strangers := set(cell_class.neighbours) - known:
                raise TaxonomyError(
                    f"Class {cell_class.code} of taxonomy '{self.name}' names unknown "
                    f"neighbours {sorted(strangers)}. Neighbours are codes of the same "
                    "taxonomy."
                )

    def __iter__(self) -> Iterator[CellClass]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __contains__(self, code: object) -> bool:
        return code in self.codes

    def __getitem__(self, code: str) -> CellClass:
        for cell_class in self.classes:
            if cell_class.code == code:
                return cell_class
        raise UnknownClassError(
            f"Class '{code}' is not in taxonomy '{self.name}'. "
            f"It holds {', '.join(self.codes)}."
        )

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes in order."""
        return tuple(c.code for c in self.classes)

    @property
    def cell_codes(self) -> tuple[str, ...]:
        """Codes in order, without the abstain classes."""
        return tuple(c.code for c in self.classes if not c.abstain)

    def index(self, code: str) -> int:
        """Return the position of a class."""
        return self.classes.index(self[code])

    def find(self, text: str) -> CellClass:
        """Return the class of this code, name, concept or alias, whatever the case.

        Raises
        ------
        UnknownClassError
            If none, or more than one, matches.
        """
        wanted = text.strip().casefold()
        exact = [c for c in self.classes if wanted == c.code.casefold()]
        found = exact or [c for c in self.classes if wanted in _names_of(c)]
        if len(found) != 1:
            what = "names no class" if not found else "names several classes"
            raise UnknownClassError(
                f"'{text}' {what} of taxonomy '{self.name}'. "
                f"Use one of {', '.join(self.codes)}."
            )
        return found[0]

    def by_concept(self, concept: str) -> CellClass | None:
        """Return the class of this concept, or None."""
        return next((c for c in self.classes if c.concept == concept), None)

    def cost(self, truth: str, taken_for: str) -> float:
        """Return the cost of taking ``truth`` for ``taken_for``, >= 0."""
        if truth == taken_for:
            return 0.0
        default = 0.5 if taken_for in self[truth].neighbours else 1.0
        return self.costs.get((truth, taken_for), default)


def _names_of(cell_class: CellClass) -> set[str]:
    names = (cell_class.name, cell_class.concept, *cell_class.aliases)
    return {name.casefold() for name in names}


def _refuse_strange_looks(taxonomy: str, cell_class: CellClass) -> None:
    if cell_class.symbol not in SYMBOLS:
        raise TaxonomyError(
            f"Class {cell_class.code} of taxonomy '{taxonomy}' has the symbol "
            f"'{cell_class.symbol}'. Choose one of {', '.join(SYMBOLS)}."
        )
    if re.fullmatch(r"#[0-9a-fA-F]{6}", cell_class.colour) is None:
        raise TaxonomyError(
            f"Class {cell_class.code} of taxonomy '{taxonomy}' has the colour "
            f"'{cell_class.colour}'. Write it as #rrggbb."
        )


def _refuse_repeats(taxonomy: str, what: str, values: Sequence[str]) -> None:
    if repeated := [v for v, n in Counter(values).items() if n > 1]:
        raise TaxonomyError(
            f"Taxonomy '{taxonomy}' uses {what} {repeated} more than once. "
            f"Every class needs its own {what}."
        )


def _refuse_key_prefixes(taxonomy: str, keys: Sequence[str]) -> None:
    for short in keys:
        longer = [k for k in keys if k != short and k.startswith(short)]
        if longer:
            raise TaxonomyError(
                f"Key '{short}' of taxonomy '{taxonomy}' starts the chord {longer}. A "
                "key that labels at once cannot begin another class's chord."
            )
