"""The extension points: what a plug-in implements, and what passes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.draws import Batch as Batch
from napari_cytosynth.core.draws import Request as Request
from napari_cytosynth.core.draws import Weights as Weights
from napari_cytosynth.core.provenance import (
    Assessment,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.queries import Candidates as Candidates
from napari_cytosynth.core.queries import Query as Query
from napari_cytosynth.core.records import ImageRecord as ImageRecord
from napari_cytosynth.core.records import ObjectRecord as ObjectRecord
from napari_cytosynth.core.records import Records as Records
from napari_cytosynth.core.settings import Setting as Setting
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.core.tasks import Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.core.training import Crops as Crops
from napari_cytosynth.core.training import LabelledCells as LabelledCells
from napari_cytosynth.core.training import SyntheticVectors as SyntheticVectors
from napari_cytosynth.core.training import TrainingSet as TrainingSet
from napari_cytosynth.core.training import Vectors as Vectors


@runtime_checkable
class SmearReader(Protocol):
    """Opens one family of picture files."""

    def can_read(self, uri: str) -> bool:
        """Tell by name and first bytes, cheaply, without raising."""
        ...

    def open(self, uri: str) -> SmearImage:
        """Open lazily.

        Raises
        ------
        InputError
            If the file is damaged or not such a picture.
        """
        ...


@runtime_checkable
class Detector(Protocol):
    """Finds cells in a tile. The result depends on tile and calibration only."""

    key: str

    def detect(
        self, tile: npt.NDArray[np.uint8], calibration: Calibration
    ) -> Detections:
        """Find objects in ``tile``: uint8[y, x, 3]; coordinates are the tile's."""
        ...


