"""The ``lora`` generator: Stable Diffusion, taught by a few real cells.

Adapters of low rank (Hu et al. 2021, arXiv 2106.09685) on the U-Net and the text
encoder learn a class from few cells, as in DataDream and CytoDiff (arXiv 2407.10910,
2507.05063). For a GPU; a base of any size that a folder or the hub's cache holds.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from napari_cytosynth.core.errors import (
    InputError,
    OtherWeightsError,
    UnknownClassError,
    WeightsError,
)
from napari_cytosynth.core.protocols import Batch, LabelledCells, Request, Weights
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.synthesis.lora_base import (
    Work,
    base_bytes,
    demand_extra,
    find_base,
    fingerprint,
    is_id,
    refuse_cpu,
    told_name,
)
from napari_cytosynth.synthesis.lora_draws import Drawing
from napari_cytosynth.synthesis.lora_options import (
    BASE_VARIABLE,
    DEFAULT_BASE,
    LEARNS_BY,
    PRESETS,
    SETTINGS,
    Base,
    LoraConfig,
)
from napari_cytosynth.synthesis.lora_prompts import prompts_of, too_long
from napari_cytosynth.synthesis.parents import Parents, demand_parent
from napari_cytosynth.synthesis.repertoire import MIN_TO_LEARN

if TYPE_CHECKING:
    from napari_cytosynth.synthesis._torch.halving import Halving
    from napari_cytosynth.synthesis._torch.lora_paint import Sheet
    from napari_cytosynth.synthesis._torch.lora_train import Stage
    from napari_cytosynth.synthesis._torch.stable_base import StableBase
    from napari_cytosynth.synthesis._torch.stable_draw import Drawn

T = TypeVar("T")


class LoraGenerator:
    """Paints cells of a class with Stable Diffusion and adapters learned from cells.

    Parameters
    ----------
    base : str
        Folder of a Stable Diffusion, its id in the hub's cache, or one of
        :data:`~napari_cytosynth.synthesis.lora_options.PRESETS`; empty: the one that
        the environment's ``CYTOSYNTH_LORA_BASE`` names, else Stable Diffusion 1.5.
    scratch : Path, optional
        Where a training leaves what it learned so far, until it is done; the user's
        cache by default.
    """

    key = "lora"
    makes = "cells"
    learns_by = LEARNS_BY
    settings = SETTINGS
    needs = (
        f"Learns from the labelled cells of the class, {MIN_TO_LEARN} or more. Needs a "
        "GPU and a Stable Diffusion fetched beforehand; training takes minutes."
    )

    def __init__(self, base: str = "", scratch: Path | None = None) -> None:
        name = base or os.environ.get(BASE_VARIABLE, "") or DEFAULT_BASE
        self.base = PRESETS.get(name, Base(name))
        self.scratch = scratch
        self.loaded: StableBase | None = None
        """The base in memory, once a fit or a draw needed it."""

        self._fingerprint = self._in_place = ""
        self._halvings: dict[int, Halving] = {}

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Teach adapters the cells of one class, or of all.

        Where an interrupted training of the same cells, options and base was left, it
        goes on.

        Parameters
        ----------
        cells : LabelledCells
            With crops.
        config : mapping
            See :class:`~napari_cytosynth.synthesis.lora_options.LoraConfig`.

        Raises
        ------
        MissingExtraError
            If the packages of the extra ``lora`` are not installed.
        InputError
            If the cells are too few, a prompt is too long, there is no GPU for a base
            of real size, or all that was learned by the first look are copies.
        WeightsError
            If the base is not on this machine.
        MemoryShortError
            If memory does not hold one picture at work.
        """
        options = LoraConfig.read(self.base.options, config)
        demand_extra()
        chosen = _chosen(cells, options)
        steps = options.training_steps(len(chosen))
        base = yield from self._ready(options, Work(steps, options.train_batch))
        codes = tuple(sorted(set(chosen.codes)))
        prompts = prompts_of(codes, options.concepts or {})
        prompts |= {c: p for c, p in options.prompts.items() if c in codes}
        too_long(prompts, base.count_tokens)
        meta: dict[str, Any] = {
            "generator": self.key,
            "personal": True,
            "base": self._told_name,
            "base sha256": self._fingerprint,
            "codes": list(codes),
            "tuned": list(codes),
            "counts": {c: chosen.count(c) for c in codes},
            "prompts": prompts,
            "steps": steps,
            "config": asdict(options),
        }
        classes = [codes.index(c) for c in chosen.codes]
        tensors: dict[str, npt.NDArray[Any]] = {
            "cells.id": chosen.ids.astype(np.int64),
            "cells.class": np.array(classes, np.int64),
            **Parents.kept(chosen, codes[0] if len(codes) == 1 else ""),
        }
        lesson = Weights({**tensors, "crops": chosen.crops}, meta)
        told = yield from self._train(base, lesson, options)
        return Weights({**tensors, **base.adapters.arrays()}, {**meta, **told})

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield draws of a class, a block at a time, and signs of life between.

        A draw that came out black or not finite is yielded too, with an assessment that
        vetoes it, so that it is counted. ``rng`` is not used: a draw depends on the
        request's seed and its own number.

        Raises
        ------
        UnknownClassError
            If the weights did not learn the class.
        OtherWeightsError
            If they were learned on another base.
        WeightsError
            If the base is not on this machine.
        InputError
            If there is no GPU for a base of real size.
        """
        demand_extra()
        options = LoraConfig.read(
            self.base.options, weights.meta["config"], request.config
        )
        drawing = Drawing(request, weights, options)
        work = Work(pictures=request.count, draw_steps=options.steps)
        base = yield from _alive(self._ready(options, work), request.start)
        self._demand_same_base(weights)
        for block in drawing.blocks():
            sheet = drawing.sheet(block, base.latent_shape)
            for drawn in self._paint(base, drawing, sheet):
                done = () if drawn is None else drawing.cells(block, drawn)
                yield Batch(done, max(request.start, block.start))

    def refuse_unknown(self, code: str, real: int, taxonomy: Taxonomy) -> None:
        """Raise at once where real cells are too few to learn a class from.

        Raises
        ------
        UnknownClassError
            Naming the class and the way out.
        """
        if real < MIN_TO_LEARN:
            raise UnknownClassError(
                f"The lora generator learns a class from {MIN_TO_LEARN} real cells or "
                f"more, and {real} of '{code}' ({taxonomy[code].name}) are labelled. "
                "Label some more, or use the 'latent' generator."
            )

    def refuse_options(self, options: Mapping[str, Any], code: str, real: int) -> None:
        """Raise InputError at once for options that are none, or would not do."""
        config = LoraConfig.read(self.base.options, options)
        demand_parent(config.strategy, code, real)

    @property
    def _told_name(self) -> str:
        """The base's id, or its folder's own name."""
        return told_name(self.base.name)

    def _ready(self, options: LoraConfig, work: Work) -> Task[StableBase]:
        """Return the base, loaded and checked once."""
        from napari_cytosynth.synthesis._torch.stable_base import (
            StableBase,
            pick_device,
        )

        yield Progress(0, 0, "looking for the base")
        name, device = self.base.name, pick_device()
        if device.type == "cpu" and not options.cpu:
            refuse_cpu(name, _size_of(name), work)
        if self.loaded is None:
            folder = find_base(name)
            self._fingerprint = yield from fingerprint(folder)
            yield Progress(0, 0, "loading the base")
            self.loaded = StableBase.load(folder, device)
        return self.loaded

    def _train(
        self, base: StableBase, lesson: Weights, options: LoraConfig
    ) -> Task[dict[str, Any]]:
        """Teach the adapters in place; return how that went."""
        from napari_cytosynth.synthesis._torch.lora_resume import Checkpoint
        from napari_cytosynth.synthesis._torch.lora_train import (
            Lesson,
            LoraTrainer,
            Recipe,
        )

        meta, tensors = lesson.meta, lesson.tensors
        prompts = [meta["prompts"][meta["codes"][i]] for i in tensors["cells.class"]]
        recipe = Recipe(
            meta["steps"],
            options.train_batch,
            options.warmup,
            (options.rate, options.text_rate),
            options.rank,
            options.alpha,
            options.snr_gamma,
            options.noise_offset,
            options.save_every,
            options.seed,
            options.watch,
        )
        scratch = self.scratch or user_cache_path("napari-cytosynth") / "lora"
        checkpoint = Checkpoint(scratch, _key_of(lesson))
        taught = Lesson(tensors["crops"], prompts, options.turns)
        self._in_place = ""
        for stage in LoraTrainer(base, taught, recipe, checkpoint).run():
            yield Progress(stage.step, recipe.steps, _note(stage, recipe.batch))
        checkpoint.remove()
        if not stage.step:
            raise InputError(
                f"The lora generator learned copies of the {len(taught.crops)} real "
                f"cells rather than their class: {stage.copies:.0%} of what it drew at "
                f"its first look, after {min(recipe.save_every, recipe.steps)} steps. "
                "Label more cells, set a lower rate or save_every, or use the 'latent' "
                "generator."
            )
        copies = None if math.isnan(stage.copies) else round(stage.copies, 3)
        return {
            "steps done": stage.step,
            "skipped steps": stage.skipped,
            "copy rate": copies,
        }

    def _paint(
        self, base: StableBase, drawing: Drawing, sheet: Sheet
    ) -> Iterator[Drawn | None]:
        from napari_cytosynth.synthesis._torch.halving import Halving
        from napari_cytosynth.synthesis._torch.lora_paint import paint

        if self._in_place != drawing.name:
            options = drawing.options
            base.adapters.put(drawing.weights.tensors, options.rank, options.alpha)
            base.adapters.use_lcm(drawing.lcm)
            self._in_place = drawing.name
        size = drawing.options.batch
        halving = self._halvings.setdefault(size, Halving(size, "drawing with lora"))
        yield from paint(base, halving, drawing.plan(), sheet)

    def _demand_same_base(self, weights: Weights) -> None:
        if weights.meta["base sha256"] != self._fingerprint:
            raise OtherWeightsError(
                f"The lora adapter was learned on the base '{weights.meta['base']}', "
                f"and '{self._told_name}' here has other weights. Name the one that it "
                "was learned on, or fit again."
            )


def _chosen(cells: LabelledCells, options: LoraConfig) -> LabelledCells:
    """Return the cells to learn: those of the one class wanted, or all."""
    wanted = "" if options.joint else options.only
    chosen = cells.take(np.array([wanted in ("", c) for c in cells.codes], bool))
    few = [c for c in {wanted, *chosen.codes} - {""} if chosen.count(c) < MIN_TO_LEARN]
    if few or not len(chosen):
        raise InputError(
            f"The lora generator was given {len(chosen)} cells, and fewer than "
            f"{MIN_TO_LEARN} of class {', '.join(sorted(few)) or 'any'}. Label "
            f"{MIN_TO_LEARN} or more of each class that it is to learn."
        )
    return chosen


def _size_of(name: str) -> int | None:
    """Return the bytes of a base; None for an id that is not on this machine."""
    try:
        return base_bytes(find_base(name))
    except WeightsError:
        if is_id(name):
            return None
        raise


def _key_of(lesson: Weights) -> str:
    """Return a name for this training: of cells, options and base."""
    text = json.dumps(lesson.meta, sort_keys=True, default=str)
    return hashlib.sha256(f"{lesson.sha256}:{text}".encode()).hexdigest()


def _note(stage: Stage, batch: int) -> str:
    if not stage.step and math.isnan(stage.copies):
        return "encoding real cells"
    told = "looking for copies" if stage.looking else f"loss {stage.loss:.3f}"
    parts = [f"learning cells, {told}"]
    if stage.resumed:
        parts.append(f"went on from step {stage.resumed}")
    if stage.at_once < batch:
        parts.append(f"memory is short: {stage.at_once} at once")
    if stage.skipped:
        parts.append(f"{stage.skipped} steps not finite")
    if stage.copies > 0:
        parts.append(f"{stage.copies:.0%} of the cells drawn are copies")
    return "; ".join(parts)


def _alive(task: Task[T], start: int) -> Generator[Batch, None, T]:
    """Run a task for its result, with a sign of life for each of its own."""
    while True:
        try:
            next(task)
        except StopIteration as stop:
            result: T = stop.value
            return result
        yield Batch((), start)
