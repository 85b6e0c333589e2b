"""Whether a validator that saw other real cells gives synthetic cells their class.

The validator is a discriminant analysis of one shrunk covariance: of another family
than the head. Half of the real cells of each class fit it; the other half is judged
beside the synthetic cells, as many of each class.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.evidence.fidelity import FEWEST
from napari_cytosynth.evidence.figures import Figure
from napari_cytosynth.evidence.sets import ALL, Floats, Rows, Sets
from napari_cytosynth.metrics.same_size import same_size, summed_up
from napari_cytosynth.metrics.scores import weighted_scores
from napari_cytosynth.synthesis.validators import NormalValidator

Agreed = dict[str, tuple[Figure, ...]]
"""Figures of each class that was made, and of all under :data:`ALL`."""

_REPEATS = 5
_Numbers = npt.NDArray[np.intp]


class _Trial:
    """One split of every class: a validator, and both sets that it judges."""

    def __init__(self, sets: Sets, known: tuple[str, ...], number: int) -> None:
        self._sets, self._known = sets, known
        rng = sets.rng("agreement", str(number))
        self._fit: list[Rows] = []
        self._judged: dict[str, tuple[Rows, Rows]] = {}
        for code in known:
            real = sets.rows(sets.real_codes, code)
            fake = sets.rows(sets.synthetic.codes, code)
            order = rng.permutation(real)
            half = len(real) // 2
            self._fit.append(order[:half])
            if len(fake):
                n = same_size(len(real), len(fake))
                self._judged[code] = order[half : half + n], rng.permutation(fake)[:n]

    def judge(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return agreement of each class, and of all, of synthetic and of real cells.

        Under ``"macro_f1"`` stands the validator's macro-F1.
        """
        sets = self._sets
        fit = np.concatenate(self._fit)
        labels = np.array(sets.real_codes)[fit]
        validator = NormalValidator(sets.real_points[fit], labels)
        real = [rows for rows, _ in self._judged.values()]
        fake = [rows for _, rows in self._judged.values()]
        return (
            self._scored(validator, sets.synthetic_points, fake),
            self._scored(validator, sets.real_points, real),
        )

    def _scored(
        self, validator: NormalValidator, points: Floats, rows: list[Rows]
    ) -> dict[str, float]:
        x = points[np.concatenate(rows)]
        shares = [validator.probability(x, code) for code in self._known]
        guesses: _Numbers = np.argmax(shares, axis=0)
        asked = [self._known.index(code) for code in self._judged]
        truth = np.repeat(np.array(asked, np.intp), [len(r) for r in rows])
        # Classes weigh the same, however many cells there are of each.
        weights = np.concatenate([np.full(len(r), 1 / len(r)) for r in rows])
        scores = weighted_scores(truth, guesses, weights[None], len(self._known))
        own = dict(zip(self._judged, scores.recall[0, asked].tolist(), strict=True))
        right = float((truth == guesses).mean())
        return own | {ALL: right, "macro_f1": float(scores.macro_f1[0])}


def measure_agreement(sets: Sets) -> Task[Agreed]:
    """Ask the validator about every class that was made.

    Parameters
    ----------
    sets : Sets
        Real and synthetic cells. Classes of fewer than ten real cells a half are not
        told apart.

    Returns
    -------
    mapping of code to tuple of Figure
        ``agreement`` of each class; of all classes that could be judged ``agreement``
        and ``macro_f1``, the mean over them. Hidden where cells are too few.
    """
    known = tuple(
        code
        for code in sets.classes
        if len(sets.rows(sets.real_codes, code)) >= 2 * FEWEST
    )
    sizes = {
        code: same_size(
            len(sets.rows(sets.real_codes, code)),
            len(sets.rows(sets.synthetic.codes, code)),
        )
        for code in sets.made
    }
    judged = [code for code in sets.made if code in known]
    if len(known) < 2 or not judged:
        return _hidden(sizes)
    made: dict[str, list[float]] = defaultdict(list)
    real: dict[str, list[float]] = defaultdict(list)
    for number in range(_REPEATS):
        yield Progress(number, _REPEATS, "asking a validator")
        for kept, found in zip(
            (made, real), _Trial(sets, known, number).judge(), strict=True
        ):
            for key, value in found.items():
                kept[key].append(value)
    agreed = _hidden(sizes)
    for code in judged:
        if sizes[code] >= FEWEST:
            beside = summed_up(made[code], real[code], sizes[code])
            agreed[code] = (Figure("agreement", beside),)
    total = sum(sizes[code] for code in judged)
    if total >= FEWEST:
        agreed[ALL] = (
            Figure("agreement", summed_up(made[ALL], real[ALL], total)),
            Figure("macro_f1", summed_up(made["macro_f1"], real["macro_f1"], total)),
        )
    return agreed


def _hidden(sizes: dict[str, int]) -> Agreed:
    why = (
        f"a validator needs two classes of {2 * FEWEST} real cells, and {FEWEST} cells "
        "to judge"
    )
    own = {
        code: (Figure("agreement", None, f"{why}; here are {n}"),)
        for code, n in sizes.items()
    }
    both = tuple(Figure(key, None, why) for key in ("agreement", "macro_f1"))
    return {**own, ALL: both}
