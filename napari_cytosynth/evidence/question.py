"""What is asked of the audit cells, and what has to be there to ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_cytosynth.core.protocols import (
    Control,
    LabelledCells,
    TrainingSet,
    Vectors,
)
from napari_cytosynth.core.provenance import refuse_synthetic
from napari_cytosynth.core.splits import MIN_AUDIT
from napari_cytosynth.evidence.verdict import (
    EMBEDDING,
    NONE,
    SYNTHETIC,
    control_name,
)
from napari_cytosynth.learning.head import HeadFitter


@dataclass(frozen=True)
class Question:
    """What the experiment needs.

    Parameters
    ----------
    real : LabelledCells
        Real labelled cells of the training split.
    audit : LabelledCells
        Real audit cells. One of no class in ``classes``, such as an artefact, counts
        against the precision of the class that it is taken for.
    vectors, codes : float32[m, dim], sequence of str
        Accepted synthetic cells.
    classes : sequence of str
        Codes of the cell classes, in the taxonomy's order; only they are reported.
    controls : tuple of Control
        What synthesis has to beat, beside the real cells alone.
    drawn : tuple of TrainingSet
        Vectors of the ``embedding`` generator, fitted on ``real`` and nothing else: one
        set a run, taken in turn; empty leaves that case out.
    caveats : tuple of str
        What every figure must say.
    seed : int
        Makes the experiment repeatable.
    fit : callable, optional
        Fits the heads; by default this process does.
    """

    real: LabelledCells
    audit: LabelledCells
    vectors: Vectors
    codes: Sequence[str]
    classes: Sequence[str]
    controls: tuple[Control, ...] = ()
    drawn: tuple[TrainingSet, ...] = ()
    caveats: tuple[str, ...] = ()
    seed: int = 0
    fit: HeadFitter | None = None

    def __post_init__(self) -> None:
        refuse_synthetic(self.audit, "an evaluation")

    @property
    def cases(self) -> dict[str, str]:
        """The heads that are compared, and what each is trained on."""
        named = {NONE: control_name(NONE)}
        for control in self.controls:
            named[control.key] = f"real cells, {control_name(control.key)}"
        if self.codes:
            named[SYNTHETIC] = "real and accepted synthetic cells"
        if self.drawn:
            named[EMBEDDING] = "real cells and synthetic vectors"
        return named

    def filled(self, case: str) -> tuple[str, ...]:
        """Return the classes that a case adds to: each is asked whether it gained."""
        word = "synthetic" if case == SYNTHETIC else "vectors"
        return tuple(code for code, n in self.counts.items() if n[word])

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Real, accepted synthetic and audit cells and vectors of each class."""
        drawn = [code for run in self.drawn for code in run.codes]
        return {
            code: {
                "real": self.real.count(code),
                "synthetic": list(self.codes).count(code),
                "vectors": round(drawn.count(code) / max(len(self.drawn), 1)),
                "audit": self.audit.count(code),
            }
            for code in self.classes
        }

    @property
    def estimable(self) -> list[int]:
        """Numbers of the classes with audit cells enough for a figure."""
        counts = [self.audit.count(code) for code in self.classes]
        return [number for number, count in enumerate(counts) if count >= MIN_AUDIT]

    def asked(self, case: str) -> list[int]:
        """Return the numbers of the classes of which a case can be said to help."""
        filled = self.filled(case)
        return [n for n in self.estimable if self.classes[n] in filled]
