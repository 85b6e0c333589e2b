"""The pool that a ranking sees: standing cells, and which of them may be shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.journal import Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Candidates,
    DensityModel,
    LabelledCells,
    SyntheticVectors,
)
from napari_cytosynth.core.splits import Split
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.shortlist import LISTED, shortlist
from napari_cytosynth.workflows.embed import IN_MEMORY, known_vectors
from napari_cytosynth.workflows.examples import synthetic_examples
from napari_cytosynth.workflows.quality import flaws_by_cell
from napari_cytosynth.workflows.scores import scores_of
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of

_Ids = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pool:
    """All standing cells, and which of them may be shown.

    Parameters
    ----------
    project : Project
        Keeps them.
    ids : int64[n]
        Their numbers, ascending.
    vectors : float32[n, dim]
        Embeddings; a row of NaN waits for one.
    head : Head or None
        Of these vectors.
    probabilities : float32[n, classes] or None
        What the head says of each; None without a head.
    embedded : bool
        Whether there are vectors to rank by.
    open, skipped, held_out, flagged : bool[n]
        Waiting for a label; passed over by a reader; kept for measuring; flawed.
    labelled : LabelledCells
        Real cells that train.
    synthetic : SyntheticVectors
        What a search is shown beside them.
    density : DensityModel or None
        Tells how well each class explains a cell, where one was fitted.
    """

    project: Project
    ids: _Ids
    vectors: npt.NDArray[np.float32]
    head: Head | None
    probabilities: npt.NDArray[np.float32] | None
    embedded: bool
    open: _Mask
    skipped: _Mask
    held_out: _Mask
    flagged: _Mask
    labelled: LabelledCells
    synthetic: SyntheticVectors
    density: DensityModel | None = None

    @classmethod
    def of(cls, project: Project, key: str, head: Head | None) -> Pool:
        """Return the pool of a project as it stands, by the vectors of an embedder."""
        # One table for all columns: other threads change the set of cells meanwhile.
        table = project.cells()
        ids = table.ids
        # A cell without a vector waits for one, unless none has any.
        vectors, known = known_vectors(project, key, table)
        embedded = bool(known.any())
        if head is not None and vectors.shape[1] != head.dim:
            head = None
        held_out = splits_of(project, table).audit
        labelled, skipped = _touched(project, ids, held_out)
        return cls(
            project,
            ids,
            vectors,
            head,
            None if head is None else scores_of(project, head, vectors),
            embedded,
            known & ~labelled if embedded else ~labelled,
            skipped,
            held_out,
            flaws_by_cell(project, table) > 0,
            labelled_cells(project, key, Split.TRAIN, abstain=True, cells=table),
            synthetic_examples(project, key, vectors.shape[1]),
        )

    def limited_to(self, ids: _Ids | None) -> Pool:
        """Return the same with these cells alone waiting for a label; None: all."""
        if ids is None:
            return self
        return replace(self, open=self.open & np.isin(self.ids, ids))

    @property
    def teach(self) -> _Mask:
        """Cells to rank: those passed over only if no other is left."""
        pool = self.open & ~self.held_out
        fresh = pool & ~self.skipped
        return fresh if fresh.any() else pool

    def audit_ids(self, n: int) -> _Ids:
        """Return the next ``n`` audit cards in their fixed order, skipped ones last.

        A reader passes skipped cards by; at the head of the order they would keep all
        others waiting.
        """
        mask = self.open & self.held_out
        waiting = self.ids[mask]
        order = np.lexsort([scrambled(waiting), self.skipped[mask]])
        return waiting[order[:n]]

    def candidates(self, mask: _Mask, rng: np.random.Generator) -> Candidates:
        """Return the cells of a mask as strategies see them; of a large pool a list."""
        head, labelled = self.head, self.labelled
        known = None if head is None else head.predict_proba(labelled.vectors)
        rows, vectors, chances = self._seen(mask, rng)
        return Candidates(
            ids=self.ids[rows],
            vectors=vectors,
            probabilities=chances,
            codes=() if head is None else head.codes_,
            taxonomy=self.project.taxonomy,
            # What measures does not count: a class of audit labels alone is lacking.
            counts={c: labelled.count(c) for c in self.project.taxonomy.codes},
            labelled=labelled,
            density=self.density,
            synthetic=self.synthetic,
            labelled_probabilities=known,
        )

    def _seen(
        self, mask: _Mask, rng: np.random.Generator
    ) -> tuple[
        npt.NDArray[np.intp], npt.NDArray[np.float32], npt.NDArray[np.float32] | None
    ]:
        """Return rows of a mask, their vectors, and what the head says of them."""
        rows, chances = np.flatnonzero(mask), self.probabilities
        if self.vectors.nbytes > IN_MEMORY:
            rows = shortlist(rows, chances, rng, size=LISTED)
        if len(rows) == len(mask):
            return rows, self.vectors, chances
        return rows, self.vectors[rows], None if chances is None else chances[rows]


def _touched(project: Project, ids: _Ids, held_out: _Mask) -> tuple[_Mask, _Mask]:
    """Return which cells need no label any more, and which were passed over."""
    journal = project.journal
    labels = journal.labels()
    audited = [cell for cell, label in labels.items() if label.mode is Mode.AUDIT]
    done = np.isin(ids, np.array(audited, np.int64))
    done |= np.isin(ids, np.fromiter(labels, np.int64)) & ~held_out
    skipped = [cell for cell in journal.touched() if journal.skipped(cell)]  # type: ignore[arg-type]
    return done, np.isin(ids, np.array(skipped, np.int64))


def scrambled(ids: _Ids) -> npt.NDArray[np.uint64]:
    """Return a number for each id that orders ids as if at random, for ever the same.

    SplitMix64: Steele, Lea, Flood (2014), OOPSLA.
    """
    z = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
