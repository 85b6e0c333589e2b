"""Weights beside the database: safetensors and JSON, both checked when read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.files import write_durably
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.store.rules import plain_json


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What the database says of stored weights.

    Parameters
    ----------
    file : str
        Stem of the two files.
    sha256 : str
        :attr:`Weights.sha256`.
    meta_sha256 : str
        SHA-256 of the JSON file.
    """

    file: str
    sha256: str
    meta_sha256: str


def write_model(folder: Path, name: str, weights: Weights) -> ModelFile:
    """Write both files durably; no older file is touched.

    Parameters
    ----------
    folder : Path
        ``models`` of the project.
    name : str
        Any text; the file's stem is made from it and the hash.
    weights : Weights
        To store.
    """
    sha256 = weights.sha256
    meta = plain_json({"name": name, "sha256": sha256, "meta": dict(weights.meta)})
    meta_sha256 = hashlib.sha256(meta.encode()).hexdigest()
    safe = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "model"
    stem = f"{safe}-{sha256[:12]}-{meta_sha256[:8]}"
    write_durably(folder / f"{stem}.safetensors", save(dict(weights.tensors)))
    write_durably(folder / f"{stem}.json", meta.encode())
    return ModelFile(stem, sha256, meta_sha256)


def read_model(folder: Path, known: ModelFile) -> Weights:
    """Read weights back.

    Raises
    ------
    WeightsError
        If a file is missing, damaged, or not the one that was stored.
    """
    path = folder / f"{known.file}.safetensors"
    try:
        meta = path.with_suffix(".json").read_bytes()
        weights = Weights(load(path.read_bytes()), json.loads(meta)["meta"])
    except FileNotFoundError as error:
        raise WeightsError(
            f"Weights '{error.filename}' are missing. The project names them; restore "
            "the file from a backup, or train again."
        ) from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(_damaged(path, str(error))) from error
    if weights.sha256 != known.sha256:
        raise WeightsError(_damaged(path, "their SHA-256 is not the stored one"))
    if hashlib.sha256(meta).hexdigest() != known.meta_sha256:
        why = "the SHA-256 of their description is not the stored one"
        raise WeightsError(_damaged(path.with_suffix(".json"), why))
    return weights


def sweep_models(folder: Path, named: Iterable[str]) -> None:
    """Remove files that no row names: older weights, or a crash's orphans."""
    keep = set(named)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix in (".safetensors", ".json") and path.stem not in keep:
            path.unlink(missing_ok=True)


def _damaged(path: Path, why: str) -> str:
    return (
        f"Weights '{path}' are damaged: {why}. Damaged weights are never used; restore "
        "the file from a backup, or train again."
    )
