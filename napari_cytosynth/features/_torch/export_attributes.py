r"""Fit the attribute heads that ship beside the ``starter`` encoder.

    python -m napari_cytosynth.features._torch.export_attributes \
        --cells DIR --attributes FILE --out DIR

``--cells`` and ``--attributes`` are those of ``train_starter``. The encoder stands
still. Heads are fitted on the shares that trained it; how far they may be trusted is
set on the share that it never saw, because the vectors of cells that trained it are
tidier than others. Shares 6..9 are not read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save
from scipy import optimize
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.features._torch.augment import augmented, plain
from napari_cytosynth.features._torch.train_starter import TRAINING, VALIDATION
from napari_cytosynth.features._torch.training_cells import (
    ATTRIBUTES,
    CONCEPTS,
    SPAN,
    UNKNOWN,
    Cells,
    read_cells,
)
from napari_cytosynth.features.attributes import CARD
from napari_cytosynth.features.starter import StarterEmbedder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Embed = Callable[[Crops], Vectors]

LIMITS = (
    "Fitted on neutrophils, eosinophils, basophils, lymphocytes and monocytes of "
    "healthy donors, one analyser, one stain. Of other kinds of cell nothing is said.",
    "In those cells granules, N/C ratio, chromatin and the texture of the cytoplasm "
    "follow from the class, and the heads tell little of them beyond it. Beyond it "
    "they tell nucleus, outline, vacuoles and colour of the cytoplasm.",
    "On another stain more is said wrongly than the confidence owns to.",
    "Research use only; not for diagnosis.",
)


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Settings of the fit.

    Parameters
    ----------
    views, looks : int
        Changed pictures of each cell, beside the plain one: to fit on, to calibrate by.
    strength : float
        Inverse of the penalty of every head.
    each : int
        Cells of a class, at most, that tell familiar kinds from others.
    axes : int
        Dimensions in which the distance is taken.
    within : float
        Share of familiar cells, never trained on, that count as near.
    sure : float
        Least confidence of a word.
    fitting : int
        Fewest training cells that make a class worth naming.
    """

    views: int = 3
    looks: int = 8
    strength: float = 0.01
    each: int = 250
    axes: int = 16
    within: float = 0.98
    sure: float = 0.85
    fitting: int = 15
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Fit:
    """What a fit learnt: tensors, and what the card says of them."""

    tensors: dict[str, npt.NDArray[Any]]
    card: dict[str, Any]


def fit(cells: Cells, embed: Embed, recipe: HeadRecipe | None = None) -> Fit:
    """Fit all heads and the bounds within which they speak.

    Parameters
    ----------
    cells : Cells
        Shares 0 to 5.
    embed : callable
        The encoder: crops to vectors.
    recipe : HeadRecipe, optional
        Settings.
    """
    recipe = recipe or HeadRecipe()
    known = cells.attributes[:, 0] != UNKNOWN
    trained = known & np.isin(cells.shares, TRAINING)
    unseen = known & np.isin(cells.shares, VALIDATION)
    viewed = _views(cells.pictures[trained], embed, recipe.views, recipe.seed)
    looked = _views(cells.pictures[unseen], embed, recipe.looks, recipe.seed + 1)
    parts, temperatures = _heads(
        (viewed, cells.attributes[trained]), (looked, cells.attributes[unseen]), recipe
    )
    gate, reach = _gate(cells, (viewed, cells.classes[trained]), embed, recipe)
    table = {
        "cells.attributes": cells.attributes[known].astype(np.uint8),
        "cells.classes": cells.classes[known].astype(np.uint8),
    }
    card = {
        "dim": viewed.shape[-1],
        "values": dict(zip(ATTRIBUTES, cells.values, strict=True)),
        "concepts": list(CONCEPTS.values()),
        "reach": reach,
        "sure": recipe.sure,
        "fitting": recipe.fitting,
        "temperatures": dict(zip(ATTRIBUTES, temperatures, strict=True)),
        "counts": {"fitted": int(trained.sum()), "calibrated": int(unseen.sum())},
        "recipe": asdict(recipe),
    }
    return Fit({**parts, **gate, **table}, card)


def _views(pictures: npt.NDArray[np.uint8], embed: Embed, n: int, seed: int) -> Vectors:
    """Return float32[1 + n, cells, dim]: of plain pictures, then of changed ones."""
    rng = torch.Generator().manual_seed(seed)
    given = torch.from_numpy(pictures)
    views = [embed(_crops(plain(given, SPAN)))]
    for _ in range(n):
        parts = [augmented(part, SPAN, rng) for part in torch.split(given, 128)]
        views.append(embed(_crops(torch.cat(parts))))
    return np.stack(views)


def _crops(pictures: Tensor) -> Crops:
    whole = (pictures.clamp(0, 1) * 255).round().to(torch.uint8)
    crops: Crops = whole.permute(0, 2, 3, 1).contiguous().numpy()
    return crops


def _heads(
    viewed: tuple[Vectors, Ints], looked: tuple[Vectors, Ints], recipe: HeadRecipe
) -> tuple[dict[str, npt.NDArray[np.float32]], list[float]]:
    """Return weight and bias of all heads, each divided by its temperature.

    Temperature: Guo et al. (2017), arXiv 1706.04599.
    """
    (vectors, known), (others, truth) = viewed, looked
    weights, biases, temperatures = [], [], []
    for i in range(len(ATTRIBUTES)):
        weight, bias = _logistic(
            _rows(vectors), _repeated(known[:, i], vectors), recipe
        )
        scores = others @ weight.T + bias
        temperature = _temperature(scores, truth[:, i])
        weights.append(weight / temperature)
        biases.append(bias / temperature)
        temperatures.append(round(temperature, 3))
    parts = {"weight": np.concatenate(weights), "bias": np.concatenate(biases)}
    return {k: v.astype(np.float32) for k, v in parts.items()}, temperatures


