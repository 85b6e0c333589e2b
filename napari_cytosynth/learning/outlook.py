"""What is said of further labels: forecasts as numbers and as plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from napari_cytosynth.core.splits import NOT_YET
from napari_cytosynth.metrics.intervals import Interval

LITTLE = 0.02
"""A gain in recall that is not worth labels."""

LEVEL = 0.8
"""Of the intervals of gains, as of the use gate's bound: one forecast in ten that says
"would raise" may be wrong."""

ALL = ""
"""Code that stands for all classes together."""


class Source(StrEnum):
    """Which cells a forecast was tried on."""

    AUDIT = "audit cells"
    CROSS = "labels held out"


class Outlook(StrEnum):
    """What a forecast says."""

    RISES = "rises"
    FLAT = "flat"
    UNCLEAR = "unclear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What more labels would bring to one class.

    Parameters
    ----------
    code : str
        The class; empty: the accuracy on audit cells or, under ten of them, the mean
        recall of the classes that can be forecast.
    outlook : Outlook
        UNKNOWN: fewer than ten cells to try it on. UNCLEAR: the interval of the gain
        allows for none, or for none worth labels. FLAT: the interval leaves no gain
        worth labels.
    n : int
        Cells of the class that it was tried on.
    source : Source
        Which those were. Labels held out were chosen by the ranking: hard ones among
        them, so that their recall is no figure of a slide.
    more : int
        Further labels that the figures are for, like those given.
    now, then : Interval or None
        Recall with the labels there are, and with ``more``; 95 % intervals. Those of
        labels held out are too narrow, as folds learn from each other (Bengio and
        Grandvalet 2004, JMLR 5).
    gain : Interval or None
        ``then - now``, with its 80 % interval.
    rest : Interval or None
        What twice the labels there are would bring beyond that, with its 80 % interval;
        None where ``more`` is as many already.
    classes : int
        Of a mean recall, classes that it covers.
    """

    code: str
    outlook: Outlook = Outlook.UNKNOWN
    n: int = 0
    source: Source = Source.CROSS
    more: int = 0
    now: Interval | None = None
    then: Interval | None = None
    gain: Interval | None = None
    rest: Interval | None = None
    classes: int = 0

    def __str__(self) -> str:
        known = None not in (self.now, self.then, self.gain)
        return _sentence(self) if known else self._unknown()

    @property
    def what(self) -> str:
        """The figure: ``"recall of MMY"``."""
        if self.code:
            return f"recall of {self.code}"
        if self.classes:
            return f"the mean recall of {self.classes} classes"
        return "the accuracy"

    def _unknown(self) -> str:
        return f"What more labels would bring to {self.what} {NOT_YET} (n = {self.n})."

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            **asdict(self),
            "outlook": str(self.outlook),
            "source": str(self.source),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Forecast:
        """Build a forecast from what :meth:`to_json` wrote."""
        figures = {
            key: None if value[key] is None else Interval(**value[key])
            for key in ("now", "then", "gain", "rest")
        }
        kinds = {
            "outlook": Outlook(value["outlook"]),
            "source": Source(value["source"]),
        }
        return cls(**{**value, **figures, **kinds})


def _sentence(forecast: Forecast) -> str:
    now, then, gain = forecast.now, forecast.then, forecast.gain
    assert now is not None
    assert then is not None
    assert gain is not None
    more, what = f"{forecast.more} more labels", forecast.what
    spread = f"{gain.low:+.2f} to {gain.high:+.2f}"
    on = f"80 % interval, n = {forecast.n} {forecast.source}"
    if forecast.outlook is Outlook.FLAT:
        return (
            f"More labels bring little to {what}: it is {now.value:.2f}, and {more} "
            f"would change it by {spread} ({on})."
        )
    if forecast.outlook is Outlook.UNCLEAR:
        worth = f" by more than {LITTLE}" if gain.low > 0 else ""
        return (
            f"Whether {more} would raise {what}{worth} cannot be told yet: it is "
            f"{now.value:.2f}, and they would change it by {spread} ({on})."
        )
    return (
        f"About {more} would raise {what} from {now.value:.2f} to {then.value:.2f} "
        f"(gain {spread}, {on}); {_beyond(forecast)}."
    )


def _beyond(forecast: Forecast) -> str:
    rest = forecast.rest
    if rest is None:
        return "what more than that brings was not looked at"
    if rest.high <= 2 * LITTLE:
        return "more than that brings little"
    if rest.low > 0:
        return "more than that brings more"
    return "what more than that brings cannot be told yet"


def judged(gains: Sequence[Interval]) -> tuple[Outlook, int]:
    """Judge the gains of ever more labels, and say which of them is to be told.

    Parameters
    ----------
    gains : sequence of Interval
        One for each number of further labels, least first, with 80 % intervals.

    Returns
    -------
    Outlook, int
        What they say, and the place of the gain that says so. First judged are the
        least labels that bring all but :data:`LITTLE` of what the most bring. Where
        these leave it open, the most are judged: what is told is what was judged.
    """
    last = len(gains) - 1
    whole = gains[last]
    least = next(i for i, g in enumerate(gains) if g.value >= whole.value - LITTLE)
    if _rises(gains[least]):
        return Outlook.RISES, least
    if whole.high <= 2 * LITTLE:
        return Outlook.FLAT, last
    return (Outlook.RISES if _rises(whole) else Outlook.UNCLEAR), last


def _rises(gain: Interval) -> bool:
    return gain.low > 0 and gain.value > LITTLE


@dataclass(frozen=True, slots=True)
class Stopping:
    """What was found of all classes.

    Parameters
    ----------
    forecasts : tuple of Forecast
        Of all classes together first, then one a class of the labels.
    labels : int
        Labels of the training split that it rests on.
    caveat : str
        What limits it; empty where nothing does.
    """

    forecasts: tuple[Forecast, ...] = ()
    labels: int = 0
    caveat: str = ""

    @property
    def sentence(self) -> str:
        """The one that says most: the surest gain of a class, else the mean's.

        It names the classes of which nothing can be said.
        """
        return " ".join(filter(None, (self._main(), self._untold())))

    def sentences(self) -> Iterator[str]:
        """Yield :attr:`sentence`, then those of the forecasts that it does not hold."""
        first = self.sentence
        yield first
        yield from (str(f) for f in self.forecasts if str(f) not in first)

    def _untold(self) -> str:
        unknown = [f.code for f in self.forecasts if f.outlook is Outlook.UNKNOWN]
        if not unknown or len(unknown) == len(self.forecasts):
            return ""
        return f"Of {', '.join(unknown)} it {NOT_YET}."

    def _main(self) -> str:
        if not self.forecasts:
            return f"What more labels would bring {NOT_YET} (n = {self.labels})."
        whole, *classes = self.forecasts
        rising = [f for f in classes if f.outlook is Outlook.RISES and f.gain]
        if not rising:
            return str(whole)
        return str(max(rising, key=lambda f: f.gain.low if f.gain else 0.0))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        rows = [forecast.to_json() for forecast in self.forecasts]
        return {"forecasts": rows, "labels": self.labels, "caveat": self.caveat}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stopping:
        """Build it from what :meth:`to_json` wrote."""
        rows = tuple(Forecast.from_json(row) for row in value["forecasts"])
        return cls(rows, value["labels"], value["caveat"])
