"""What a study is to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.protocols import Compute, LabelledCells
from napari_cytosynth.core.registry import names
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.study import Floats, Key

STUDIES = ("ratio", "protocol", "regenerate", "time")
"""Names of the studies."""

HEADS = ("logistic", "resnet")
"""What is trained: a logistic head on vectors, or a small ResNet from scratch."""

RATIOS = (0.25, 1.0, 5.0, 10.0, 20.0)
"""Synthetic cells for each real one of a rare class; 0 is a case of its own."""

RESNET_RATIOS = (1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Options of a study.

    Parameters
    ----------
    study : str
        One of :data:`STUDIES`.
    shots : int
        Training cells of each rare class, >= 1.
    seeds : int
        Runs, >= 1.
    head : str
        One of :data:`HEADS`; only ``ratio`` takes the second.
    seconds : float
        Wall time that each generator has in ``time``, > 0.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    study: str
    shots: int = 10
    seeds: int = 3
    head: str = HEADS[0]
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for what, value, known in (
            ("study", self.study, STUDIES),
            ("head", self.head, HEADS),
        ):
            if value not in known:
                raise InputError(
                    f"There is no {what} '{value}'. Choose one of {', '.join(known)}."
                )
        if self.head != HEADS[0] and self.study != STUDIES[0]:
            raise InputError(
                f"A study of {self.study} was asked with the head '{self.head}'. Only "
                f"'{STUDIES[0]}' trains one from scratch; leave the head out."
            )
        if min(self.shots, self.seeds) < 1 or self.seconds <= 0:
            raise InputError(
                f"A study was asked with {self.shots} shots, {self.seeds} seeds and "
                f"{self.seconds:g} s. Each must be above 0."
            )


@dataclass(frozen=True)
class Material:
    """The cells of a study.

    Parameters
    ----------
    cells : LabelledCells
        Real labelled cells with pictures and vectors.
    taxonomy : Taxonomy
        Knows their classes.
    embedder : str
        Registry name of the embedder of the vectors.
    caveats : tuple of str
        What limits every figure.
    """

    cells: LabelledCells
    taxonomy: Taxonomy
    embedder: str
    caveats: tuple[str, ...] = ()


_METHOD = 6
"""Number of the method; another one makes older runs void."""


@dataclass(frozen=True)
class Run:
    """What one run of a study is given.

    Parameters
    ----------
    material : Material
        Where the cells come from.
    plan : Plan
        What is done.
    drawn : Deal
        The cells of this run; its seed is the run's.
    compute : Compute
        Draws and embeds.
    """

    material: Material
    plan: Plan
    drawn: Deal
    compute: Compute


REFUSALS = (InputError, UnknownClassError)
"""What a generator raises that cannot learn or draw what it is asked for."""


@dataclass(frozen=True)
class Outcome:
    """What one run found.

    Parameters
    ----------
    figures : dict of Key to float64[REPEATS + 1]
        Each figure as it is, then under resamples.
    not_run : tuple of str
        Rows that could not be had, each with its reason.
    """

    figures: dict[Key, Floats]
    not_run: tuple[str, ...] = ()


def key_of(plan: Plan, material: Material, data: str, seed: int) -> str:
    """Return the name under which a run is kept: it changes with all that it rests on.

    Parameters
    ----------
    plan : Plan
        What is done.
    material : Material
        The taxonomy decides what is tolerated, and by what names cells are painted.
    data : str
        Hash of the cells.
    seed : int
        Of the run.
    """
    from napari_cytosynth import __version__

    about = asdict(plan) | {"seeds": None, "seed": seed}
    if plan.study != "time":
        del about["seconds"]  # no other study heeds it
    about |= {"data": data, "embedder": material.cells.embedder}
    about |= {"version": __version__, "method": _METHOD}
    about["classes"] = [(c.code, c.concept, c.neighbours) for c in material.taxonomy]
    about["controls"] = names("controls")
    told = json.dumps(about, sort_keys=True).encode()
    return f"{plan.study}-{seed}-{hashlib.sha256(told).hexdigest()[:16]}"