@runtime_checkable
class Finder(Protocol):
    """Measures a smear and finds its cells: in this process, or in one beside it.

    All pictures are open ones of this process; a finder elsewhere opens its own by
    their uri. Wherever it works, the cells are the same.
    """

    def calibrate(self, image: SmearImage, mpp: float | None = None) -> Calibration:
        """Measure a smear once; ``mpp`` where the user knows it."""
        ...

    def scan(
        self, image: SmearImage, detector: str, calibration: Calibration, start: int
    ) -> Iterator[tuple[int, int, Detections]]:
        """Yield tiles done, tiles in all, and each tile's cells, from tile ``start``.

        ``detector`` is the name of a plug-in.
        """
        ...

    def crops(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Crops:
        """Return uint8[n, 96, 96, 3] around boxes float32[n, 4] in level-0 pixels."""
        ...

    def measure(self, image: SmearImage, boxes: npt.ArrayLike, mpp: float) -> Vectors:
        """Return float32[n, 2]: the quality of each cell's picture.

        Columns as in :data:`napari_cytosynth.core.quality.MEASURES`.
        """
        ...

    def close(self) -> None:
        """Release what it holds. Idempotent."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns crops into vectors."""

    key: str
    """Fingerprint: name, version and weights. Embeddings are stored under it."""

    dim: int

    def embed(self, crops: Crops) -> Vectors:
        """Return float32[n, dim], finite."""
        ...


@runtime_checkable
class NeedsWeights(Protocol):
    """What an embedder has besides, if its weights may have to be fetched first."""

    batch: int
    """Crops to embed at a time, so that a sign of life comes about once a second."""

    at_hand: bool
    """Whether it can run without a download."""

    def prepare(self) -> Task[None]:
        """Fetch and load the weights; quick if that was done."""
        ...


@runtime_checkable
class QueryStrategy(Protocol):
    """Ranks the pool. Deterministic by ``rng``."""

    key: str
    summary: str
    """One sentence for the user."""

    def query(self, candidates: Candidates, n: int, rng: np.random.Generator) -> Query:
        """Return the ``min(n, pool)`` cells most worth a label."""
        ...


@runtime_checkable
class WantsDensity(Protocol):
    """What a strategy has besides, if it ranks better by a fitted density."""

    wants_density: bool
    """Whether one is fitted for it, which takes seconds."""


@runtime_checkable
class CellGenerator(Protocol):
    """Makes synthetic cells or vectors of a class."""

    key: str
    makes: str
    """``"cells"`` or ``"vectors"``."""

    def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
        """Learn from real cells; ``config["seed"]`` makes it repeatable.

        A fill also gives ``config["concepts"]``, the concept of each class code of the
        project, and ``config["only"]``, the code of the class that will be asked for.
        """
        ...

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield draws in small batches; each item carries its provenance."""
        ...


@runtime_checkable
class ChoosyGenerator(Protocol):
    """A generator that knows which classes it cannot make before it is fitted."""

    def refuse_unknown(self, code: str, real: int, taxonomy: Taxonomy) -> None:
        """Raise UnknownClassError if ``real`` cells of ``code`` would not do."""


@runtime_checkable
class TunableGenerator(Protocol):
    """A generator that knows its options: what it offers, and what it cannot take."""

    settings: tuple[Setting, ...]
    """Options that the *Fill* form offers; others can be set by name."""

    def refuse_options(self, options: Mapping[str, Any], code: str, real: int) -> None:
        """Raise InputError if ``options`` would not do with ``real`` cells of ``code``.

        It reads no weights, so that nothing is learned in vain.
        """


@runtime_checkable
class Carded(Protocol):
    """A generator that starts from weights which ship with it."""

    @property
    def card(self) -> Mapping[str, Any]:
        """What is known of them: ``sha256``, ``source`` with licence, ``limits``."""
        ...


@runtime_checkable
class DensityModel(Protocol):
    """Tells how well each class explains a cell."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Class of each column."""
        ...

    def log_density(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return float64[n, classes]."""


@dataclass(frozen=True)
class Reference:
    """The real cells against which critics judge.

    Parameters
    ----------
    cells : LabelledCells
        Real labelled training cells, with crops.
    vectors : float32[n, dim]
        Their features in the critics' own embedder.
    embed : callable
        The critics' own embedder, crops to vectors: another feature set than the
        classifier's in training, and than what a generator is conditioned on.
    seed : int
        For cross-fitting.
    """

    cells: LabelledCells
    vectors: Vectors
    embed: Callable[[Crops], Vectors]
    seed: int = 0


@runtime_checkable
class Critic(Protocol):
    """Judges synthetic cells or vectors, each with a number and a reason.

    A verdict depends on the item, the reference and what was remembered, and not on the
    other items of a batch that come after it.
    """

    key: str

    def assess(self, batch: Batch, reference: Reference) -> list[Assessment]:
        """Return one assessment for each item of ``batch``.

        The items carry what the critics before said of them.
        """


@runtime_checkable
class Remembering(Protocol):
    """What a critic has besides, if it compares draws with those that passed before."""

    def remember(self, items: Sequence[SyntheticCell | SyntheticVector]) -> None:
        """Take in items that passed, in order of making."""

    def forget(self) -> None:
        """Begin anew, as if nothing had passed yet."""


@runtime_checkable
class Control(Protocol):
    """What synthesis has to beat: a way to enrich real cells without a generator."""

    key: str

    def enrich(self, cells: LabelledCells, rng: np.random.Generator) -> TrainingSet:
        """Return a training set made from real training cells only."""


@runtime_checkable
class Format(Protocol):
    """Reads and writes one annotation format."""

    key: str

    def read(self, path: Path) -> Records:
        """Read a file or folder.

        Raises
        ------
        FormatError
            Naming file, place and rule.
        """
        ...

    def write(self, records: Records, path: Path) -> None:
        """Write a file or folder; what stood there is replaced at once or not."""
        ...


@dataclass(frozen=True, slots=True)
class Hello:
    """What a compute backend says of itself.

    Parameters
    ----------
    version : str
        Version of napari-cytosynth.
    device : str
        ``"cpu"``, ``"cuda:0 (NVIDIA ...)"``, ...
    embedders, generators : tuple of str
        Keys that it can serve.
    """

    version: str
    device: str
    embedders: tuple[str, ...]
    generators: tuple[str, ...]


class Compute(Protocol):
    """The compute backend: a worker process, near or far, or the same in-process."""

    def hello(self) -> Hello:
        """Say what there is."""
        ...

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        """Embed crops, in batches."""

    def fit(
        self, generator: str, cells: LabelledCells, config: Mapping[str, Any]
    ) -> Task[Weights]:
        """Fit a generator."""
        ...

    def generate(
        self, generator: str, request: Request, weights: Weights
    ) -> Iterator[Batch]:
        """Yield draws as they are made; closing the iterator stops the worker's job.

        A batch without items is a sign of life, sent at least once a second while the
        next draws are made, so that the caller can yield, and be cancelled, meanwhile.
        """
        ...

    def close(self) -> None:
        """End the worker if this client started it."""
        ...
