"""A user's own taxonomy from a YAML file.

::

    name: my lab
    classes:
      - {code: NGS, concept: neutrophil.segmented, keys: "1"}
      - {code: ART, name: Artefact, abstain: true}
    costs:
      - {truth: BLA, taken_for: LYT, cost: 3}

Only ``code`` and ``name`` are needed. A concept of a built-in taxonomy lends its name,
lineage, colour and symbol, and makes the class the same one as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_cytosynth.core.errors import FormatError
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy
from napari_cytosynth.formats.files import number, read_text

_MAX_BYTES = 1 << 20
_FREE_KEYS = "1234567890qwertyuiopasdfghjklzxcvbnm"
_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#999999",
)
_FIELDS = frozenset(
    {
        "code",
        "name",
        "concept",
        "lineage",
        "keys",
        "colour",
        "symbol",
        "neighbours",
        "abstain",
        "aliases",
    }
)

Entry = Mapping[str, Any]


def read_taxonomy(path: str | Path) -> Taxonomy:
    """Read a taxonomy.

    Parameters
    ----------
    path : path
        A YAML file of at most 1 MiB.

    Raises
    ------
    FormatError
        If the file is not such a YAML file.
    TaxonomyError
        If its classes contradict each other.
    """
    file = Path(path)
    document = _document(file)
    entries = document.get("classes")
    if not isinstance(entries, list) or not entries:
        raise FormatError(
            f"'{file}' lacks 'classes'. List at least one class with code and name."
        )
    checked = [
        _check(entry, f"'{file}', class {n}") for n, entry in enumerate(entries, 1)
    ]
    taken = {str(entry["keys"]) for entry in checked if "keys" in entry}
    free = iter(k for k in _FREE_KEYS if not any(t.startswith(k) for t in taken))
    classes = []
    for place, entry in enumerate(checked):
        keys = str(entry["keys"]) if "keys" in entry else next(free, "")
        classes.append(_cell_class(entry, keys, _COLOURS[place % len(_COLOURS)]))
    name = str(document.get("name") or file.stem)
    return Taxonomy(name, tuple(classes), _costs(document.get("costs") or [], file))


def _document(file: Path) -> Entry:
    try:
        document = yaml.safe_load(read_text(file, _MAX_BYTES))
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(
            f"'{file}' is not YAML: {error}. Correct it there."
        ) from error
    if not isinstance(document, dict):
        raise FormatError(
            f"'{file}' holds no mapping. A taxonomy has 'name' and 'classes'."
        )
    return document


def _check(entry: object, where: str) -> Entry:
    full = {**_lent(entry), **entry} if isinstance(entry, dict) else {}
    if not {"code", "name"} <= set(full):
        raise FormatError(
            f"{where} lacks code or name. Every class needs both, such as "
            "{code: NGS, name: Neutrophil}."
        )
    if strangers := {str(k) for k in full} - _FIELDS:
        raise FormatError(
            f"{where} has the unknown fields {sorted(strangers)}. "
            f"Known are {', '.join(sorted(_FIELDS))}."
        )
    return full


def _lent(entry: Entry) -> dict[str, Any]:
    """Return what a built-in class of the same concept lends."""
    for taxonomy in BUILT_IN:
        twin = built_in(taxonomy).by_concept(str(entry.get("concept", "")))
        if twin is not None:
            return {
                "name": twin.name,
                "lineage": twin.lineage,
                "colour": twin.colour,
                "symbol": twin.symbol,
                "abstain": twin.abstain,
            }
    return {}


def _cell_class(entry: Entry, keys: str, colour: str) -> CellClass:
    full = {
        "lineage": "none",
        "colour": colour,
        "symbol": "disc",
        **_lent(entry),
        **entry,
    }
    code = str(full["code"])
    return CellClass(
        concept=str(full.get("concept") or str(full["name"]).casefold()),
        code=code,
        name=str(full["name"]),
        lineage=str(full["lineage"]),
        keys=keys,
        colour=str(full["colour"]),
        symbol=str(full["symbol"]),
        neighbours=tuple(str(n) for n in full.get("neighbours") or ()),
        abstain=bool(full.get("abstain", False)),
        aliases=tuple(str(a) for a in full.get("aliases") or ()),
    )


def _costs(entries: object, file: Path) -> dict[tuple[str, str], float]:
    costs: dict[tuple[str, str], float] = {}
    for place, entry in enumerate(
        entries if isinstance(entries, list) else [entries], 1
    ):
        where = f"'{file}', cost {place}"
        if not isinstance(entry, dict) or set(entry) != {"truth", "taken_for", "cost"}:
            raise FormatError(f"{where}: give truth, taken_for and cost.")
        pair = str(entry["truth"]), str(entry["taken_for"])
        costs[pair] = number(entry["cost"], f"{where}, cost")
    return costs
