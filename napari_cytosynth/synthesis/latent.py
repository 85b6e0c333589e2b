"""The ``latent`` generator: a small diffusion model that paints cells.

Starter weights ship with the package. It paints a class, a look (an embedding, such as
the ``embedding`` generator draws), or both. Fitting it to a project measures the
project's stain, and teaches it the classes that the starter weights do not know, by
learning one vector a class while the network stands still (Gal et al. 2022, arXiv
2208.01618).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import OtherWeightsError
from napari_cytosynth.core.protocols import Batch, LabelledCells, Request, Weights
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.synthesis.appearance import Stain, StainShift
from napari_cytosynth.synthesis.latent_options import LEARNS_BY, SETTINGS
from napari_cytosynth.synthesis.latent_options import LatentConfig as LatentConfig
from napari_cytosynth.synthesis.latent_order import Order, origin_of
from napari_cytosynth.synthesis.parents import Parents, demand_parent
from napari_cytosynth.synthesis.repertoire import MIN_TO_LEARN, Repertoire
from napari_cytosynth.synthesis.starter import (
    FOLDER,
    Starter,
    load_starter,
    load_training_thumbnails,
)

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.learn_class import Learned
    from napari_cytosynth.synthesis._torch.paint import Strokes
    from napari_cytosynth.synthesis._torch.painter import Painter

Floats = npt.NDArray[np.float32]

BLOCK = 4
"""Draws painted together, always whole blocks: a draw depends on its number only."""


class LatentGenerator:
    """Paints cells of a class.

    Parameters
    ----------
    folder : Path
        Where ``latent.json`` and the weights lie; those that ship by default.
    """

    key = "latent"
    makes = "cells"
    settings = SETTINGS
    learns_by = LEARNS_BY

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._repertoire = Repertoire(folder)

    @property
    def starter(self) -> Starter:
        """The weights that this generator starts from, checked."""
        return load_starter(self.folder)

    @property
    def card(self) -> Mapping[str, Any]:
        """What is known of the starter weights."""
        return self.starter.card

    @cached_property
    def net(self) -> Painter:
        """The painter, loaded once."""
        from napari_cytosynth.synthesis._torch.paint import load_painter
        from napari_cytosynth.synthesis._torch.painter import PainterSize

        size = PainterSize.from_json(self.starter.card["size"])
        return load_painter(self.starter.arrays, size)

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Measure the stain of real cells, and learn classes that are new.

        Parameters
        ----------
        cells : LabelledCells
            With crops; there may be none.
        config : mapping
            See :class:`LatentConfig`.
        """
        options = LatentConfig.read(config)
        yield Progress(0, 0, "reading the starter weights")
        codes = tuple(sorted(set(cells.codes)))
        concepts = {c: _concept_of(c, options.concepts) for c in codes}
        stains = [Stain.of(cells.crops[_rows(cells, c)]) for c in codes]
        tensors: dict[str, npt.NDArray[Any]] = {
            "stain.mean": _stack([s.mean for s in stains]),
            "stain.spread": _stack([s.spread for s in stains]),
            **Parents.kept(cells, options.only),
        }
        meta: dict[str, Any] = {
            "generator": self.key,
            "base": self.starter.sha256,
            "codes": list(codes),
            "counts": {c: cells.count(c) for c in codes},
            "concepts": concepts,
            "tuned": [
                c for c in codes if self._is_to_learn(c, concepts, cells, options)
            ],
            "config": asdict(options),
        }
        # Besides what was learned, they hold pictures of real cells to begin with.
        meta["personal"] = bool(len(tensors["parents.id"]))
        weights = Weights(tensors, meta)
        if meta["tuned"]:
            learned = yield from self._learn(cells, weights, options)
            tensors["classes"] = np.stack([each.vector for each in learned])
            meta["lessons"] = [
                {"steps": each.step, "copy rate": _number(each.copies)}
                for each in learned
            ]
            tuned = [i for i, c in enumerate(cells.codes) if c in meta["tuned"]]
            tensors["cells.id"] = cells.ids[tuned].astype(np.int64)
        return Weights(tensors, meta)

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield draws of a class, four at a time at most, and signs of life between.

        ``rng`` is not used: a draw depends on the request's seed and its own number.

        Raises
        ------
        UnknownClassError
            If neither the starter weights nor real cells say what the class looks like.
        OtherWeightsError
            If the class was learned on other starter weights.
        """
        order = self._order(request, weights)
        stop = request.start + request.count
        for block in range(request.start // BLOCK, -(-stop // BLOCK)):
            low = max(request.start, block * BLOCK)
            high = min(stop, (block + 1) * BLOCK)
            for crops in self._paint(order, block):
                items: tuple[SyntheticCell, ...] = ()
                if crops is not None:
                    items = tuple(
                        order.cell(number, crops[number - block * BLOCK])
                        for number in range(low, high)
                    )
                yield Batch(items, low)

    def _order(self, request: Request, weights: Weights) -> Order:
        options = LatentConfig.read(
            {**weights.meta.get("config", {}), **request.config}
        )
        row, index = self._class(request, weights)
        shift = self._shift(request.taxonomy, weights, options)
        parents = Parents.of(weights, request, options.strategy)
        origin = origin_of(request, weights, options, shift, self.starter)
        return Order(request, options, row, index, shift, parents, origin, self.starter)

    def _is_to_learn(
        self,
        code: str,
        concepts: Mapping[str, str | None],
        cells: LabelledCells,
        options: LatentConfig,
    ) -> bool:
        if options.tune == "none" or cells.count(code) < MIN_TO_LEARN:
            return False
        if options.only not in ("", code):
            return False
        return (
            options.tune == "all" or self._repertoire.index_of(concepts[code]) is None
        )

    def _learn(
        self, cells: LabelledCells, weights: Weights, options: LatentConfig
    ) -> Task[list[Learned]]:
        from napari_cytosynth.synthesis._torch.learn_class import Lesson, learn_class

        _, threshold = load_training_thumbnails(self.folder)
        shift = self._shift(None, weights, options).inverse()
        learned = []
        for code in weights.meta["tuned"]:
            lesson = Lesson(
                shift.apply(cells.crops[_rows(cells, code)]),
                self._repertoire.index_of(weights.meta["concepts"][code]),
                options.tune_steps,
                options.seed,
                threshold,
            )
            for now in learn_class(self.net, lesson):
                yield Progress(now.step, options.tune_steps, f"learning {code}")
            learned.append(now)
        return learned

    def _class(self, request: Request, weights: Weights) -> tuple[Floats, int | None]:
        """Return the vector of the wanted class, and its index if it is as trained."""
        tuned: list[str] = weights.meta.get("tuned", [])
        if request.code in tuned:
            self._demand_same_base(weights)
            return weights.tensors["classes"][tuned.index(request.code)], None
        index = self._repertoire.index_of(request.taxonomy[request.code].concept)
        if index is None:
            raise self._repertoire.unknown(request.code, request.taxonomy)
        return self.net.class_table.weight[index].cpu().numpy(), index

    def refuse_unknown(self, code: str, real: int, taxonomy: Taxonomy) -> None:
        """Raise at once, reading no weights; see :meth:`Repertoire.refuse_unknown`."""
        self._repertoire.refuse_unknown(code, real, taxonomy)

    def refuse_options(self, options: Mapping[str, Any], code: str, real: int) -> None:
        """Raise InputError at once for options that are none, or would not do."""
        demand_parent(LatentConfig.read(options).strategy, code, real)

    def _demand_same_base(self, weights: Weights) -> None:
        if weights.meta["base"] != self.starter.sha256:
            raise OtherWeightsError(
                "The latent generator learned this class on other starter weights than "
                "the installed ones. Fit the generator again."
            )

    def _shift(
        self, taxonomy: Taxonomy | None, weights: Weights, options: LatentConfig
    ) -> StainShift:
        """Return the shift from the training stain to that of the real cells.

        Both are taken over the same mixture of classes, so that a class without real
        cells is moved as the others are.
        """
        meta = weights.meta
        pairs = []
        for i, code in enumerate(meta.get("codes", ())):
            concept = meta["concepts"][code]
            if taxonomy is not None and code in taxonomy:
                concept = taxonomy[code].concept
            if (index := self._repertoire.index_of(concept)) is not None:
                pairs.append((meta["counts"][code], index, i))
        if not pairs or not options.match_stain:
            return StainShift.none()
        shares = [float(n) for n, _, _ in pairs]
        means, spreads = weights.tensors["stain.mean"], weights.tensors["stain.spread"]
        source = Stain.mix([self.starter.stain(index) for _, index, _ in pairs], shares)
        target = Stain.mix([Stain(means[i], spreads[i]) for _, _, i in pairs], shares)
        return StainShift.between(source, target, int(sum(shares)))

    def _paint(self, order: Order, block: int) -> Strokes:
        from napari_cytosynth.synthesis._torch.paint import Sketch, Stroke, condition_of
        from napari_cytosynth.synthesis._torch.strategies import Manner, follow

        options, size = order.options, self.net.size
        numbers = range(block * BLOCK, (block + 1) * BLOCK)
        shape = (size.channels, size.side // 4, size.side // 4)
        noise = np.stack([order.rng(i).standard_normal(shape) for i in numbers])
        base = order.parents.pictures(numbers)
        sketch = Sketch(
            noise.astype(np.float32),
            condition_of(self.net, order.row, order.looks(numbers)),
            None if base is None else order.shift.inverse().apply(base),
        )
        stroke = Stroke(
            options.steps,
            options.guidance,
            options.guidance_start,
            options.guidance_stop,
            options.solver,
        )
        manner = Manner(options.strategy, options.strength)
        return follow(self.net, sketch, stroke, manner)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 3)


def _stack(rows: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 3)


def _rows(cells: LabelledCells, code: str) -> npt.NDArray[np.bool_]:
    return np.array([c == code for c in cells.codes])


def _concept_of(code: str, concepts: Mapping[str, str] | None) -> str | None:
    """Return the concept of a code, by the caller or by the built-in taxonomies."""
    if concepts is not None:
        return concepts.get(code)
    for name in BUILT_IN:
        taxonomy = built_in(name)
        if code in taxonomy:
            return taxonomy[code].concept
    return None
