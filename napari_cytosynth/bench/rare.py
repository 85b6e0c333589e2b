"""How many cells of a scarce class stand among the first hundred that are shown.

Three cells of the class are known, and synthetic vectors are drawn from them; or the
class has no name yet. One ranking of the whole pool, without labels in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.hunts import (
    KNOWN,
    SHARE,
    Cells,
    Hunt,
    Worth,
    by_angle,
    by_class_means,
    by_isolation,
    by_isolation_in_pool,
    by_labelled,
    by_neighbours,
)
from napari_cytosynth.bench.labels import EMBEDDERS, FIRST_SEED, taxonomy_of
from napari_cytosynth.bench.pack import Pack, embedded, vectors_by, whole_pack
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import QueryStrategy
from napari_cytosynth.core.registry import load
from napari_cytosynth.features.starter import StarterEmbedder
from napari_cytosynth.learning.ranking import best_of
from napari_cytosynth.learning.strategies.search import Search

CLASSES = ("BA", "PMY", "MY", "MMY", "ERB")
"""The scarcest kinds of cell in healthy blood."""

SHOWN, SHOWN_NEW = 100, 200
"""Cells shown of a class of which some are known, and of one without a name."""

_DRAWS = 2000

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Seek = Callable[[Hunt, int], Numbers]
"""From a hunt to so many positions of its pool, best first."""


def run(
    data: Path,
    *,
    seeds: int = 3,
    quick: bool = False,
    keep: Path | None = None,
    encoder: Path | None = None,
) -> list[Row]:
    """Measure how soon a scarce class is found.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Draws of the known cells and of the cells left of a class.
    quick : bool
        A quarter of the cells, two classes, ``morphology`` only.
    keep : Path, optional
        Folder for vectors, as of ``bench labels``.
    encoder : Path, optional
        Folder of ``starter`` weights whose training left classes out; these classes are
        sought with them, and nothing else is measured. The shipped weights have seen
        all classes, so that what they find is flattered.

    Returns
    -------
    list of dict
        Of each class and of all: what each way of seeking finds, and the share of the
        gap between the best rival and all there are that ours close.
    """
    pack = whole_pack(data, quick)
    chosen = range(FIRST_SEED, FIRST_SEED + seeds)
    if encoder is not None:
        return _measured(*_by_encoder(encoder, pack), chosen)
    classes = CLASSES[:2] if quick else CLASSES
    rows: list[Row] = []
    for embedder in EMBEDDERS[1:] if quick else EMBEDDERS[::-1]:
        vectors = embedded(embedder, "pack_pbc128", pack, keep)
        cells = (vectors, pack.codes, taxonomy_of(pack.codes))
        rows += _measured(embedder, cells, classes, chosen)
    return rows


def _by_encoder(folder: Path, pack: Pack) -> tuple[str, Cells, tuple[str, ...]]:
    """Return a name of the weights, the cells as they see them, and the unseen classes.

    Raises
    ------
    InputError
        If the weights have seen all classes.
    """
    starter = StarterEmbedder(folder)
    taught = {code for code, count in starter.card["counts"].items() if count}
    unseen = tuple(code for code in CLASSES if code not in taught)
    if not unseen:
        raise InputError(
            f"The weights in '{folder}' were trained on all of {', '.join(CLASSES)}, "
            "so that finding them shows nothing. Train some with --without."
        )
    cells = (vectors_by(starter.embed, pack), pack.codes, taxonomy_of(pack.codes))
    return f"starter without {' '.join(unseen)}", cells, unseen


def _measured(
    embedder: str, cells: Cells, classes: Sequence[str], seeds: Sequence[int]
) -> list[Row]:
    """Return all rows of an embedder."""
    told = {"dataset": "pack_pbc128", "embedder": embedder}
    rows = list(_known(told, cells, classes, seeds))
    for share in (SHARE, None):
        rows += _unnamed(told, cells, (classes, seeds), share)
    return rows


@dataclass(frozen=True)
class _Way:
    """A way of seeking: who has it, its name, whether ours, and what it does."""

    case: str
    seek: Seek
    own: bool = False


def _asked(strategy: QueryStrategy) -> Seek:
    def seek(hunt: Hunt, n: int) -> Numbers:
        ids = strategy.query(hunt.pool, n, hunt.rng()).ids
        return np.searchsorted(hunt.pool.ids, ids).astype(np.intp)

    return seek


def _ranked(worth: Worth) -> Seek:
    return lambda hunt, n: best_of(worth(hunt), n, hunt.rng())


def _ways_to_known() -> tuple[_Way, ...]:
    def searched(hunt: Hunt, n: int) -> Numbers:
        return _asked(Search(hunt.code))(hunt, n)

    return (
        _Way("random", _asked(load("strategies", "random")())),
        _Way("margin", _asked(load("strategies", "margin")())),
        _Way("nearest neighbours", _ranked(by_neighbours)),
        _Way("nearest neighbours, cosine", _ranked(by_angle)),
        _Way("rare", _asked(load("strategies", "rare")()), own=True),
        _Way("search, no synthetic cells", searched, own=True),
        _Way("search", lambda hunt, n: searched(hunt.with_draws(), n), own=True),
    )


def _ways_to_unnamed() -> tuple[_Way, ...]:
    novelty = _asked(load("strategies", "novelty")())
    return (
        _Way("entropy", _asked(load("strategies", "entropy")())),
        _Way("isolation forest of the labelled", _ranked(by_isolation)),
        _Way("isolation forest of the pool", _ranked(by_isolation_in_pool)),
        _Way("distance to class means", _ranked(by_class_means)),
        _Way("distance to the labelled", _ranked(by_labelled)),
        _Way("novelty", novelty, own=True),
        _Way(
            "novelty, Gaussian density",
            lambda hunt, n: novelty(hunt.with_gaussian(), n),
            own=True,
        ),
        _Way(
            "novelty, density of embedding",
            lambda hunt, n: novelty(hunt.with_density(), n),
            own=True,
        ),
    )


def _known(
    told: Mapping[str, str],
    cells: Cells,
    classes: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[Row]:
    """Yield what is found of classes with three known cells."""
    ways = _ways_to_known()
    shape = (len(ways) + 1, len(classes), len(seeds))
    found = np.empty(shape)
    for j, code in enumerate(classes):
        for k, seed in enumerate(seeds):
            hunt = Hunt.deal(cells, code, seed)
            hits = [hunt.is_sought[way.seek(hunt, SHOWN)].sum() for way in ways]
            found[:, j, k] = [*hits, min(hunt.is_sought.sum(), SHOWN)]
    base = {**told, "shots": KNOWN, "size": f"{SHARE:.1%} of the pool"}
    for way, values in zip(ways, found[:-1], strict=True):
        peer = "ours" if way.own else "rival"
        yield from _rows(
            {**base, "peer": peer, "case": way.case}, "found_100", classes, values
        )
    yield from _rows({**base, "case": "all there are"}, "found_100", classes, found[-1])
    rival = max(
        (i for i, way in enumerate(ways) if not way.own), key=lambda i: found[i].mean()
    )
    for way, values in zip(ways, found[:-1], strict=True):
        if way.own:
            case = f"{way.case} against {ways[rival].case}"
            names = {**base, "peer": "ours", "case": case}
            yield from _closed(names, classes, (values, found[rival], found[-1]))


def _unnamed(
    told: Mapping[str, str],
    cells: Cells,
    plan: tuple[Sequence[str], Sequence[int]],
    share: float | None,
) -> Iterator[Row]:
    """Yield how soon cells of a class come that no label names."""
    classes, seeds = plan
    ways = _ways_to_unnamed()
    figures = np.empty((2, len(ways), len(classes), len(seeds)))
    for j, code in enumerate(classes):
        for k, seed in enumerate(seeds):
            hunt = Hunt.deal(cells, code, seed, known=0, share=share)
            for i, way in enumerate(ways):
                hit = hunt.is_sought[way.seek(hunt, len(hunt.pool.ids))]
                figures[:, i, j, k] = hit.argmax() + 1, hit[:SHOWN_NEW].sum()
    size = "as it comes" if share is None else f"{share:.1%} of the pool"
    for i, way in enumerate(ways):
        names = {
            **told,
            "case": way.case,
            "peer": "ours" if way.own else "rival",
            "shots": 0,
            "size": size,
        }
        for metric, values in zip(
            ("first_rank", "found_200"), figures[:, i], strict=True
        ):
            yield from _rows(names, metric, classes, values)


def _rows(
    told: Mapping[str, Any], metric: str, classes: Sequence[str], values: Floats
) -> Iterator[Row]:
    """Yield a row for each class, and one for all: means, intervals over hunts."""
    for code, own in zip((*classes, "all"), (*values[:, None], values), strict=True):
        low, high = np.quantile(_means(own), (0.025, 0.975))
        ends = {"value": float(own.mean()), "low": float(low), "high": float(high)}
        yield {**told, "class": code, "metric": metric, **ends, "n": own.size}


def _closed(
    told: Mapping[str, Any], classes: Sequence[str], three: Sequence[Floats]
) -> Iterator[Row]:
    """Yield the share of the gap that ours close; all figures of a hunt go together."""
    for i, code in enumerate((*classes, "all")):
        parts = [part if code == "all" else part[i : i + 1] for part in three]
        ours, rival, most = (part.mean() for part in parts)
        drawn = [_means(part) for part in parts]
        shares = (drawn[0] - drawn[1]) / np.maximum(drawn[2] - drawn[1], 1e-9)
        low, high = np.quantile(shares, (0.025, 0.975))
        ends = {"low": float(low), "high": float(high), "n": parts[0].size}
        value = float((ours - rival) / max(most - rival, 1e-9))
        yield {**told, "class": code, "metric": "gap_closed", "value": value, **ends}


def _means(values: Floats) -> Floats:
    """Return means of resampled hunts, the same ones for values of the same shape."""
    rng = np.random.default_rng(0)
    classes, seeds = values.shape
    drawn = rng.integers(seeds, size=(_DRAWS, classes, seeds))
    means: Floats = np.take_along_axis(values[None], drawn, axis=2).mean(axis=(1, 2))
    return means
