"""Scores a head on real test cells, strictly and along the maturation line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.splits import MIN_GROUPS
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.study import Floats, Key
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.metrics.scores import (
    Scores,
    average_precisions,
    draw_group_counts,
    weighted_scores,
)

REPEATS = 2000
"""Resamples of the test cells: p goes down to 0.001 before it is corrected."""

GAINS = ("macro_f1", "recall")
"""What is also told as a gain over the class weights."""

Numbers = npt.NDArray[np.intp]


class Jury:
    """The test cells of one deal, under one set of resamples for every head.

    Parameters
    ----------
    deal : Deal
        Gives the test cells; they are real.
    taxonomy : Taxonomy
        Knows which classes are neighbours on the maturation line.
    """

    def __init__(self, deal: Deal, taxonomy: Taxonomy) -> None:
        self._deal = deal
        self._classes = deal.classes
        self._near = self._neighbours(taxonomy)

    def _neighbours(self, taxonomy: Taxonomy) -> npt.NDArray[np.bool_]:
        near = [
            [b in taxonomy[a].neighbours for b in self._classes] for a in self._classes
        ]
        return np.array(near, bool)

    @cached_property
    def _truth(self) -> Numbers:
        return np.asarray(
            np.searchsorted(self._classes, self._deal.test.codes), np.intp
        )

    @cached_property
    def _weights(self) -> Floats:
        test = self._deal.test
        rng = np.random.default_rng([self._deal.seed, len(self._truth)])
        codes = np.asarray(test.codes, np.str_)
        # Whole groups alone would leave no doubt where a class has hardly any.
        few = any(
            len(np.unique(test.groups[codes == code])) < MIN_GROUPS
            for code in self._classes
        )
        return draw_group_counts(test.groups, REPEATS, rng, within=few)

    def tried(
        self, case: str, setting: str, training: TrainingSet
    ) -> dict[Key, Floats]:
        """Fit a logistic head and score it; see :meth:`judge`."""
        head = fit_head(training, folds=0)
        chances = head.predict_proba(self._deal.test.vectors)
        return self.judge(
            case, setting, chances_of(head.codes_, chances, self._classes)
        )

    def judge(self, case: str, setting: str, chances: Floats) -> dict[Key, Floats]:
        """Score a head.

        Parameters
        ----------
        case, setting : str
            Begin the keys.
        chances : float64[n, classes]
            Of each test cell, by class in sorted order.

        Returns
        -------
        dict of Key to float64[REPEATS + 1]
            As it is, then under resamples.
        """
        guesses = np.asarray(chances.argmax(axis=1), np.intp)
        strict = self._scores(guesses)
        # A neighbour on the maturation line is no error of a tolerant reader.
        near = self._near[self._truth, guesses]
        tolerant = self._scores(np.where(near, self._truth, guesses))
        found: dict[Key, Floats] = {
            (case, setting, "macro_f1", ""): strict.macro_f1,
            (case, setting, "tolerant_macro_f1", ""): tolerant.macro_f1,
        }
        for code in self._deal.rare:
            at = self._classes.index(code)
            found[case, setting, "recall", code] = strict.recall[:, at]
            found[case, setting, "precision", code] = strict.precision[:, at]
            found[case, setting, "tolerant_recall", code] = tolerant.recall[:, at]
            found[case, setting, "pr_auc", code] = average_precisions(
                self._truth == at, chances[:, at], self._weights
            )
        return found

    def _scores(self, guesses: Numbers) -> Scores:
        return weighted_scores(self._truth, guesses, self._weights, len(self._classes))


def with_gains(found: dict[Key, Floats], base: str) -> dict[Key, Floats]:
    """Add what each case gains over a control, on the same resamples.

    Parameters
    ----------
    found : dict of Key to float64[REPEATS + 1]
        Of one run.
    base : str
        Case of the control; its ratio is empty.
    """
    gains = {
        (case, setting, f"{metric}_gain", code): values - found[base, "", metric, code]
        for (case, setting, metric, code), values in found.items()
        if metric in GAINS and case != base
    }
    return found | gains


def chances_of(
    codes: Sequence[str], chances: npt.NDArray[np.floating], classes: Sequence[str]
) -> Floats:
    """Return float64[n, classes]: columns by ``classes``, 0 for one never trained."""
    out = np.zeros((len(chances), len(classes)))
    for column, code in enumerate(codes):
        out[:, classes.index(code)] = chances[:, column]
    return out
