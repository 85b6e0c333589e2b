"""The density of the ``embedding`` generator, for a strategy that ranks by it."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from napari_cytosynth.core.errors import InputError, WeightsError, WorkerError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Compute,
    DensityModel,
    LabelledCells,
    WantsDensity,
)
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.density import FlowDensity
from napari_cytosynth.workflows.drawn import EMBEDDING
from napari_cytosynth.workflows.splitting import labelled_cells
from napari_cytosynth.workflows.suggest import made_strategy

REFIT = 10
"""Labels that come, go or change before a density is fitted anew; a class that comes or
goes is enough."""


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A density, and the labels that it was fitted on; no model: it could not be."""

    key: str
    seed: int
    labels: frozenset[tuple[int, str]]
    model: DensityModel | None

    def serves(self, key: str, seed: int, labels: frozenset[tuple[int, str]]) -> bool:
        """Tell whether it may stand for these labels."""
        if self.model is None or (self.key, self.seed) != (key, seed):
            return (self.key, self.seed, self.labels) == (key, seed, labels)
        classes = [{code for _, code in part} for part in (self.labels, labels)]
        changed = {cell for cell, _ in self.labels ^ labels}
        return classes[0] == classes[1] and len(changed) < REFIT


_KEPT: WeakKeyDictionary[Project, _Fitted] = WeakKeyDictionary()


def density_for(
    project: Project, key: str, strategy: str, compute: Compute, *, seed: int = 0
) -> Task[DensityModel | None]:
    """Return a density if a strategy asks for one; it is fitted where none serves.

    The last one is kept in memory, and serves until ten labels have changed, or a class
    came or went: a fit takes seconds of the backend.

    Parameters
    ----------
    project : Project
        Gives the labelled cells of the training split; nothing is written.
    key : str
        Fingerprint of the embedder.
    strategy : str
        Name in the registry.
    compute : Compute
        Fits.
    seed : int
        Makes it repeatable.

    Returns
    -------
    DensityModel or None
        None where the strategy asks for none, where labels are too few to learn from,
        and where the backend fails: it then ranks without.

    Raises
    ------
    RegistryError
        If there is no such strategy.
    """
    made = made_strategy(project, strategy)
    if not (isinstance(made, WantsDensity) and made.wants_density):
        return None
    yield Progress(0, 0, "gathering labels for a density")
    real = labelled_cells(project, key, Split.TRAIN, abstain=True)
    labels = frozenset(zip(real.ids.tolist(), real.codes, strict=True))
    kept = _KEPT.get(project)
    if kept is None or not kept.serves(key, seed, labels):
        model = yield from _fitted(real, compute, seed)
        kept = _KEPT[project] = _Fitted(key, seed, labels, model)
    return kept.model


def _fitted(
    real: LabelledCells, compute: Compute, seed: int
) -> Task[DensityModel | None]:
    try:
        weights = yield from compute.fit(EMBEDDING, real, {"seed": seed})
        return FlowDensity(weights)
    except (InputError, WeightsError, WorkerError):
        return None
