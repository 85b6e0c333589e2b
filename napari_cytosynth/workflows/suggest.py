"""Which cells to label next, and which of them only measure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    DensityModel,
    Query,
    QueryStrategy,
)
from napari_cytosynth.core.registry import DEFAULT_STRATEGY, load
from napari_cytosynth.core.splits import AUDIT_EVERY
from napari_cytosynth.learning.head import Head
from napari_cytosynth.learning.strategies.balanced import Balanced
from napari_cytosynth.workflows.describe import Describer
from napari_cytosynth.workflows.pool import Pool
from napari_cytosynth.workflows.shares import stored_shares

_Ids = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

_BLIND = "random"
"""The strategy where there are no vectors yet."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Cards for the queue.

    Parameters
    ----------
    query : Query
        Cells, best first, audit cards among them in the order of their draw. Audit
        cards have a utility of NaN and no reason: before a card is labelled, neither
        may be shown of any card, or the others would tell them apart.
    audit : bool[k]
        True for audit cards: drawn at random from held-out groups. A label given to one
        is recorded with :attr:`~napari_cytosynth.core.journal.Mode.AUDIT`, after an
        ``audit_draw`` event; see :mod:`napari_cytosynth.workflows.audit`. Never shown.
    strategy : str
        Key of the strategy.
    model : str
        Version of the head; empty before the first.
    late : int64[l]
        Flagged cells at the end of ``query``, dealt because no sound one was left.
    repeats : int64[r]
        Cards that the reader labelled before; see
        :mod:`napari_cytosynth.workflows.repeats`. Never shown as such.
    """

    query: Query
    audit: _Mask
    strategy: str
    model: str
    late: _Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    repeats: _Ids = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def draws(self) -> _Ids:
        """int64[m]: the audit cards, in the order of their draw."""
        return self.query.ids[self.audit]


def suggest(
    project: Project,
    embedder_key: str,
    *,
    head: Head | None,
    strategy: str = DEFAULT_STRATEGY,
    n: int = 200,
    seed: int = 0,
    density: DensityModel | None = None,
) -> Suggestion:
    """Rank all unlabelled standing cells of the training split, and mix in audit cards.

    Of a pool of more than 1 GiB of vectors a strategy is shown 20,000 cells: those of
    most doubt, the likeliest of each class, and some drawn evenly.

    Cells that were passed over come back only when nothing else is left, and flagged
    ones (blurred, cut, damaged, overlapping) come after all sound ones. The order of
    the audit cards is fixed for ever by their ids, so that no ranking, however often it
    is made, can choose among them. A held-out cell leaves that order only by a label
    that the draw asked for: one that somebody labelled of his own accord is dealt all
    the same, or the cells left over would be no random sample. Audit cards are dealt
    flagged or not; for each flagged one a flagged cell of the training split is dealt
    among the sound ones, or it would give itself away.

    Parameters
    ----------
    project : Project
        Gives cells, vectors and labels; nothing is written.
    embedder_key : str
        Fingerprint of the embedder. Before the first vectors the order is random.
    head : Head or None
        The fitted head; None before the first.
    strategy : str
        Name in the registry.
    n : int
        Cards wanted, >= 0.
    seed : int
        The same seed, labels, head and density give the same cards.
    density : DensityModel, optional
        For a strategy that ranks by one; see
        :func:`napari_cytosynth.workflows.density.density_for`.

    Raises
    ------
    RegistryError
        If there is no such strategy.
    """
    chosen = made_strategy(project, strategy)
    pool = replace(Pool.of(project, embedder_key, head), density=density)
    if not pool.embedded:
        chosen = load("strategies", _BLIND)()
    rng = np.random.default_rng(seed)
    audit_ids = pool.audit_ids(_share(n, int(pool.teach.sum()), rng))
    room = n - len(audit_ids)
    decoys = int(np.count_nonzero(pool.flagged & np.isin(pool.ids, audit_ids)))
    teach, late = _taught(chosen, pool, (room, decoys), rng)
    teach = replace(teach, reasons=_worded(pool, embedder_key, teach))
    query, audit = _mixed(teach, audit_ids, rng)
    version = head.version if head is not None else ""
    return Suggestion(query, audit, strategy, version, late)


def ranked(
    pool: Pool, strategy: QueryStrategy, *, n: int = 200, seed: int = 0
) -> Query:
    """Rank the cells that :func:`suggest` would, and deal no audit card among them.

    Flagged cells come last. Held-out cells are never ranked.

    Parameters
    ----------
    pool : Pool
        The cells, and what the strategy is shown beside them; nothing is written.
    strategy : QueryStrategy
        Ranks.
    n : int
        Cells wanted at most.
    seed : int
        Decides chance.

    Raises
    ------
    InputError
        If no cell has a vector.
    """
    if not pool.embedded:
        raise InputError(
            "No cell has a vector yet, so cells cannot be compared. Add smears and "
            "find their cells first; each verb that compares cells embeds them."
        )
    return _taught(strategy, pool, (n, 0), np.random.default_rng(seed))[0]


def made_strategy(project: Project, name: str) -> QueryStrategy:
    """Return a strategy; *balanced* with the shares that the project keeps."""
    made = load("strategies", name)
    strategy: QueryStrategy = (
        made(stored_shares(project)) if made is Balanced else made()
    )
    return strategy


def _taught(
    chosen: QueryStrategy,
    pool: Pool,
    wanted: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Query, _Ids]:
    """Rank sound cells, some flagged ones among them, then the other flagged ones.

    ``wanted`` is how many in all, and how many flagged ones among the sound. Returns
    the ranking, and the ids of the flagged cells at its end.
    """
    n, decoys = wanted
    sound, flagged = pool.teach & ~pool.flagged, pool.teach & pool.flagged
    decoys = min(decoys, int(flagged.sum()), n)
    first = chosen.query(pool.candidates(sound, rng), n - decoys, rng)
    if len(first.ids) == n or not flagged.any():
        return first, np.zeros(0, np.int64)
    rest = chosen.query(pool.candidates(flagged, rng), n - len(first.ids), rng)
    places = np.sort(rng.integers(0, len(first.ids) + 1, decoys))
    return _joined(first, rest, places), rest.ids[decoys:]


def _joined(first: Query, rest: Query, places: _Ids) -> Query:
    """Put the best of ``rest`` before these places of ``first``, the others behind."""
    k = len(first.ids)
    at = np.concatenate([places, np.full(len(rest.ids) - len(places), k)])
    # Worth falls along the ranking: each is told to be worth what it stands before.
    worth = np.append(first.utilities, first.utilities[-1:])
    own = worth[at] if k else rest.utilities
    reasons = np.insert(np.array(first.reasons, object), at, rest.reasons)
    return Query(
        np.insert(first.ids, at, rest.ids),
        np.insert(first.utilities, at, own),
        tuple(str(reason) for reason in reasons),
    )


def _worded(pool: Pool, embedder_key: str, query: Query) -> tuple[str, ...]:
    """Return the reasons with what the attributes say of each cell, where it is sure.

    Such as "margin 0.04: EO or SNE; segmented nucleus, coarse granules: EO?".
    """
    rows = np.searchsorted(pool.ids, query.ids)
    words = Describer(pool.project, embedder_key).reasons(pool.vectors[rows])
    pairs = zip(query.reasons, words, strict=True)
    return tuple(f"{reason}; {said}" if said else reason for reason, said in pairs)


def _share(n: int, teach: int, rng: np.random.Generator) -> int:
    """Return how many of ``n`` cards are audit cards.

    A tenth of those that can be dealt, rounded up or down at random: where few cells
    are left to teach, more would not be one card in ten. Where none is left, all.
    """
    if not teach:
        return n
    whole = min(n, teach * AUDIT_EVERY / (AUDIT_EVERY - 1))
    return int(whole / AUDIT_EVERY + rng.random())


def label_counts(project: Project) -> dict[str, int]:
    """Return how many real cells carry each label; every class of the taxonomy."""
    given = Counter(label.code for label in project.journal.labels().values())
    return {code: given[code] for code in project.taxonomy.codes}


def _mixed(teach: Query, draws: _Ids, rng: np.random.Generator) -> tuple[Query, _Mask]:
    """Deal the audit cards evenly, each at a random place of its stretch."""
    k = len(teach.ids) + len(draws)
    audit = np.zeros(k, bool)
    edges = np.linspace(0, k, len(draws) + 1).astype(int)
    for low, high in pairwise(edges):
        audit[rng.integers(low, high)] = True
    ids, worth = np.empty(k, np.int64), np.full(k, np.nan, np.float32)
    ids[audit], ids[~audit], worth[~audit] = draws, teach.ids, teach.utilities
    reasons = iter(teach.reasons)
    told = tuple("" if drawn else next(reasons) for drawn in audit)
    return Query(ids, worth, told), audit
