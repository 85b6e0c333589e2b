"""What an inspection of synthetic cells found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import napari_cytosynth
from napari_cytosynth.core.journal import Journal, now
from napari_cytosynth.evidence.figures import Fidelity
from napari_cytosynth.evidence.findings import Finding, findings_of
from napari_cytosynth.evidence.memorisation import Memorisation
from napari_cytosynth.evidence.record import NOTICE, outdated_since


@dataclass(frozen=True, slots=True)
class Inspection:
    """Fidelity, diversity and memorisation of a project's synthetic cells.

    Parameters
    ----------
    source : str
        What was judged: accepted pictures, or vectors.
    embedder : str
        Fingerprint of the embedder in whose space everything was measured.
    classes : tuple of Fidelity
        Each class that was made, in the taxonomy's order, and all of them last; empty
        where nothing could be measured.
    memorisation : tuple of Memorisation
        The same.
    caveats : tuple of str
        What limits every figure.
    seed : int
        Makes it repeatable.
    event : int or None
        Last event of the journal that it takes into account; None: not known.
    """

    source: str
    embedder: str
    classes: tuple[Fidelity, ...]
    memorisation: tuple[Memorisation, ...]
    caveats: tuple[str, ...]
    seed: int
    version: str = field(default=napari_cytosynth.__version__)
    time: str = field(default_factory=now)
    event: int | None = None

    def outdated(self, journal: Journal) -> str:
        """Say that labels or verdicts were given since; empty where none were."""
        return outdated_since(self.event, journal)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the figures mean, class by class."""
        copying = {found.code: found for found in self.memorisation}
        return tuple(
            finding
            for fidelity in self.classes
            for finding in findings_of(fidelity, copying.get(fidelity.code))
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping; :meth:`from_json` reads it back."""
        return {
            "source": self.source,
            "embedder": self.embedder,
            "notice": NOTICE,
            "findings": [finding.to_json() for finding in self.findings],
            "classes": [fidelity.to_json() for fidelity in self.classes],
            "memorisation": [found.to_json() for found in self.memorisation],
            "caveats": list(self.caveats),
            "seed": self.seed,
            "version": self.version,
            "time": self.time,
            "event": self.event,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Inspection:
        """Build an inspection from what :meth:`to_json` wrote."""
        return cls(
            source=value["source"],
            embedder=value["embedder"],
            classes=tuple(map(Fidelity.from_json, value["classes"])),
            memorisation=tuple(map(Memorisation.from_json, value["memorisation"])),
            caveats=tuple(value["caveats"]),
            seed=value["seed"],
            version=value["version"],
            time=value["time"],
            event=value["event"],
        )