def _rows(views: Vectors) -> Vectors:
    rows: Vectors = views.reshape(-1, views.shape[-1])
    return rows


def _repeated(truth: Ints, views: Vectors) -> Ints:
    return np.tile(truth, len(views))


def _logistic(
    vectors: Vectors, truth: Ints, recipe: HeadRecipe
) -> tuple[Floats, Floats]:
    """Return float64[values, dim] and float64[values]: a row of scores a value."""
    model = LogisticRegression(C=recipe.strength, max_iter=1000).fit(vectors, truth)
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    # One row stands for two, that differ by it.
    return (
        np.concatenate([-model.coef_, model.coef_]) / 2,
        np.concatenate([-model.intercept_, model.intercept_]) / 2,
    )


def _temperature(scores: Floats, truth: Ints) -> float:
    """Return the divisor of least loss; plain cells weigh as much as all changed ones.

    Parameters
    ----------
    scores : float64[1 + n, cells, values]
        The plain cells first.
    truth : int64[cells]
        Value of each cell.
    """
    right = np.arange(scores.shape[1]), truth

    def loss(log_divisor: float) -> float:
        scaled = scores / np.exp(log_divisor)
        top = scaled.max(axis=2)
        total = np.log(np.exp(scaled - top[..., None]).sum(axis=2)) + top
        each = np.stack([t - s[right] for t, s in zip(total, scaled, strict=True)])
        return float(each[0].mean() + each[1:].mean())

    found = optimize.minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded")
    return float(np.exp(found.x))


def _gate(
    cells: Cells, viewed: tuple[Vectors, Ints], embed: Embed, recipe: HeadRecipe
) -> tuple[dict[str, npt.NDArray[np.float32]], float]:
    """Return what tells familiar kinds and near cells, and how near is near."""
    vectors, classes = viewed
    familiar = np.unique(classes)
    rows = _some(cells, TRAINING, recipe)
    drawn, kinds = _plain(cells, rows, embed), cells.classes[rows]
    weight, bias = _logistic(drawn, kinds, recipe)
    own = np.isin(kinds, familiar)
    near = np.concatenate([_rows(vectors), drawn[own]])
    nearest = np.concatenate([_repeated(classes, vectors), kinds[own]])
    mean, turn, centres = _whitening(near, nearest, recipe.axes)
    unseen = _some(cells, VALIDATION, recipe)
    unseen = unseen[np.isin(cells.classes[unseen], familiar)]
    turned = (_plain(cells, unseen, embed) - mean) @ turn
    squares = ((turned[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
    parts = {
        "kinds.familiar": np.isin(np.unique(kinds), familiar),
        "kinds.weight": weight,
        "kinds.bias": bias,
        "gate.mean": mean,
        "gate.map": turn,
        "gate.centres": centres,
    }
    small = {k: np.ascontiguousarray(v, np.float32) for k, v in parts.items()}
    return small, float(np.quantile(squares, recipe.within))


def _some(cells: Cells, shares: tuple[int, ...], recipe: HeadRecipe) -> Ints:
    """Return rows of so many cells of each class at most, drawn at random."""
    rng = np.random.default_rng(recipe.seed)
    own = np.isin(cells.shares, shares)
    parts = [
        rng.permutation(np.flatnonzero(own & (cells.classes == k)))[: recipe.each]
        for k in range(len(CONCEPTS))
    ]
    return np.sort(np.concatenate(parts))


def _plain(cells: Cells, rows: Ints, embed: Embed) -> Vectors:
    return embed(_crops(plain(torch.from_numpy(cells.pictures[rows]), SPAN)))


def _whitening(
    vectors: Vectors, classes: Ints, axes: int
) -> tuple[Floats, Floats, Floats]:
    """Return mean[dim], map[dim, axes] and class centres[classes, axes].

    In the mapped space classes are round, with spread 1 along each axis.
    """
    main = PCA(min(axes, vectors.shape[1]), svd_solver="full").fit(vectors)
    rows, kinds = main.transform(vectors), np.unique(classes)
    centres = np.stack([rows[classes == k].mean(axis=0) for k in kinds])
    within = LedoitWolf().fit(rows - centres[np.searchsorted(kinds, classes)])
    turn = np.linalg.cholesky(within.precision_)
    return main.mean_, main.components_.T @ turn, centres @ turn


def write(found: Fit, encoder: Mapping[str, Any], out: Path) -> None:
    """Write ``attributes.safetensors`` and its card into a folder.

    Parameters
    ----------
    found : Fit
        What was learnt.
    encoder : mapping
        ``key`` and ``source`` of the encoder whose vectors were read.
    out : Path
        Beside the encoder's weights.
    """
    data = save({k: np.ascontiguousarray(v) for k, v in found.tensors.items()})
    out.mkdir(parents=True, exist_ok=True)
    path = out / "attributes.safetensors"
    path.write_bytes(data)
    card = {
        "name": "attribute heads",
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "encoder": encoder["key"],
        **found.card,
        "source": encoder["source"],
        "limits": LIMITS,
    }
    (out / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=Path, required=True)
    parser.add_argument("--attributes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = StarterEmbedder()
    found = fit(read_cells(options.cells, options.attributes), embedder.embed)
    told = ("data", "licence", "attributes", "split")
    source = {k: embedder.card["source"][k] for k in told}
    write(found, {"key": embedder.key, "source": source}, options.out)


if __name__ == "__main__":
    main()
