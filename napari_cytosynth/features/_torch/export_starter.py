r"""Turn a training run into the weights that ship, with their card.

    python -m napari_cytosynth.features._torch.export_starter \
        --run DIR --cells DIR --attributes FILE --out DIR

Writes ``starter.safetensors`` (averaged weights, float16) and ``starter.json``, their
card. Features are scaled by the training cells; figures are of the validation share.
Classes that the run left out are named again: ``--without BA PMY``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_cytosynth._torch.course import part_of
from napari_cytosynth.features._torch.augment import plain
from napari_cytosynth.features._torch.train_starter import (
    TRAINING,
    VALIDATION,
    Recipe,
    Student,
)
from napari_cytosynth.features._torch.training_cells import (
    ATTRIBUTES,
    CONCEPTS,
    SPAN,
    UNKNOWN,
    Cells,
    read_cells,
)

SOURCE = {
    "data": "PBC Barcelona: Acevedo, Merino, Alferez et al., A dataset of microscopic "
    "peripheral blood cell images, Data in Brief 30 (2020) 105474, Mendeley Data "
    "snkd93bnjr",
    "licence": "CC BY 4.0",
    "changes": "centre square scaled to 128 x 128 pixels (taken for 36 um), then "
    "turned, scaled, recoloured and compressed at random",
    "attributes": "WBCAtt: Tsutsui, Pang, Wen, NeurIPS 2023, MIT",
    "unlabelled": "264 crops found in WBC-detection-dataset (Alipo-on, Escobar, Novia "
    "et al., juvenile Visayan warty pig, eyepiece by smartphone), CC0 1.0",
    "split": "SHA-1 of the base name modulo 10: 0..4 trained, 5 was looked at while "
    "developing; 6..9 were never seen",
}

LIMITS = (
    "Healthy donors, one analyser, one stain: other stains and microscopes were "
    "imitated by random changes of the pictures, not seen.",
    "No blast, plasma cell or other cell of the marrow beyond the neutrophil line and "
    "erythroblasts has trained it.",
    "The cell is to be in the middle of its crop at about 0.25 um a pixel.",
    "Research use only; not for diagnosis.",
)


def export(run: Path, cells: Cells, out: Path, recipe: Recipe | None = None) -> None:
    """Write weights and card of a run into a folder."""
    recipe = recipe or Recipe()
    arrays = part_of(load_file(run / "checkpoint.safetensors"), "ema.")
    # What ships is float16, so that is what is measured.
    arrays = {k: _half(k, v) for k, v in arrays.items()}
    student = Student(recipe.size, [len(v) for v in cells.values])
    student.load_state_dict({k: v.float() for k, v in arrays.items()})
    student.eval()
    trained, looked_at = cells.of(TRAINING), cells.of(VALIDATION)
    features = _features(student, trained)
    kept = {k: v for k, v in arrays.items() if k.startswith("encoder.")}
    kept["readout.mean"] = features.mean(0)
    kept["readout.spread"] = features.std(0).clamp_min(1e-3)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "starter.safetensors"
    save_file({k: v.contiguous() for k, v in kept.items()}, path)
    card = {
        "name": "starter encoder",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "dim": student.encoder.dim,
        "size": recipe.size.to_json(),
        "counts": _counts(trained),
        "validation": _figures(student, looked_at),
        "training": {
            **json.loads((run / "progress.json").read_text()),
            "batch": recipe.batch,
            "unlabelled a batch": recipe.unlabelled,
            "torch": torch.__version__,
        },
        "source": SOURCE,
        "limits": LIMITS,
    }
    (out / "starter.json").write_text(json.dumps(card, indent=1) + "\n")


def _half(name: str, values: Tensor) -> Tensor:
    """Store convolutions as float16; statistics may exceed its range."""
    return values.half().float() if "running" in name else values.half()


@torch.no_grad()
def _features(student: Student, cells: Cells) -> Tensor:
    pictures = torch.from_numpy(cells.pictures)
    parts = torch.split(pictures, 256)
    return torch.cat([student.encoder(plain(p, SPAN)) for p in parts])


@torch.no_grad()
def _figures(student: Student, cells: Cells) -> dict[str, Any]:
    """Return the training heads' recall by class, and accuracy by attribute."""
    features = _features(student, cells)
    guesses = student.classes(features).argmax(1).numpy()
    recalls = {
        code: round(float((guesses[cells.classes == k] == k).mean()), 3)
        for k, code in enumerate(CONCEPTS)
        if (cells.classes == k).any()
    }
    known = cells.attributes[:, 0] != UNKNOWN
    accuracies = {}
    for i, (name, head) in enumerate(zip(ATTRIBUTES, student.attributes, strict=True)):
        found = head(features).argmax(1).numpy()[known]
        accuracies[name] = round(float((found == cells.attributes[known, i]).mean()), 3)
    return {
        "recall": recalls,
        "macro recall": round(float(np.mean(list(recalls.values()))), 3),
        "attribute accuracy": accuracies,
        "cells": int((cells.classes != UNKNOWN).sum()),
        "cells with attributes": int(known.sum()),
    }


def _counts(cells: Cells) -> dict[str, int]:
    counts = {c: int((cells.classes == k).sum()) for k, c in enumerate(CONCEPTS)}
    known = cells.attributes[:, 0] != UNKNOWN
    return {
        **counts,
        "unlabelled": int((cells.classes == UNKNOWN).sum()),
        "with attributes": int(known.sum()),
    }


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--cells", type=Path, required=True)
    parser.add_argument("--attributes", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--without", nargs="*", choices=tuple(CONCEPTS), default=(), metavar="CODE"
    )
    options = parser.parse_args(arguments)
    cells = read_cells(options.cells, options.attributes, tuple(options.without))
    export(options.run, cells, options.out)


if __name__ == "__main__":
    main()
