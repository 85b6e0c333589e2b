"""The built-in taxonomies: ``pbc11``, ``blood5``, ``aml15`` and ``marrow21``.

Names follow ICSH (Palmer et al. 2015). Codes of ``marrow21`` are those of the MLL /
Helmholtz / Fraunhofer marrow set (Matek et al. 2021, doi 10.7937/TCIA.AXH3-T579), codes
of ``pbc11`` those of PBC Barcelona (Acevedo et al. 2020). Colours start from Okabe and
Ito's palette; past eight classes colour alone cannot tell classes apart, so a symbol
and a code go with each.
"""

from __future__ import annotations

from napari_cytosynth.core.errors import UnknownClassError
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy

_CONCEPTS: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    # concept: (ICSH name, lineage, colour, symbol, aliases)
    "blast": ("Blast cell", "blast", "#d55e00", "star", ("myeloblast", "blasts")),
    "monoblast": ("Monoblast", "monocytic", "#a63c00", "star", ()),
    "promyelocyte": ("Promyelocyte", "granulocytic", "#e69f00", "square", ()),
    "promyelocyte.bilobed": (
        "Promyelocyte, bilobed",
        "granulocytic",
        "#b87d00",
        "square",
        (),
    ),
    "myelocyte": ("Myelocyte", "granulocytic", "#c9b100", "diamond", ()),
    "metamyelocyte": ("Metamyelocyte", "granulocytic", "#8fae1b", "triangle_up", ()),
    "neutrophil": (
        "Neutrophil",
        "granulocytic",
        "#009e73",
        "disc",
        ("neutrophils", "segmented neutrophil", "band neutrophil"),
    ),
    "neutrophil.band": (
        "Neutrophil, band form",
        "granulocytic",
        "#3fbf8f",
        "clobber",
        ("band neutrophil", "band"),
    ),
    "neutrophil.segmented": (
        "Neutrophil, segmented",
        "granulocytic",
        "#009e73",
        "disc",
        ("segmented neutrophil", "neutrophil", "neutrophils"),
    ),
    "eosinophil": (
        "Eosinophil",
        "granulocytic",
        "#ff6f61",
        "tailed_arrow",
        ("eosinophils",),
    ),
    "eosinophil.abnormal": (
        "Abnormal eosinophil",
        "granulocytic",
        "#c2185b",
        "arrow",
        (),
    ),
    "basophil": ("Basophil", "granulocytic", "#6a3d9a", "cross", ("basophils",)),
    "monocyte": ("Monocyte", "monocytic", "#56b4e9", "triangle_down", ("monocytes",)),
    "lymphocyte": (
        "Lymphocyte",
        "lymphocytic",
        "#0072b2",
        "ring",
        ("lymphocytes", "typical lymphocyte"),
    ),
    "lymphocyte.atypical": (
        "Lymphocyte, reactive",
        "lymphocytic",
        "#004c7a",
        "ring",
        ("atypical lymphocyte",),
    ),
    "lymphocyte.immature": (
        "Immature lymphocyte",
        "lymphocytic",
        "#4a6fa5",
        "ring",
        (),
    ),
    "hairy cell": ("Hairy cell", "lymphocytic", "#7aa6c2", "x", ()),
    "plasma cell": (
        "Plasma cell",
        "lymphocytic",
        "#1a237e",
        "diamond",
        ("plasma cells",),
    ),
    "erythroblast": (
        "Erythroblast",
        "erythroid",
        "#cc79a7",
        "disc",
        ("erythroblasts", "nucleated red cell", "nrbc"),
    ),
    "proerythroblast": ("Proerythroblast", "erythroid", "#8e3b6f", "square", ()),
    "platelet": ("Platelet", "megakaryocytic", "#999999", "cross", ("platelets",)),
    "faggot cell": ("Faggot cell", "blast", "#ff8f00", "triangle_up", ()),
    "smudge": ("Smudge cell", "none", "#795548", "x", ("smudge",)),
    "artefact": ("Artefact", "none", "#616161", "x", ("artifact",)),
    "not identifiable": ("Not identifiable", "none", "#bdbdbd", "vbar", ()),
    "other": ("Other cell", "none", "#8d6e63", "hbar", ()),
}
_ABSTAIN = {"smudge", "artefact", "not identifiable"}
_LINES = (
    (
        "blast",
        "promyelocyte",
        "myelocyte",
        "metamyelocyte",
        "neutrophil.band",
        "neutrophil.segmented",
    ),
    ("proerythroblast", "erythroblast"),
    ("monoblast", "monocyte"),
)
_BLAST_COSTS = ("lymphocyte", "monocyte", "lymphocyte.atypical")


def _build(name: str, rows: tuple[tuple[str, str, str], ...]) -> Taxonomy:
    code_of = {concept: code for concept, code, _ in rows}
    classes = tuple(_class_of(*row, code_of=code_of) for row in rows)
    return Taxonomy(name, classes, _costs(code_of))


