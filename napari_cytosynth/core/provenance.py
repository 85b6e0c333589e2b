"""Synthetic objects, and the origin that none of them can be built without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import ProvenanceError
from napari_cytosynth.core.ids import SyntheticId


class Status(StrEnum):
    """Where a synthetic cell stands."""

    PROPOSED = "proposed"
    """Passed the gate; waits for the pathologist."""
    ACCEPTED = "accepted"
    """The pathologist took it: it may train a head."""
    REJECTED = "rejected"
    """The pathologist refused it."""
    DROPPED = "dropped"
    """A critic refused it; kept only for its reason."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a synthetic object came to be.

    Parameters
    ----------
    generator : str
        Key of the generator, such as ``"latent"``.
    weights : str
        SHA-256 of its weights, 64 hexadecimal digits.
    config : mapping
        JSON-able settings of this run (steps, guidance, stain shift, strategy).
    seed : int
        Seed that makes it again, >= 0.
    parents : tuple of int
        Ids of the real cells that it was tuned on or varied from; may be empty.
    version : str
        Version of napari-cytosynth.
    time : str
        ISO 8601, UTC.
    """

    generator: str
    weights: str
    config: Mapping[str, Any]
    seed: int
    parents: tuple[int, ...]
    version: str
    time: str

    def __post_init__(self) -> None:
        if not self.generator or not self.version or not self.time:
            raise ProvenanceError(
                "A provenance lacks its generator, version or time. Every synthetic "
                "cell says how it was made; fill in all fields."
            )
        if len(self.weights) != 64 or set(self.weights) - set("0123456789abcdef"):
            raise ProvenanceError(
                f"A provenance names weights '{self.weights}'. Give the SHA-256 of the "
                "weights as 64 lower-case hexadecimal digits."
            )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {**asdict(self), "parents": list(self.parents), "synthetic": True}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provenance:
        """Build a provenance from what :meth:`to_json` wrote."""
        fields = {k: v for k, v in value.items() if k != "synthetic"}
        return cls(**{**fields, "parents": tuple(fields["parents"])})


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one critic says of one synthetic object.

    Parameters
    ----------
    critic : str
        Key of the critic, such as ``"agreement"``.
    score : float
        Its number; the reason says on what scale.
    passed : bool
        False is a veto.
    reason : str
        One sentence for a person, with the number and the threshold.
    calibrated : bool
        False where real cells are too few to set the class's bar by themselves.
    nearest : int or None
        Real cell of the project that looks most like it, where the critic compared.
    abstained : bool
        True where real cells were too few for the critic to tell at all: then what
        passed was let through, and is verified by nothing.
    trained : int or None
        Cell that trained the shipped weights, by its row among their thumbnails, where
        the verdict rests on that one rather than on a real cell of the project.
    """

    critic: str
    score: float
    passed: bool
    reason: str
    calibrated: bool = True
    nearest: int | None = None
    abstained: bool = False
    trained: int | None = None


@dataclass(frozen=True, slots=True)
class SyntheticCell:
    """A painted cell. Never a real one: counts, audit and tests refuse it by type.

    Parameters
    ----------
    pixels : uint8[96, 96, 3]
        RGB at 0.25 um a pixel.
    code : str
        Class code it was asked for.
    provenance : Provenance
        How it was made.
    assessments : tuple of Assessment
        One a critic, in the order in which they judged.
    status : Status
        Where it stands.
    verified : bool
        False where real cells were too few for a critic to check it.
    id : SyntheticId
        Number in the project; 0 before it was stored.
    """

    pixels: npt.NDArray[np.uint8]
    code: str
    provenance: Provenance
    assessments: tuple[Assessment, ...] = ()
    status: Status = Status.PROPOSED
    verified: bool = True
    id: SyntheticId = field(default=SyntheticId(0))

    def __post_init__(self) -> None:
        _demand_origin(self.provenance)
        shape = (CROP_PIXELS, CROP_PIXELS, 3)
        if self.pixels.shape != shape or self.pixels.dtype != np.uint8:
            raise ProvenanceError(
                f"A synthetic cell has pixels {self.pixels.dtype}{self.pixels.shape}. "
                f"Give uint8{shape}."
            )

    @property
    def passed(self) -> bool:
        """True if no critic vetoed it."""
        return all(a.passed for a in self.assessments)

    def judged(self, *assessments: Assessment) -> SyntheticCell:
        """Return the same cell with more assessments."""
        return replace(self, assessments=(*self.assessments, *assessments))


@dataclass(frozen=True, slots=True)
class SyntheticVector:
    """A drawn embedding: trains a head only, and is never shown as a picture.

    Parameters
    ----------
    embedder : str
        Fingerprint of the embedder whose space it lies in.
    vector : float32[dim]
        The vector.
    code : str
        Class code it was asked for.
    provenance : Provenance
        How it was made.
    assessments : tuple of Assessment
        One a critic.
    """

    embedder: str
    vector: npt.NDArray[np.float32]
    code: str
    provenance: Provenance
    assessments: tuple[Assessment, ...] = ()

    def __post_init__(self) -> None:
        _demand_origin(self.provenance)

    @property
    def passed(self) -> bool:
        """True if no critic vetoed it."""
        return all(a.passed for a in self.assessments)

    def judged(self, *assessments: Assessment) -> SyntheticVector:
        """Return the same vector with more assessments."""
        return replace(self, assessments=(*self.assessments, *assessments))


def _demand_origin(provenance: object) -> None:
    if not isinstance(provenance, Provenance):
        raise ProvenanceError(
            f"A synthetic object was given {type(provenance).__name__} as its "
            "provenance. It cannot exist without one; pass a Provenance."
        )


def refuse_synthetic(things: object, where: str) -> None:
    """Raise if synthetic objects stand where only real cells may.

    Raises
    ------
    ProvenanceError
        Naming ``where``.
    """
    items = things if isinstance(things, (list, tuple)) else (things,)
    if any(isinstance(item, (SyntheticCell, SyntheticVector)) for item in items):
        raise ProvenanceError(
            f"A synthetic cell was passed to {where}. Only real cells may stand there; "
            "synthetic ones train a model and nothing else."
        )
