"""A plane on which cells that look alike lie near each other: for the eye alone.

Some hundred landmarks are laid out by t-SNE (van der Maaten 2014, JMLR 15, 3221-3245,
as scikit-learn has it), and every other cell lies between those that it resembles. So
a hundred thousand cells take seconds, and cells that come later find their place on
the plane that is there. Distances on it measure nothing; no figure rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.learning.space import PoolSpace, farthest_first
from napari_cytosynth.metrics.neighbours import nearest

LANDMARKS = 1500
"""Cells that t-SNE lays out at most."""

_APART = 1 / 3
"""Share of landmarks chosen far from all others, so that rare cells have some."""

SAMPLE = 6000
"""Cells that a layout is made of at most."""

_WITHIN = 0.95
_STEPS = 500
_PERPLEXITY = 30.0
_NEIGHBOURS = 4
_BLOCK = 8192

Places = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where landmarks lie, by what they look like.

    Parameters
    ----------
    space : PoolSpace
        Measures how cells look.
    landmarks : float32[m, k]
        In that space.
    places : float32[m, 2]
        On the plane, 0..1.
    reach : float
        Distance from the nearest landmark beyond which one cell in twenty lies.
    """

    space: PoolSpace
    landmarks: npt.NDArray[np.float32]
    places: Places
    reach: float

    @classmethod
    def fit(cls, vectors: npt.NDArray[np.float32], rng: np.random.Generator) -> Layout:
        """Choose landmarks among embedding vectors and lay them out.

        Parameters
        ----------
        vectors : float32[n, dim]
            Finite; at least one.
        rng : numpy.random.Generator
            Chooses the landmarks.
        """
        some = rng.permutation(len(vectors))[:SAMPLE]
        sample = vectors[np.sort(some)]
        space = PoolSpace.fit(sample)
        points = space.apply(sample)
        landmarks = points[_landmarks(points, rng)]
        places = _within_unit(_laid_out(landmarks))
        # Those drawn evenly come first; the others were chosen for being far.
        away = nearest(landmarks, landmarks, 1, leave_out_self=True)[0]
        even = away[: max(round(len(away) * (1 - _APART)), 1)]
        reach = float(np.quantile(even, _WITHIN)) if even.size else np.inf
        return cls(space, landmarks, places, reach)

    @property
    def complete(self) -> bool:
        """Whether there are as many landmarks as there ever are."""
        return len(self.landmarks) >= LANDMARKS

    def strangers(self, vectors: npt.NDArray[np.float32]) -> int:
        """Return how many cells lie beyond the reach of all landmarks.

        Of cells like those that it was made of, one in twenty.
        """
        points = self.space.apply(vectors)
        return int((nearest(points, self.landmarks, 1)[0][:, 0] > self.reach).sum())

    def place(self, vectors: npt.NDArray[np.float32]) -> Iterator[Places]:
        """Yield float32[block, 2] for the vectors, block by block.

        A cell lies at the mean of the landmarks that it resembles most, each weighted
        by one over its squared distance.
        """
        from sklearn.neighbors import NearestNeighbors

        k = min(_NEIGHBOURS, len(self.landmarks))
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(self.landmarks)
        for at in range(0, len(vectors), _BLOCK):
            away, near = search.kneighbors(self.space.apply(vectors[at : at + _BLOCK]))
            weight = 1 / np.maximum(away**2, 1e-9)
            weight /= weight.sum(axis=1, keepdims=True)
            yield (
                (self.places[near] * weight[:, :, None]).sum(axis=1).astype(np.float32)
            )


def _landmarks(
    points: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return rows: most of them drawn evenly, the others far from those."""
    if len(points) <= LANDMARKS:
        return np.arange(len(points))
    order = rng.permutation(len(points))
    even = order[: round(LANDMARKS * (1 - _APART))]
    rest = order[len(even) :]
    apart, _ = farthest_first(
        points[rest],
        LANDMARKS - len(even),
        worth=np.ones(len(rest)),
        known=points[even],
    )
    return np.concatenate([even, rest[apart]])


def _laid_out(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return float64[m, 2]; of very few points their two main axes."""
    flat = np.zeros((len(points), 2))
    flat[:, : points.shape[1]] = points[:, :2]
    if len(points) < 8:
        return flat
    from sklearn.manifold import TSNE

    spread = flat.std(axis=0)[0]
    start = flat / spread * 1e-4 if spread > 0 else flat
    laid: npt.NDArray[np.float64] = TSNE(
        perplexity=min(_PERPLEXITY, (len(points) - 1) / 3),
        init=start.astype(np.float32),
        max_iter=_STEPS,
        random_state=0,
    ).fit_transform(points)
    return laid


def _within_unit(places: npt.NDArray[np.float64]) -> Places:
    """Move and shrink places into 0..1, both axes alike."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    unit: Places = ((places - middle) / size + 0.5).astype(np.float32)
    return unit
