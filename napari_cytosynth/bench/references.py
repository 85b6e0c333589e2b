"""The same figures by other people's code, or as plainly as they can be written.

``prdc`` and ``vendi_score`` come with the extras ``[bench]`` and ``[dev]``; what is not
installed is left out. Where no package computes a figure without torch, scikit-learn
and SciPy do the work, and the formula stands here; a procedure has a twin that goes
through all cases one by one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from math import floor

import numpy as np
import numpy.typing as npt
from scipy import linalg, stats
from scipy.spatial.distance import pdist
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.neighbors import NearestNeighbors

Floats = npt.NDArray[np.float64]
K = 5
"""Neighbours that span a neighbourhood."""

LEAST = 8
"""Held-out and synthetic objects without which a region is not judged."""


@dataclass(frozen=True)
class Clouds:
    """What figures are compared on.

    Parameters
    ----------
    train, test, fake : float64[n, dim], float64[h, dim], float64[m, dim]
        Real training and held-out objects, and synthetic ones.
    centres : float64[r, dim]
        Of the regions of the data-copying test.
    truth, guesses : intp[m]
        Classes asked for, and what some validator said; the last class it never says.
    chances : float64[m]
        How likely it held the first class, with ties.
    counts : float64[m]
        How often each object was drawn in one resample.
    p : float64[k]
        Of several questions, not corrected.
    runs : float64[seeds, repeats + 1]
        A figure of each seed as it is, and under resamples.
    again : intp[repeats, seeds]
        Seeds that were drawn again in each resample.
    """

    train: Floats
    test: Floats
    fake: Floats
    centres: Floats
    truth: npt.NDArray[np.intp]
    guesses: npt.NDArray[np.intp]
    chances: Floats
    counts: Floats
    p: Floats
    runs: Floats
    again: npt.NDArray[np.integer]


@dataclass(frozen=True)
class Reference:
    """Who computes which figures, and how."""

    peer: str
    package: str
    cases: tuple[str, ...]
    figures: Callable[[Clouds], Mapping[str, float]]

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return find_spec(self.package) is not None

    @property
    def absence(self) -> str:
        """Why nothing was compared, and the way out."""
        return f"not run: {self.peer} is not installed; pip install '.[bench]'"


def _prdc(clouds: Clouds) -> Mapping[str, float]:
    from prdc import compute_prdc

    with redirect_stdout(io.StringIO()):  # it reports the sizes
        found = compute_prdc(clouds.train, clouds.fake, nearest_k=K)
    return {key: float(value) for key, value in found.items()}


def _vendi(clouds: Clouds) -> Mapping[str, float]:
    from vendi_score import vendi

    return {"vendi": float(vendi.score_dual(clouds.fake))}


def _matrix_root(clouds: Clouds) -> Mapping[str, float]:
    a, b = clouds.train, clouds.fake
    one, other = np.cov(a.T), np.cov(b.T)
    root = np.real(linalg.sqrtm(one @ other))
    apart = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return {"fd": float(apart + np.trace(one + other - 2 * root))}


def _kernels(clouds: Clouds) -> Mapping[str, float]:
    a, b = clouds.train, clouds.fake
    width = np.sqrt((pdist(a) ** 2).mean())

    def cubic(x: Floats, y: Floats) -> Floats:
        return np.asarray(polynomial_kernel(x, y, degree=3, coef0=1))

    def gaussian(x: Floats, y: Floats) -> Floats:
        return np.asarray(rbf_kernel(x, y, gamma=1 / (2 * width**2)))

    return {"kd": _unbiased(cubic, a, b), "cmmd": _unbiased(gaussian, a, b)}


def _unbiased(
    kernel: Callable[[Floats, Floats], Floats], a: Floats, b: Floats
) -> float:
    own = [k.sum() - np.trace(k) for k in (kernel(a, a), kernel(b, b))]
    pairs = [len(x) * (len(x) - 1) for x in (a, b)]
    within = own[0] / pairs[0] + own[1] / pairs[1]
    return float(within - 2 * kernel(a, b).mean())


def _neighbours(clouds: Clouds) -> Mapping[str, float]:
    known = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(clouds.train)
    away, rows = known.kneighbors(clouds.fake)
    # Without queries scikit-learn leaves each object itself out.
    between = known.kneighbors(n_neighbors=1)[0][:, 0]
    return {
        "third_rule": float((away[:, 0] < away[:, 1] / 3).mean()),
        "authenticity": float((away[:, 0] > between[rows[:, 0]]).mean()),
    }


def _ranks(clouds: Clouds) -> Mapping[str, float]:
    """C_T region by region, as Meehan et al. define it, without ties."""
    place = NearestNeighbors(n_neighbors=1).fit(clouds.centres)
    regions = [
        place.kneighbors(x, return_distance=False)[:, 0]
        for x in (clouds.train, clouds.test, clouds.fake)
    ]
    scores, weights = [], []
    for region in range(len(clouds.centres)):
        own, held, made = (
            x[p == region]
            for x, p in zip(
                (clouds.train, clouds.test, clouds.fake), regions, strict=True
            )
        )
        n, m = len(held), len(made)
        if not len(own) or min(n, m) < LEAST:
            continue
        known = NearestNeighbors(n_neighbors=1).fit(own)
        lengths = [known.kneighbors(x)[0][:, 0] for x in (made, held)]
        u = float(stats.mannwhitneyu(*lengths).statistic)
        scores.append((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))
        weights.append(n)
    return {"c_t": float(np.average(scores, weights=weights))}


def _classes(clouds: Clouds) -> Mapping[str, float]:
    counts = np.bincount(clouds.truth)
    weights = 1 / counts[clouds.truth]
    given = {"average": "macro", "zero_division": 0.0}
    return {
        "agreement": float(recall_score(clouds.truth, clouds.guesses, **given)),
        "macro_f1": float(
            f1_score(clouds.truth, clouds.guesses, sample_weight=weights, **given)
        ),
        "class_precision": float(
            precision_score(clouds.truth, clouds.guesses, **given)
        ),
        "pr_auc": float(
            average_precision_score(
                clouds.truth == 0, clouds.chances, sample_weight=clouds.counts
            )
        ),
    }


def _wilson(clouds: Clouds) -> Mapping[str, float]:
    right = int((clouds.truth == clouds.guesses).sum())
    found = stats.binomtest(right, len(clouds.truth)).proportion_ci(method="wilson")
    return {"wilson_low": float(found.low), "wilson_high": float(found.high)}


def _signals(clouds: Clouds) -> Mapping[str, float]:
    """D' of telling the first class from the others, and the end of its interval."""
    there, called = clouds.truth == 0, clouds.guesses == 0
    d, variance = 0.0, 0.0
    for side, sign in ((there, 1), (~there, -1)):
        n = int(side.sum())
        rate = (int((called & side).sum()) + 0.5) / (n + 1)
        d += sign * stats.norm.ppf(rate)
        variance += rate * (1 - rate) / (n * stats.norm.pdf(stats.norm.ppf(rate)) ** 2)
    return {
        "d_prime": float(d),
        "d_prime_low": float(stats.norm(d, np.sqrt(variance)).ppf(0.025)),
    }


