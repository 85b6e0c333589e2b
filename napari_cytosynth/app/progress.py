"""How far the labelling is, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cytosynth.app.panels import Figure, Learning
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.splits import MIN_AUDIT

if TYPE_CHECKING:
    from napari_cytosynth.learning.curve import LearningCurve


def progress_lines(state: SessionState, doubted: int) -> tuple[str, ...]:
    """Return one sentence a line; empty before there is a model.

    Parameters
    ----------
    state : SessionState
        Tells accuracy, forecast and how far readers agree with themselves.
    doubted : int
        Labels that the model doubts, and that nobody kept or changed since.
    """
    if not state.model:
        return ()
    lines = [accuracy_line(state.accuracy)]
    if state.stopping is not None:
        lines.append(state.stopping.sentence)
        if state.stopping.caveat:
            lines.append(f"Limit: {state.stopping.caveat}.")
    if doubted and not state.blind:
        which = "1 label" if doubted == 1 else f"{doubted} labels"
        lines.append(
            f"The model doubts {which}: choose Doubted labels above the queue to keep "
            "or change them by the class keys."
        )
    lines += map(str, state.agreements)
    return tuple(lines)


def learning_of(curve: LearningCurve | None) -> Learning:
    """Return the learning curve so far, ready to be drawn."""
    if curve is None or not curve.points:
        return Learning()
    points = tuple(
        (p.labels, Figure(p.score.value, p.score.low, p.score.high, p.score.n))
        for p in curve.points
    )
    measure = f"{curve.measure}, n = {points[-1][1].n}"
    return Learning(measure, points, curve.caveat)


def accuracy_line(accuracy: Figure) -> str:
    """Say how many audit cells the model gets right."""
    if accuracy.value is None:
        return (
            f"Accuracy {accuracy.text}: of the {MIN_AUDIT} audit cells that it takes, "
            f"{accuracy.n} {'is' if accuracy.n == 1 else 'are'} labelled."
        )
    return f"Accuracy on audit cells: {accuracy.text}, n = {accuracy.n}."
