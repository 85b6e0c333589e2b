"""How well somebody tells synthetic from real cells: d' of signal detection theory.

Rates are corrected by the log-linear rule, so that a reader who never errs has a finite
d' (Hautus 1995, doi 10.3758/BF03203619); the interval is that of Gourevitch and
Galanter 1967, doi 10.1007/BF02289402.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.metrics.intervals import Interval, wilson


@dataclass(frozen=True, slots=True)
class Answers:
    """What one reader said of cells that were shown without a word.

    Parameters
    ----------
    hits, synthetic : int
        Synthetic cells that were called synthetic, and shown; 0 <= hits <= synthetic.
    alarms, real : int
        Real cells that were called synthetic, and shown; 0 <= alarms <= real.
    """

    hits: int
    synthetic: int
    alarms: int
    real: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        for called, shown in ((self.hits, self.synthetic), (self.alarms, self.real)):
            if not 0 <= called <= shown or not shown:
                raise InputError(
                    f"{called} of {shown} cells were called synthetic. A reader is "
                    "judged by synthetic and by real cells: show one of each at least, "
                    "and count no more answers than cells."
                )

    @classmethod
    def of(cls, truth: Sequence[bool], said: Sequence[bool]) -> Answers:
        """Count answers.

        Parameters
        ----------
        truth, said : sequence of bool
            Whether each cell was synthetic, and whether the reader called it so.

        Raises
        ------
        InputError
            If they differ in length, or not both kinds of cells were shown.
        """
        if len(truth) != len(said):
            raise InputError(
                f"{len(said)} answers were given for {len(truth)} cells. Give one for "
                "each."
            )
        pairs = list(zip(truth, said, strict=True))
        synthetic = sum(bool(t) for t in truth)
        return cls(
            sum(bool(t and s) for t, s in pairs),
            synthetic,
            sum(bool(s and not t) for t, s in pairs),
            len(pairs) - synthetic,
        )

    @property
    def n(self) -> int:
        """Cells shown."""
        return self.synthetic + self.real

    @property
    def correct(self) -> int:
        """Cells that were called what they are."""
        return self.hits + self.real - self.alarms


def d_prime(answers: Answers, level: float = 0.95) -> Interval:
    """Return by how many standard deviations a reader keeps the two kinds apart.

    Parameters
    ----------
    answers : Answers
        Of one reader.
    level : float
        Confidence, 0..1.

    Returns
    -------
    Interval
        0 for one who guesses, about 1 for 69 % right answers without a leaning, 4.65
        for 99 %. Below 0: real cells were called synthetic more often.
    """
    rates = _rates(answers)
    d = _normal.inv_cdf(rates[0][0]) - _normal.inv_cdf(rates[1][0])
    half = _normal.inv_cdf(0.5 + level / 2) * sqrt(sum(_variance(*r) for r in rates))
    return Interval(d, d - half, d + half, answers.n)


def accuracy(answers: Answers, level: float = 0.95) -> Interval:
    """Return the share of right answers with Wilson's interval, 0..1.

    0.5 for one who guesses, where as many real cells as synthetic ones were shown.
    """
    return wilson(answers.correct, answers.n, level)


def leaning(answers: Answers) -> float:
    """Return the criterion c: above 0 for one who rather says "real", below the other.

    In standard deviations, as :func:`d_prime`.
    """
    (hit, _), (alarm, _) = _rates(answers)
    return -(_normal.inv_cdf(hit) + _normal.inv_cdf(alarm)) / 2


_normal = NormalDist()


def _rates(answers: Answers) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return corrected rates of hits and of false alarms, each with its cells."""
    return (
        ((answers.hits + 0.5) / (answers.synthetic + 1), answers.synthetic),
        ((answers.alarms + 0.5) / (answers.real + 1), answers.real),
    )


def _variance(rate: float, n: int) -> float:
    """Return the variance of the normal deviate of a rate from ``n`` cells."""
    return rate * (1 - rate) / (n * _normal.pdf(_normal.inv_cdf(rate)) ** 2)