def _closed_testing(clouds: Clouds) -> Mapping[str, float]:
    """Correct each p by every family that it is of, each judged by Bonferroni's rule.

    Marcus, Peritz and Gabriel 1976 (Biometrika 63, 655-660); of that rule it is Holm's.
    """
    p = clouds.p.tolist()
    found = [0.0] * len(p)
    for size in range(1, len(p) + 1):
        for family in combinations(range(len(p)), size):
            least = min(1.0, size * min(p[number] for number in family))
            for number in family:
                found[number] = max(found[number], least)
    # One number in which no two p can change places unseen.
    return {"holm": sum(rank * value for rank, value in enumerate(found, 1))}


def _resampling(clouds: Clouds) -> Mapping[str, float]:
    """Mean and ends of a two-level bootstrap, resample by resample."""
    means = []
    for number, seeds in enumerate(clouds.again.tolist(), 1):
        drawn = [float(clouds.runs[seed, number]) for seed in seeds]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    ends = {}
    for end, share in (("low", 0.025), ("high", 0.975)):
        place = share * (len(means) - 1)
        below = floor(place)
        step = means[below + 1] - means[below]
        ends[f"two_level_{end}"] = means[below] + (place - below) * step
    return ends


REFERENCES = (
    Reference("scipy.linalg.sqrtm", "scipy", ("fd",), _matrix_root),
    Reference("sklearn.metrics.pairwise", "sklearn", ("kd", "cmmd"), _kernels),
    Reference("prdc", "prdc", ("precision", "recall", "density", "coverage"), _prdc),
    Reference("vendi-score", "vendi_score", ("vendi",), _vendi),
    Reference(
        "sklearn.neighbors", "sklearn", ("third_rule", "authenticity"), _neighbours
    ),
    Reference("sklearn.neighbors and scipy.stats", "sklearn", ("c_t",), _ranks),
    Reference(
        "sklearn.metrics",
        "sklearn",
        ("agreement", "macro_f1", "class_precision", "pr_auc"),
        _classes,
    ),
    Reference("scipy.stats.binomtest", "scipy", ("wilson_low", "wilson_high"), _wilson),
    Reference("scipy.stats.norm", "scipy", ("d_prime", "d_prime_low"), _signals),
    Reference("closed testing", "numpy", ("holm",), _closed_testing),
    Reference(
        "resample by resample",
        "numpy",
        ("two_level_low", "two_level_high"),
        _resampling,
    ),
)
"""Who is asked for which figures."""