def _class_of(concept: str, code: str, keys: str, code_of: dict[str, str]) -> CellClass:
    label, lineage, colour, symbol, aliases = _CONCEPTS[concept]
    return CellClass(
        concept=concept,
        code=code,
        name=label,
        lineage=lineage,
        keys=keys,
        colour=colour,
        symbol=symbol,
        neighbours=_neighbours(concept, code_of),
        abstain=concept in _ABSTAIN,
        aliases=tuple(a for a in aliases if a not in code_of),
    )


def _neighbours(concept: str, code_of: dict[str, str]) -> tuple[str, ...]:
    """Codes of the nearest stages that this taxonomy has, on each side."""
    for line in _LINES:
        present = [c for c in line if c in code_of]
        if concept in present:
            i = present.index(concept)
            beside = present[max(i - 1, 0) : i] + present[i + 1 : i + 2]
            return tuple(code_of[c] for c in beside)
    return ()


def _costs(code_of: dict[str, str]) -> dict[tuple[str, str], float]:
    """Missing a blast costs three times a plain confusion: it moves a diagnosis."""
    blast = code_of.get("blast")
    if blast is None:
        return {}
    return {(blast, code_of[c]): 3.0 for c in _BLAST_COSTS if c in code_of}


_BUILT_IN = {
    "pbc11": _build(
        "pbc11",
        (
            ("neutrophil.segmented", "SNE", "1"),
            ("neutrophil.band", "BNE", "2"),
            ("metamyelocyte", "MMY", "3"),
            ("myelocyte", "MY", "4"),
            ("promyelocyte", "PMY", "5"),
            ("eosinophil", "EO", "6"),
            ("basophil", "BA", "7"),
            ("monocyte", "MO", "8"),
            ("lymphocyte", "LY", "9"),
            ("erythroblast", "ERB", "0"),
            ("platelet", "PLATELET", "p"),
            ("smudge", "SMU", "k"),
            ("artefact", "ART", "x"),
            ("not identifiable", "NIF", "n"),
        ),
    ),
    "blood5": _build(
        "blood5",
        (
            ("neutrophil", "NEU", "1"),
            ("eosinophil", "EOS", "2"),
            ("basophil", "BAS", "3"),
            ("monocyte", "MON", "4"),
            ("lymphocyte", "LYM", "5"),
            ("smudge", "SMU", "k"),
            ("artefact", "ART", "x"),
            ("not identifiable", "NIF", "n"),
        ),
    ),
    "aml15": _build(
        "aml15",
        (
            ("neutrophil.segmented", "NGS", "1"),
            ("neutrophil.band", "NGB", "2"),
            ("lymphocyte", "LYT", "3"),
            ("lymphocyte.atypical", "LYA", "4"),
            ("monocyte", "MON", "5"),
            ("eosinophil", "EOS", "6"),
            ("basophil", "BAS", "7"),
            ("blast", "MYO", "8"),
            ("monoblast", "MOB", "9"),
            ("promyelocyte", "PMO", "0"),
            ("promyelocyte.bilobed", "PMB", "b"),
            ("myelocyte", "MYB", "m"),
            ("metamyelocyte", "MMZ", "t"),
            ("erythroblast", "EBO", "e"),
            ("smudge", "KSC", "k"),
            ("artefact", "ART", "x"),
            ("not identifiable", "NIF", "n"),
        ),
    ),
    "marrow21": _build(
        "marrow21",
        (
            ("blast", "BLA", "b"),
            ("promyelocyte", "PMO", "1"),
            ("myelocyte", "MYB", "2"),
            ("metamyelocyte", "MMZ", "3"),
            ("neutrophil.band", "NGB", "4"),
            ("neutrophil.segmented", "NGS", "5"),
            ("eosinophil", "EOS", "6"),
            ("eosinophil.abnormal", "ABE", "g6"),
            ("basophil", "BAS", "7"),
            ("monocyte", "MON", "8"),
            ("proerythroblast", "PEB", "e1"),
            ("erythroblast", "EBO", "0"),
            ("lymphocyte", "LYT", "9"),
            ("lymphocyte.immature", "LYI", "l1"),
            ("hairy cell", "HAC", "l2"),
            ("plasma cell", "PLM", "p"),
            ("faggot cell", "FGC", "g1"),
            ("smudge", "KSC", "k"),
            ("artefact", "ART", "x"),
            ("not identifiable", "NIF", "n"),
            ("other", "OTH", "o"),
        ),
    ),
}

BUILT_IN = tuple(_BUILT_IN)
"""Names of the built-in taxonomies."""


def built_in(name: str) -> Taxonomy:
    """Return a built-in taxonomy by name.

    Raises
    ------
    UnknownClassError
        If there is none of that name.
    """
    if name not in _BUILT_IN:
        raise UnknownClassError(
            f"There is no built-in taxonomy '{name}'. Choose one of "
            f"{', '.join(BUILT_IN)}, or give a YAML file."
        )
    return _BUILT_IN[name]
