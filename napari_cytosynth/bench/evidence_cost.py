"""What figures of the evidence cost at 5,000 by 5,000 cells, each in its own process.

The floor is one blocked matrix product of all pairs, which no figure here can do
without; memory is what the process held at most beyond the vectors themselves.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from napari_cytosynth.bench.memory import most_held
from napari_cytosynth.bench.planted import labelled
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.evidence.agreement import measure_agreement
from napari_cytosynth.evidence.fidelity import measure_fidelity
from napari_cytosynth.evidence.memorisation import measure_memorisation
from napari_cytosynth.evidence.sets import ALL, Sets, SyntheticSet
from napari_cytosynth.metrics.copying import authenticity, third_rule
from napari_cytosynth.metrics.coverage import coverage
from napari_cytosynth.metrics.data_copying import data_copying
from napari_cytosynth.metrics.divergence import gaussian_distance, kernel_distance
from napari_cytosynth.metrics.frechet import frechet_distance
from napari_cytosynth.metrics.neighbours import blocks, nearest
from napari_cytosynth.metrics.vendi import vendi_score

DIM = 384
"""Length of the vectors: that of the default embedder."""

WHOLE = "inspection"
"""Case of all figures of eleven classes and over all of them."""

_CLASSES, _HELD_OUT = 11, 0.3


@dataclass(frozen=True, slots=True)
class Cost:
    """What one figure took.

    Parameters
    ----------
    seconds, floor : float
        By the clock, of the figure and of the floor.
    cpu : float
        Seconds of the processor, of all threads: steadier beside other work.
    peak : float
        MiB beyond the vectors.
    """

    seconds: float
    floor: float
    cpu: float
    peak: float


def cost_rows(n: int) -> Iterator[dict[str, Any]]:
    """Yield seconds and memory of each figure of ``n`` real and ``n`` other cells."""
    for case in (*_FIGURES, WHOLE):
        cost = _apart(case, n)
        common = {
            "case": case,
            "dataset": "made up",
            "size": f"{n} x {n}, {DIM} dimensions",
            "n": n,
        }
        yield {
            **common,
            "metric": "time",
            "unit": "s",
            "value": cost.seconds,
            "floor": cost.floor,
            "ratio": cost.seconds / cost.floor,
        }
        yield {**common, "metric": "cpu", "unit": "s", "value": cost.cpu}
        yield {**common, "metric": "peak", "unit": "MiB", "value": cost.peak}


def _apart(case: str, n: int) -> Cost:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(cost_of, case, n).result()


def cost_of(case: str, n: int) -> Cost:
    """Return what one figure costs in this process."""
    rng = np.random.default_rng(0)
    real, fake = (rng.standard_normal((n, DIM), dtype=np.float32) for _ in range(2))
    work = _FIGURES.get(case, _inspect)
    # What the libraries load when first called is no part of the figure.
    work(real[: DIM + 50], fake[: DIM + 50])
    held = psutil.Process().memory_info().rss
    used = time.process_time()
    seconds = _seconds(work, real, fake)
    used = time.process_time() - used
    peak = max(most_held() - held, 0) / 2**20
    return Cost(seconds, _seconds(_product, real, fake), used, peak)


def _seconds(
    work: Callable[[Vectors, Vectors], object], a: Vectors, b: Vectors
) -> float:
    start = time.perf_counter()
    work(a, b)
    return time.perf_counter() - start


def _product(a: Vectors, b: Vectors) -> None:
    first, second = a.astype(np.float64), b.astype(np.float64)
    for rows in blocks(len(first), len(second)):
        first[rows] @ second.T


def _third(real: Vectors, fake: Vectors) -> object:
    return third_rule(nearest(fake, real, 2)[0])


def _copying(real: Vectors, fake: Vectors) -> object:
    cut = int(len(real) * (1 - _HELD_OUT))
    return data_copying(real[:cut], real[cut:], fake, real[:10])


def _inspect(real: Vectors, fake: Vectors) -> None:
    codes = tuple(f"C{i:02}" for i in range(_CLASSES))
    cut = int(len(real) * (1 - _HELD_OUT))
    train, held_out = (
        labelled({c: part[i::_CLASSES] for i, c in enumerate(codes)}, first)
        for part, first in ((real[:cut], 1), (real[cut:], cut + 1))
    )
    made = labelled({c: fake[i::_CLASSES] for i, c in enumerate(codes)}, 1)
    synthetic = SyntheticSet(made.ids, made.codes, made.vectors)
    sets = Sets(train, held_out, synthetic, codes)
    run_to_end(measure_agreement(sets))
    for code in (*sets.made, ALL):
        run_to_end(measure_fidelity(sets, code))
    run_to_end(measure_memorisation(sets))


_FIGURES: dict[str, Callable[[Vectors, Vectors], object]] = {
    "fd": frechet_distance,
    "kd": kernel_distance,
    "cmmd": gaussian_distance,
    "precision, recall, density, coverage": coverage,
    "vendi": lambda _, fake: vendi_score(fake),
    "third_rule": _third,
    "authenticity": lambda real, fake: authenticity(fake, real),
    "c_t": _copying,
}
