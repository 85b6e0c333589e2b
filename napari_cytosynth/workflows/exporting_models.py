"""Generators out of a project: weights, hashes and a card; patients' cells stay in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.formats.files import write_folder
from napari_cytosynth.workflows.model_card import (
    CARD_NAME,
    cards_of,
    fitted_generators,
    is_card,
    is_personal,
)

SUMS = "SHA256SUMS"
"""Hashes of all other files, as ``sha256sum --check`` reads them."""

_KINDS = (".safetensors", ".json")


@dataclass(frozen=True, slots=True)
class ModelsReport:
    """What an export of models wrote.

    Parameters
    ----------
    path : str
        Folder.
    generators : tuple of str
        Generators that have a card.
    models : tuple of str
        Weights written, ``generator-CLASS``.
    withheld : tuple of str
        Weights that were learned from patients' cells, and stayed.
    """

    path: str
    generators: tuple[str, ...]
    models: tuple[str, ...]
    withheld: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {
            k: v if isinstance(v, str) else list(v) for k, v in asdict(self).items()
        }


def adapters(project: Project) -> tuple[str, ...]:
    """Return the names of the weights that were learned from patients' cells."""
    fitted = _named(fitted_generators(project))
    return tuple(name for name, weights in fitted.items() if is_personal(weights))


def export_models(
    project: Project, folder: Path, *, include_adapter: bool = False
) -> ModelsReport:
    """Write the generators that fills of this project fitted.

    A folder gets ``GENERATOR-CLASS.safetensors`` and ``.json`` for each, a card for
    each generator, and the SHA-256 of every file.

    Parameters
    ----------
    project : Project
        Where they come from.
    folder : Path
        A new one, or one that an earlier export wrote, which is replaced.
    include_adapter : bool
        Write weights learned from patients' cells too. Ask the user before: see
        :func:`adapters`.

    Raises
    ------
    InputError
        If no generator was fitted yet.
    FormatError
        If the folder holds foreign files.
    StorageError
        If the disk refuses; what stood there before is left.
    """
    fitted = fitted_generators(project)
    if not fitted:
        raise InputError(
            "This project holds no generator yet. Fill a class first: 'cytosynth "
            "synthesize', or Fill in the window."
        )
    named = _named(fitted)
    kept = {n for n, w in named.items() if is_personal(w) and not include_adapter}
    files: dict[str, str | bytes] = {}
    for name, weights in named.items():
        if name not in kept:
            files |= _files(name, weights)
    for generator, card in cards_of(project, fitted).items():
        files[CARD_NAME.format(generator)] = card
    write_folder(folder, {**files, SUMS: _sums(files)}, _ours)
    written = tuple(name for name in named if name not in kept)
    return ModelsReport(str(folder), tuple(fitted), written, tuple(sorted(kept)))


def _named(fitted: Mapping[str, Mapping[str, Weights]]) -> dict[str, Weights]:
    return {
        f"{generator}-{code}": weights
        for generator, by_class in fitted.items()
        for code, weights in by_class.items()
    }


def _files(name: str, weights: Weights) -> dict[str, str | bytes]:
    from safetensors.numpy import save

    meta = {
        "name": name,
        "sha256": weights.sha256,
        "personal": is_personal(weights),
        "meta": dict(weights.meta),
    }
    return {
        f"{name}.safetensors": save(dict(weights.tensors)),
        f"{name}.json": json.dumps(meta, indent=1, ensure_ascii=False) + "\n",
    }


def _sums(files: Mapping[str, str | bytes]) -> str:
    lines = []
    for name, said in sorted(files.items()):
        data = said.encode() if isinstance(said, str) else said
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    return "".join(lines)


def _ours(folder: Path, name: str) -> bool:
    """Tell whether an export wrote a file: its folder lists it."""
    try:
        listed = (folder / SUMS).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return False
    known = name.endswith(_KINDS) or is_card(name)
    return name == SUMS or (known and name in listed)
