"""How much the embedders tell, and how fast they are.

A head is fitted on a few labelled cells of each class of the PBC pack, and tried on
others of it; the same on cells of other stains and microscopes, where sets too small
for a head are judged by nearest neighbours. The plain peer is a colour histogram.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cytosynth.bench.attributes import attribute_rows
from napari_cytosynth.bench.few_shots import (
    few_shot_scores,
    interval,
    neighbour_hits,
)
from napari_cytosynth.bench.nc_ratio import nc_ratio_rows
from napari_cytosynth.bench.pack import Pack, figure_cells
from napari_cytosynth.bench.stains import other_stains, with_enough
from napari_cytosynth.core.protocols import Crops, Embedder, Vectors
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.workflows.embed import at_hand

SHOTS = (5, 10, 20)
"""Labelled cells of each class."""

TESTED = 15
"""Cells that a class must have beyond the shots, to be scored on another stain."""

SUBJECT, BASE = "starter", "morphology"
"""Embedders whose difference is told, on the same draws and resamples."""

_EACH, _EACH_QUICK = 180, 100
_BINS = 6
_OURS = "ours"
_A_BATCH, _TURNS = 64, 5
_PLAIN = "colour histogram"

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


def run(data: Path, *, seeds: int = 3, quick: bool = False) -> list[Row]:
    """Measure all installed embedders.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    seeds : int
        Draws of the labelled cells.
    quick : bool
        Fewer cells.

    Returns
    -------
    list of dict
        Seconds a crop beside the floor (optical density and one Gaussian of the same
        crops); macro-F1 at each number of shots, and F1 of each class; the same on
        other stains; what the ``starter`` has over ``morphology``; and how well
        attributes are told in words.
    """
    pack = figure_cells(data, each=_EACH_QUICK if quick else _EACH)
    embedders = _embedders()
    rows = list(_speeds(embedders, pack.crops))
    for tried in _tried(pack, embedders, SHOTS, seeds):
        rows += tried.rows("pack_pbc128")
    gains: dict[int, list[Floats]] = {}
    others = other_stains(data)
    for name, other in others.items():
        shots = tuple(s for s in SHOTS if _classes(with_enough(other, s + TESTED)) > 1)
        if shots:
            for tried in _tried(other, embedders, shots, seeds):
                rows += tried.rows(name)
                if tried.gain is not None:
                    gains.setdefault(tried.few, []).append(tried.gain)
        else:
            rows += _neighbours(name, with_enough(other, 2), embedders)
    if SUBJECT in embedders:
        rows += attribute_rows(data, embedders[SUBJECT], pack, others)
    rows += nc_ratio_rows(data)
    for few, each in gains.items():
        # Sets count alike; each one's cells are drawn again by themselves.
        mean, told = np.mean(each, axis=0), {"shots": few, "metric": "macro-F1"}
        rows.append(_row("other stains", _difference(), mean, **told))
    return rows


def _embedders() -> Mapping[str, Callable[[Crops], Vectors]]:
    here = filter(at_hand, names("embedders"))
    made: dict[str, Embedder] = {n: load("embedders", n)() for n in here}
    return {n: e.embed for n, e in made.items()} | {_PLAIN: _histograms}


def _speeds(
    embedders: Mapping[str, Callable[[Crops], Vectors]], crops: Crops
) -> Iterator[Row]:
    floor = _seconds(_floor, crops)
    for name in sorted(embedders.keys() - {_PLAIN}):
        embedders[name](crops[:1])  # what is loaded once is not a crop's time
        took = _seconds(embedders[name], crops)
        yield {
            "case": "speed",
            "peer": "ours",
            "embedder": name,
            "metric": "time",
            "unit": "s/crop",
            "value": took / len(crops),
            "n": len(crops),
            "floor": floor / len(crops),
            "ratio": took / floor,
        }
    yield from _runtimes(embedders, crops[:_A_BATCH])


def _runtimes(
    embedders: Mapping[str, Callable[[Crops], Vectors]], crops: Crops
) -> Iterator[Row]:
    """Yield our best time of a batch beside that of other ways to run the network.

    They are taken in turn, so that other work on the machine falls on all alike.
    """
    if SUBJECT not in embedders:
        return
    from napari_cytosynth.bench._torch.runtimes import runtimes

    ways = {_OURS: embedders[SUBJECT], **runtimes()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_TURNS):
        for name, way in ways.items():
            times[name].append(_seconds(way, crops))
    ours = min(times.pop(_OURS))
    for peer, taken in times.items():
        yield {
            "case": "runtime",
            "peer": peer,
            "embedder": SUBJECT,
            "metric": "time",
            "unit": "s/crop",
            "value": ours / len(crops),
            "n": len(crops),
            "floor": min(taken) / len(crops),
            "ratio": ours / min(taken),
        }


@dataclass(frozen=True, slots=True)
class _Tried:
    """Heads on so many labels a class: scores by embedder, macro-F1 first."""

    few: int
    codes: npt.NDArray[np.str_]
    scores: Mapping[str, Floats]

    @property
    def gain(self) -> Floats | None:
        """Macro-F1 that the subject has over the base; None without both."""
        if not {SUBJECT, BASE} <= set(self.scores):
            return None
        return (self.scores[SUBJECT] - self.scores[BASE])[..., 0]

    def rows(self, dataset: str) -> Iterator[Row]:
        """Yield macro-F1, the gain, and F1 of each class."""
        tested = len(self.codes) - self.few * len(np.unique(self.codes))
        told = {"shots": self.few, "n": tested, "metric": "macro-F1"}
        for name, scores in self.scores.items():
            yield _row(dataset, name, scores[..., 0], **told)
        if self.gain is not None:
            yield _row(dataset, _difference(), self.gain, **told)
        for i, code in enumerate(np.unique(self.codes), start=1):
            n = int((self.codes == code).sum()) - self.few
            about = {"shots": self.few, "n": n, "class": str(code), "metric": "F1"}
            for name in sorted(self.scores.keys() - {_PLAIN}):
                yield _row(dataset, name, self.scores[name][..., i], **about)


def _tried(
    pack: Pack,
    embedders: Mapping[str, Callable[[Crops], Vectors]],
    shots: tuple[int, ...],
    seeds: int,
) -> Iterator[_Tried]:
    """Yield the worth of heads on one set, for each number of labels a class."""
    vectors = {name: embed(pack.crops) for name, embed in embedders.items()}
    for few in shots:
        kept = np.isin(pack.codes, with_enough(pack, few + TESTED).codes)
        codes = pack.codes[kept]
        scores = {
            name: few_shot_scores(rows[kept], codes, few, seeds)
            for name, rows in vectors.items()
        }
        yield _Tried(few, codes, scores)


def _neighbours(
    dataset: str, pack: Pack, embedders: Mapping[str, Callable[[Crops], Vectors]]
) -> Iterator[Row]:
    hits = {n: neighbour_hits(e(pack.crops), pack.codes) for n, e in embedders.items()}
    if {SUBJECT, BASE} <= set(hits):
        hits[_difference()] = hits[SUBJECT] - hits[BASE]
    for name, values in hits.items():
        told = {"case": "nearest neighbour", "metric": "accuracy"}
        yield _row(dataset, name, values, n=len(pack.codes), **told)


def _row(dataset: str, name: str, values: Floats, **about: Any) -> Row:
    value, low, high = interval(values)
    return {
        "case": "logistic head",
        "peer": "plain" if name == _PLAIN else "ours",
        "dataset": dataset,
        "embedder": name,
        "class": "all",
        "unit": "share",
        "value": value,
        "low": low,
        "high": high,
        **about,
    }


def _difference() -> str:
    return f"{SUBJECT} minus {BASE}"


def _classes(pack: Pack) -> int:
    return len(np.unique(pack.codes))


def _seconds(work: Callable[[Crops], object], crops: Crops) -> float:
    began = time.perf_counter()
    work(crops)
    return time.perf_counter() - began


def _floor(crops: Crops) -> object:
    density = -np.log((crops + 1.0) / 256).astype(np.float32)
    return ndimage.gaussian_filter(density, (0, 1, 1, 0))


def _histograms(crops: Crops) -> Vectors:
    """Return the shares of 6 x 6 x 6 colours in the middle of each crop."""
    middle = crops[:, 24:72, 24:72].astype(np.intp) * _BINS // 256
    index = (middle[..., 0] * _BINS + middle[..., 1]) * _BINS + middle[..., 2]
    rows = [np.bincount(i.ravel(), minlength=_BINS**3) for i in index]
    shares: Vectors = (np.stack(rows) / index[0].size).astype(np.float32)
    return np.sqrt(shares)
