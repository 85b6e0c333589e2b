"""Look for cells of a class, or for cells like one: a queue for one purpose.

No audit card is among what is found, so every card may say why it came. Held-out cells
are not found either: what a search picks out is no random sample to measure on. Of a
pool of more than 1 GiB of vectors, the 20,000 cells likest to an example are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError, WeightsError, WorkerError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Candidates,
    Compute,
    LabelledCells,
    Query,
    SyntheticVectors,
    Vectors,
)
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.learning.shortlist import LISTED
from napari_cytosynth.learning.space import likeness_to
from napari_cytosynth.learning.strategies.alike import Alike
from napari_cytosynth.learning.strategies.search import Search
from napari_cytosynth.workflows.embed import IN_MEMORY, vectors_of
from napari_cytosynth.workflows.examples import examples_of, synthetic_examples
from napari_cytosynth.workflows.pool import Pool
from napari_cytosynth.workflows.splitting import labelled_cells
from napari_cytosynth.workflows.suggest import ranked


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Parameters
    ----------
    query : Query
        Unlabelled cells of the training split, the likest first, with a reason each.
    like : str
        What they are like, for a person: ``"PMY"`` or ``"cell 312"``.
    real, synthetic : int
        Examples that it went by. Synthetic ones are in no count of cells.
    note : str
        Why no synthetic example was drawn; empty where some were, or none was wanted.
    examples : SyntheticVectors or None
        Synthetic ones of all classes that it went by, to search again with the same.
    """

    query: Query
    like: str
    real: int
    synthetic: int = 0
    note: str = ""
    examples: SyntheticVectors | None = None

    def title(self, taxonomy: Taxonomy) -> str:
        """Say in a line what was looked for, and by what."""
        if self.like not in taxonomy:
            return f"Cells like {self.like}."
        named = f"{taxonomy[self.like].worded} ({self.like})"
        made = f" and {self.synthetic} synthetic" if self.synthetic else ""
        plural = "" if self.real + self.synthetic == 1 else "s"
        return f"Cells like {named}, by {self.real} real{made} example{plural}."


def find_class(
    project: Project,
    compute: Compute,
    code: str,
    embedder_key: str,
    *,
    n: int = 200,
    seed: int = 0,
    made: SyntheticVectors | None = None,
) -> Task[Found]:
    """Look for unlabelled cells of a class, by its real and synthetic examples.

    Where no synthetic cell of the class was accepted, vectors are drawn for this search
    alone; see :func:`~napari_cytosynth.workflows.examples.examples_of`.

    Parameters
    ----------
    project : Project
        Gives cells, labels and synthetic cells; its labels and models stay as they are.
    compute : Compute
        Embeds synthetic cells, and draws.
    code : str
        Class.
    embedder_key : str
        Fingerprint of the embedder.
    n : int
        Cells wanted at most.
    seed : int
        Decides draws and ties.
    made : SyntheticVectors, optional
        Synthetic examples to go by; by default those that are kept, and drawn ones.

    Raises
    ------
    UnknownClassError
        If the taxonomy does not know ``code``.
    InputError
        If there is no example of the class, or no cell has a vector.
    """
    yield Progress(0, 3, f"gathering examples of {code}")
    name = project.taxonomy[code].code
    real = labelled_cells(project, embedder_key, Split.TRAIN, abstain=True)
    note, dim = "", vectors_of(project, embedder_key).shape[1]
    try:
        if made is None:
            made = yield from examples_of(project, compute, name, real, seed=seed)
    except (InputError, WeightsError, WorkerError) as error:
        # The real cells alone do, if less well.
        note, made = str(error), synthetic_examples(project, embedder_key, dim)
    _demand_example(name, real, made)
    yield Progress(2, 3, f"looking for {name}")
    near = _likest(project, embedder_key, _vectors_of_class(name, real, made))
    pool = replace(Pool.of(project, embedder_key, None), synthetic=made)
    query = ranked(pool.limited_to(near), Search(name), n=n, seed=seed)
    return Found(query, name, real.count(name), made.codes.count(name), note, made)


def find_alike(
    project: Project, cell: CellId, embedder_key: str, *, n: int = 200, seed: int = 0
) -> Found:
    """Look for unlabelled cells like one cell, which may be any that stands.

    Parameters
    ----------
    project : Project
        Gives cells and vectors; nothing is written.
    cell : CellId
        The cell; it is not among those found.
    embedder_key : str
        Fingerprint of the embedder by whose vectors cells are compared.
    n : int
        Cells wanted at most.
    seed : int
        Breaks ties.

    Raises
    ------
    InputError
        If the cell does not stand or has no vector.
    """
    cells = project.cells()
    row = int(np.searchsorted(cells.ids, cell))
    there = row < len(cells) and cells.ids[row] == cell
    vectors = vectors_of(project, embedder_key, cells)
    if not there or not vectors.shape[1] or not np.isfinite(vectors[row, 0]):
        raise InputError(
            f"Nothing can be found like cell {cell}: "
            + ("it has no vector yet. " if there else "no such cell stands. ")
            + "Name a standing cell, once the cells are embedded."
        )
    like = Alike(vectors[row], f"cell {cell}")
    # One more than asked: the cell itself is the likest, where it has no label.
    near = _likest(project, embedder_key, vectors[row][None])
    pool = Pool.of(project, embedder_key, None).limited_to(near)
    query = ranked(pool, like, n=n + 1, seed=seed)
    others = np.flatnonzero(query.ids != cell)[:n]
    reasons = tuple(query.reasons[i] for i in others)
    return Found(
        Query(query.ids[others], query.utilities[others], reasons), like.name, 1
    )


def _vectors_of_class(
    code: str, real: LabelledCells, made: SyntheticVectors
) -> Vectors:
    own = np.array([c == code for c in real.codes], bool)
    return np.concatenate([real.take(own).vectors, made.of(code).vectors])


def _likest(
    project: Project, embedder_key: str, examples: Vectors
) -> npt.NDArray[np.int64] | None:
    """Return the cells likest to examples, of a pool beyond memory; else None: all.

    The pool is read once, block by block.
    """
    cells = project.cells()
    vectors = vectors_of(project, embedder_key, cells)
    if vectors.nbytes <= IN_MEMORY:
        return None
    pool = Candidates(cells.ids, vectors, None, (), project.taxonomy, {})
    likeness = np.nan_to_num(likeness_to(pool, examples), nan=-1.0)
    ids: npt.NDArray[np.int64] = cells.ids[np.argsort(-likeness)[:LISTED]]
    return ids


def _demand_example(code: str, real: LabelledCells, made: SyntheticVectors) -> None:
    if not real.count(code) and code not in made.codes:
        raise InputError(
            f"There is no example of {code} to go by: no cell of the training split "
            "has that label, and no synthetic one was accepted. Label one, or fill the "
            "class and accept some."
        )
