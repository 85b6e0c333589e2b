"""Fill a class with vectors: they train the head at once, and are never shown."""

from __future__ import annotations

from dataclasses import asdict

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute, LabelledCells
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.workflows.drawn import Tally, fit_source
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.kept import keep_vectors
from napari_cytosynth.workflows.splitting import labelled_cells


def fill_vectors(
    project: Project,
    compute: Compute,
    ask: Ask,
    embedder_key: str,
) -> Task[Tally]:
    """Draw vectors of a class that pass the critics, and keep them to train the head.

    They take the place of those kept for the class before. Nothing is stored until the
    last was drawn.

    Parameters
    ----------
    project : Project
        Gives the real cells of the training split, keeps the vectors.
    compute : Compute
        Fits and draws.
    ask : Ask
        Class, of which one real cell at least is labelled in the training split;
        vectors wanted, a generator that makes vectors, and the seed.
    embedder_key : str
        Fingerprint of the embedder in whose space they lie.

    Raises
    ------
    UnknownClassError
        If the taxonomy does not know the class.
    InputError
        If the count is below 1, or no real cell of the class could be learned from.
    """
    yield Progress(0, ask.count, "gathering real cells")
    name = project.taxonomy[ask.code].code
    real = labelled_cells(project, embedder_key, Split.TRAIN, abstain=True)
    if ask.count < 1:
        raise InputError(
            f"{ask.count} vectors of '{name}' were asked for. Ask for at least one."
        )
    _demand_real(project, name, real)
    source = yield from fit_source(
        real, project.taxonomy, compute, seed=ask.seed, generator=ask.generator
    )
    drawn = yield from source.draw({name: ask.count}, ask.seed)
    tally = drawn.tallies[name]
    told = asdict(tally)
    judged = (*drawn.items, *drawn.refused)
    keep_vectors(project, name, judged, told, real.ids, generator=ask.generator)
    return tally


def _demand_real(project: Project, name: str, real: LabelledCells) -> None:
    """Refuse a class around whose real cells no vector could be drawn."""
    known = [c for c in project.taxonomy.cell_codes if real.count(c)]
    if name in known:
        return
    labels = project.journal.labels().values()
    elsewhere = sum(label.code == name for label in labels)
    why = (
        f"all {elsewhere} labelled ones are held out to measure on"
        if elsewhere
        else "none is labelled yet"
    )
    raise InputError(
        f"Vectors of '{name}' are drawn around real cells of it in the training "
        f"split, and {why}. Label one or more, or use a generator that paints cells, "
        f"such as 'latent'. Classes to draw from: {', '.join(known) or 'none yet'}."
    )
