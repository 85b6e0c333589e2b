"""The ``latent`` generator: a small diffusion model that paints cells.

Starter weights ship with the package. Fitting it to a project measures the project's
stain, and teaches it the classes that the starter weights do not know, by learning one
vector a class while the network stands still (Gal et al. 2022, arXiv 2208.01618).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth import __version__
from napari_cytosynth.core.errors import InputError, WeightsError
from napari_cytosynth.core.protocols import Batch, LabelledCells, Request, Weights
from napari_cytosynth.core.provenance import Provenance, SyntheticCell
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.synthesis.appearance import Stain, StainShift
from napari_cytosynth.synthesis.repertoire import MIN_TO_LEARN, Repertoire
from napari_cytosynth.synthesis.starter import FOLDER, Starter, load_starter

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.painter import Painter

BLOCK = 4
"""Draws painted together, always whole blocks: a draw depends on its number only."""


@dataclass(frozen=True, slots=True)
class LatentConfig:
    """Options of the ``latent`` generator.

    Parameters
    ----------
    steps : int
        Heun steps of a draw.
    guidance : float
        1 follows the class, more exaggerates it.
    match_stain : bool
        Move the colours to those of the real cells.
    tune : str
        Classes to learn from the real cells: ``"new"`` (those that the starter weights
        do not know), ``"all"`` or ``"none"``.
    only : str
        Code of the one class to learn, where it is to be learned at all; empty: each.
    tune_steps : int
        Training steps of that.
    seed : int
        Seed of that.
    concepts : mapping of str to str or None
        Code of each class to its concept; where None, built-in taxonomies tell.
    """

    steps: int = 8
    guidance: float = 2.0
    match_stain: bool = True
    tune: str = "new"
    only: str = ""
    tune_steps: int = 60
    seed: int = 0
    concepts: Mapping[str, str] | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> LatentConfig:
        """Build from a mapping; a name or value that is no option is refused."""
        known = {f.name for f in fields(cls)}
        if strange := set(options) - known:
            raise InputError(
                f"The latent generator has no option {sorted(strange)}. "
                f"Its options are {', '.join(sorted(known))}."
            )
        config = cls(**options)
        if config.tune not in ("new", "all", "none") or config.steps < 1:
            raise InputError(
                f"The latent generator got tune '{config.tune}' and {config.steps} "
                "steps. Give tune 'new', 'all' or 'none', and at least one step."
            )
        return config


class LatentGenerator:
    """Paints cells of a class.

    Parameters
    ----------
    folder : Path
        Where ``latent.json`` and the weights lie; those that ship by default.
    """

    key = "latent"
    makes = "cells"

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._repertoire = Repertoire(folder)

    @property
    def starter(self) -> Starter:
        """The weights that this generator starts from, checked."""
        return load_starter(self.folder)

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
        }
        meta = {
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
        weights = Weights(tensors, meta)
        if meta["tuned"]:
            rows = yield from self._learn(cells, weights, options)
            tensors["classes"] = rows
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
        WeightsError
            If the class was learned on other starter weights.
        """
        options = LatentConfig.read(
            {**weights.meta.get("config", {}), **request.config}
        )
        condition = self._condition(request, weights)
        shift = self._shift(request.taxonomy, weights, options)
        provenance = self._provenance(request, weights, options, shift)
        stop = request.start + request.count
        for block in range(request.start // BLOCK, -(-stop // BLOCK)):
            low, high = (
                max(request.start, block * BLOCK),
                min(stop, (block + 1) * BLOCK),
            )
            own = slice(low - block * BLOCK, high - block * BLOCK)
            for crops in self._paint(request, block, condition, options):
                wanted = () if crops is None else shift.apply(crops)[own]
                items = (SyntheticCell(c, request.code, provenance) for c in wanted)
                yield Batch(tuple(items), low)

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
    ) -> Task[npt.NDArray[np.float32]]:
        from napari_cytosynth.synthesis._torch.learn_class import Lesson, learn_class

        shift = self._shift(None, weights, options).inverse()
        learned = []
        for code in weights.meta["tuned"]:
            lesson = Lesson(
                shift.apply(cells.crops[_rows(cells, code)]),
                self._repertoire.index_of(weights.meta["concepts"][code]),
                options.tune_steps,
                options.seed,
            )
            vector = np.zeros(0, np.float32)
            for step, vector in learn_class(self.net, lesson):  # noqa: B007 - the last
                yield Progress(step, options.tune_steps, f"learning {code}")
            learned.append(vector)
        return np.stack(learned)

    def _condition(self, request: Request, weights: Weights) -> npt.NDArray[np.float32]:
        """Return the conditioning vector of the wanted class."""
        tuned: list[str] = weights.meta.get("tuned", [])
        if request.code in tuned:
            self._demand_same_base(weights)
            learned: npt.NDArray[np.float32] = weights.tensors["classes"][
                tuned.index(request.code)
            ]
            return learned
        index = self._repertoire.index_of(request.taxonomy[request.code].concept)
        if index is None:
            raise self._repertoire.unknown(request.code, request.taxonomy)
        return self.net.class_table.weight[index].numpy()

    def refuse_unknown(self, code: str, real: int, taxonomy: Taxonomy) -> None:
        """Raise at once, reading no weights; see :meth:`Repertoire.refuse_unknown`."""
        self._repertoire.refuse_unknown(code, real, taxonomy)

    def _demand_same_base(self, weights: Weights) -> None:
        if weights.meta["base"] != self.starter.sha256:
            raise WeightsError(
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

    def _paint(
        self,
        request: Request,
        block: int,
        condition: npt.NDArray[np.float32],
        options: LatentConfig,
    ) -> Iterator[npt.NDArray[np.uint8] | None]:
        from napari_cytosynth.synthesis._torch.paint import Stroke, paint

        size = self.net.size
        shape = (size.channels, size.side // 4, size.side // 4)
        key = [request.seed, *request.code.encode()]
        noise = np.stack(
            [
                np.random.default_rng([*key, block * BLOCK + i]).standard_normal(shape)
                for i in range(BLOCK)
            ]
        )
        stroke = Stroke(options.steps, options.guidance)
        return paint(self.net, noise.astype(np.float32), condition, stroke)

    def _provenance(
        self,
        request: Request,
        weights: Weights,
        options: LatentConfig,
        shift: StainShift,
    ) -> Provenance:
        tuned = request.code in weights.meta.get("tuned", [])
        parents = weights.tensors.get("cells.id", ()) if tuned else ()
        both = f"{self.starter.sha256}:{weights.sha256}".encode()
        return Provenance(
            generator=self.key,
            weights=hashlib.sha256(both).hexdigest(),
            config={
                "class": request.code,
                "real cells": weights.meta.get("counts", {}).get(request.code, 0),
                "starter": self.starter.sha256,
                "tuned": tuned,
                "steps": options.steps,
                "guidance": options.guidance,
                "stain": shift.to_json(),
            },
            seed=request.seed,
            parents=tuple(int(i) for i in parents),
            version=__version__,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )


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
