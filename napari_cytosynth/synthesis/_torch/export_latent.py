r"""Turn a training run into the weights that ship, with their card.

    python -m napari_cytosynth.synthesis._torch.export_latent --run DIR \
        --data DIR --vectors cells.npz --embedder starter-1-ba4f0a950639 --out DIR

Any checkpoint will do. ``--vectors`` is what the run was given, and ``--embedder`` the
fingerprint of what made them.

Writes ``latent.safetensors`` (averaged weights, float16), ``latent_cells.safetensors``
(thumbnails and float16 looks of the training cells, by which copies of them are known)
and ``latent.json``, their card.
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

from napari_cytosynth.metrics.copying import copy_threshold
from napari_cytosynth.synthesis._torch.painter import PainterSize
from napari_cytosynth.synthesis._torch.train_latent import (
    CONCEPTS,
    Pool,
    Recipe,
    read_pool,
)
from napari_cytosynth.synthesis.appearance import Stain
from napari_cytosynth.synthesis.lookspace import LookSpace
from napari_cytosynth.synthesis.thumbnails import thumbnails, turned_threshold

SOURCE = {
    "data": "PBC Barcelona: Acevedo, Merino, Alferez et al., A dataset of microscopic "
    "peripheral blood cell images, Data in Brief 30 (2020) 105474, Mendeley Data "
    "snkd93bnjr",
    "licence": "CC BY 4.0",
    "changes": "centre square scaled to 128 x 128 pixels; its middle 88 pixels (24 um) "
    "scaled to 96 x 96",
    "split": "SHA-1 of the base name modulo 10 in 0..5; 6..9 were never seen",
}

LIMITS = (
    "Healthy donors, one analyser, one stain (May-Gruenwald-Giemsa): other stains are "
    "reached by a shift of colour only, and nothing malignant can be painted.",
    "Trained for three hours of wall time on a shared processor core: chromatin is "
    "grainier and granules are softer than in real cells, red cells simpler; texture "
    "alone tells painted cells from real ones.",
    "Maturation is the weakest: band forms, metamyelocytes and myelocytes are taken "
    "for one another more often than real ones are.",
    "No haematologist has judged these cells. Research use only; not for diagnosis.",
)


def export(
    run: Path,
    pool: Pool,
    out: Path,
    *,
    embedder: str,
    began: Path | None = None,
    size: PainterSize | None = None,
) -> None:
    """Write weights, thumbnails and card of a run into a folder.

    ``embedder`` is the fingerprint of what made the pool's vectors, and ``began`` the
    card of the weights that the run began with, if any.
    """
    size = size or Recipe().size
    out.mkdir(parents=True, exist_ok=True)
    arrays = load_file(run / "checkpoint.safetensors")
    kept = {k.removeprefix("ema."): v for k, v in arrays.items() if k[:4] == "ema."}
    fixed = ("codec.", "look_")
    kept = {k: v if k.startswith(fixed) else v.half() for k, v in kept.items()}
    kept |= {k: v for k, v in arrays.items() if k.startswith("space.")}
    save_file({k: v.contiguous() for k, v in kept.items()}, out / "latent.safetensors")
    small = thumbnails(pool.crops)
    looks = LookSpace.from_arrays({k: v.numpy() for k, v in kept.items()})
    known, bar = {"thumbnails": torch.from_numpy(small)}, 0.0
    if looks is not None:
        known["looks"] = torch.from_numpy(looks.looks(pool.vectors)).half()
        bar = copy_threshold(known["looks"].double().numpy())
    save_file(known, out / "latent_cells.safetensors")
    card = {
        "name": "latent starter",
        "file": "latent.safetensors",
        "sha256": _sha256(out / "latent.safetensors"),
        "cells_file": "latent_cells.safetensors",
        "cells_sha256": _sha256(out / "latent_cells.safetensors"),
        "copy_threshold": turned_threshold(small, np.random.default_rng(0)),
        "look_threshold": bar,
        "embedder": embedder,
        "size": size.to_json(),
        "concepts": list(CONCEPTS.values()),
        "stains": _stains(pool),
        "counts": _counts(pool),
        "training": {
            **json.loads((run / "progress.json").read_text()),
            "batch": Recipe().batch,
            "torch": torch.__version__,
            **_began(began),
        },
        "source": SOURCE,
        "limits": LIMITS,
    }
    (out / "latent.json").write_text(json.dumps(card, indent=1) + "\n")


def _began(card: Path | None) -> dict[str, Any]:
    """Return which weights a run began with, and how those were trained."""
    if card is None:
        return {}
    first = json.loads(card.read_text(encoding="utf-8"))
    return {"began with": {"sha256": first["sha256"], **first["training"]}}


def _stains(pool: Pool) -> list[list[list[float]]]:
    """Return mean and spread of L, a, b for each class."""
    stains = []
    for index in range(len(CONCEPTS)):
        own = pool.crops[pool.classes == index]
        stain = Stain.of(own if len(own) else pool.crops)
        stains.append([stain.mean.round(3).tolist(), stain.spread.round(3).tolist()])
    return stains


def _counts(pool: Pool) -> dict[str, int]:
    names = [*CONCEPTS, "unlabelled"]
    return {name: int((pool.classes == i).sum()) for i, name in enumerate(names)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--run", "--data", "--vectors", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--began", type=Path, help="card of the weights begun with")
    options: Any = parser.parse_args(arguments)
    pool = read_pool(options.data, options.vectors)
    export(
        options.run,
        pool,
        options.out,
        embedder=options.embedder,
        began=options.began,
    )


if __name__ == "__main__":
    main()
