"""How a blinded reader did: over all, by class, and by way of making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from napari_cytosynth.metrics.discrimination import (
    Answers,
    accuracy,
    d_prime,
    leaning,
)
from napari_cytosynth.metrics.intervals import Interval


@dataclass(frozen=True, slots=True)
class Shown:
    """One cell of a blinded test: what it is.

    Parameters
    ----------
    synthetic : bool
        Whether it was painted.
    number : int
        Its number among the real, or the synthetic, cells of the project.
    code : str
        Its class.
    how : str
        Generator and strategy, ``"latent, variation"``; empty for a real cell.
    """

    synthetic: bool
    number: int
    code: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Discrimination:
    """How well cells were told apart.

    Parameters
    ----------
    answers : Answers
        Counts.
    accuracy : Interval
        Share of right answers, 0..1.
    d_prime : Interval
        Standard deviations between the two kinds; 0: told apart by chance only.
    leaning : float
        Above 0: one who rather says "real".
    """

    answers: Answers
    accuracy: Interval
    d_prime: Interval
    leaning: float

    @classmethod
    def of(cls, answers: Answers) -> Discrimination:
        """Measure."""
        return cls(answers, accuracy(answers), d_prime(answers), leaning(answers))


@dataclass(frozen=True, slots=True)
class ReaderResult:
    """What a finished test says.

    Parameters
    ----------
    test, reader, time : str
        Key of the test, who read, and when it ended (ISO 8601, UTC).
    over_all : Discrimination
        On all cells.
    by_class, by_strategy : mapping of str to Discrimination
        A strategy's synthetic cells are held against the real ones of their classes.
    """

    test: str
    reader: str
    time: str
    over_all: Discrimination
    by_class: Mapping[str, Discrimination]
    by_strategy: Mapping[str, Discrimination]

    @property
    def sentence(self) -> str:
        """Say it in words, with intervals."""
        told, d = self.over_all.accuracy, self.over_all.d_prime
        if d.low > 0:
            words = "synthetic cells are told from real ones"
        elif d.high < 0:
            words = "real cells are taken for synthetic ones"
        else:
            words = "not told apart better than by chance, as far as so few can show"
        return (
            f"{told.value:.0%} right [{told.low:.0%}, {told.high:.0%}], d' "
            f"{d.value:.2f} [{d.low:.2f}, {d.high:.2f}], n = {d.n}: {words}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {
            "test": self.test,
            "reader": self.reader,
            "time": self.time,
            "sentence": self.sentence,
            "over_all": asdict(self.over_all),
            "by_class": {k: asdict(v) for k, v in self.by_class.items()},
            "by_strategy": {k: asdict(v) for k, v in self.by_strategy.items()},
        }


def score(
    cells: Sequence[Shown], called: Sequence[bool], who: tuple[str, str, str]
) -> ReaderResult:
    """Score a finished test.

    Parameters
    ----------
    cells : sequence of Shown
        What was shown, real and synthetic cells of each class.
    called : sequence of bool
        Whether the reader called each synthetic.
    who : tuple of str
        Test, reader and time.

    Raises
    ------
    InputError
        If not both kinds were shown, or an answer is missing.
    """
    pairs = list(zip(cells, called, strict=True))

    def part(keep: Sequence[tuple[Shown, bool]]) -> Discrimination:
        truth = [cell.synthetic for cell, _ in keep]
        return Discrimination.of(Answers.of(truth, [said for _, said in keep]))

    codes = sorted({cell.code for cell in cells})
    ways = sorted({cell.how for cell in cells if cell.synthetic})
    of_way = {
        how: {c.code for c in cells if c.synthetic and c.how == how} for how in ways
    }
    return ReaderResult(
        *who,
        part(pairs),
        {code: part([p for p in pairs if p[0].code == code]) for code in codes},
        {
            how: part(
                [
                    (cell, said)
                    for cell, said in pairs
                    if (cell.how == how if cell.synthetic else cell.code in of_way[how])
                ]
            )
            for how in ways
        },
    )
