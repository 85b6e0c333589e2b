"""A pool on which games are played, and where finished ones are kept.

All games of a full run take hours. Kept on disk one by one, a run that was cut short
goes on where it stopped; after a change of a strategy its games are to be deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.annotators import (
    Codes,
    Game,
    Picker,
    Played,
    area,
    ceiling,
    labels_to,
    play,
)
from napari_cytosynth.core.protocols import Vectors
from napari_cytosynth.core.taxonomy import Taxonomy

METRICS = ("labels_to_95", "aulc", "pool_share_to_96_accuracy")

REACHED = 0.95
ACCURACY = 0.96
"""Labels to this accuracy are told as a share of the pool."""

Name = tuple[str, str]
"""Peer and case."""

Floats = npt.NDArray[np.float64]
Figures = Floats
"""float64[seeds, metrics], in the order of :data:`METRICS`."""


@dataclass(frozen=True)
class Entrant:
    """Who plays: a name, how it picks, and the share of labels that are wrong."""

    name: Name
    picker: Picker
    noise: float = 0.0


@dataclass(frozen=True)
class Course:
    """A pool with its vectors, and how far it is labelled.

    Parameters
    ----------
    told : mapping
        Columns that all rows share: dataset and embedder.
    vectors, codes : float32[n, dim], str[n]
        The cells.
    taxonomy : Taxonomy
        Knows their codes.
    budget : int
        Labels at most.
    keep : Path, optional
        Folder for finished games.
    """

    told: Mapping[str, str]
    vectors: Vectors
    codes: Codes
    taxonomy: Taxonomy
    budget: int
    keep: Path | None = None

    def figures(self, entrant: Entrant, seeds: Sequence[int]) -> Figures:
        """Play one game a seed."""
        return np.stack([self._figures(entrant, seed) for seed in seeds])

    def game(self, seed: int, noise: float = 0.0) -> Game:
        """Deal the cells."""
        return Game.deal(self.vectors, self.codes, self.taxonomy, seed, noise)

    def played(self, entrant: Entrant, seed: int) -> Played:
        """Play a game, or read the one that is kept."""
        game = self.game(seed, entrant.noise)
        path = self._path(*entrant.name, f"{entrant.noise:g}", str(seed))
        return self._at(path, lambda: play(game, entrant.picker, self.budget))

    def labels_needed(self, entrant: Entrant, seed: int) -> int:
        """Play until the first figure is known, and return it."""
        game = self.game(seed, entrant.noise)
        goal = REACHED * ceiling(game)[0]
        path = self._path(*entrant.name, f"{entrant.noise:g}", str(seed), "goal")
        played = self._at(
            path, lambda: play(game, entrant.picker, self.budget, until=goal)
        )
        return labels_to(played.curve, goal, len(game.codes))

    def _at(self, path: Path | None, make: Callable[[], Played]) -> Played:
        """Return what is kept at a place, else make and keep it."""
        if path is not None and path.is_file():
            with np.load(path, allow_pickle=False) as found:
                return Played(found["curve"], found["labelled"])
        made = make()
        if path is not None:
            _save(path, made)
        return made

    def _figures(self, entrant: Entrant, seed: int) -> Floats:
        curve = self.played(entrant, seed).curve
        game = self.game(seed, entrant.noise)
        goal, pool = REACHED * ceiling(game)[0], len(game.codes)
        accurate = labels_to(curve, ACCURACY, pool, column=2) / pool
        return np.array([labels_to(curve, goal, pool), area(curve), accurate])

    def _path(self, *parts: str) -> Path | None:
        if self.keep is None:
            return None
        size = f"{len(self.codes)}x{self.budget}"
        return self.keep / ("_".join([*self.told.values(), size, *parts]) + ".npz")


def _save(path: Path, played: Played) -> None:
    """Write a game; a name that stands has a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    with half.open("wb") as stream:
        np.savez(stream, curve=played.curve, labelled=played.labelled)
    half.replace(path)
