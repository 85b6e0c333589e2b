"""How each class stands: labels, predictions, synthetic cells, precision and recall."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import LabelledCells
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.splits import MIN_AUDIT, Split
from napari_cytosynth.learning.head import Head
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.shares import share_among, too_few
from napari_cytosynth.workflows.embed import vectors_of
from napari_cytosynth.workflows.scores import scores_of
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of
from napari_cytosynth.workflows.suggest import label_counts


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """One class.

    Parameters
    ----------
    code : str
        Class code.
    labelled : int
        Real cells with this label.
    predicted : int or None
        Unlabelled cells that the head takes for this class; None without a head.
    synthetic : int
        Synthetic cells that the reader accepted; never added to ``labelled``.
    audit : int
        Real audit cells of this class.
    precision, recall : Interval or None
        On audit cells only, with a 95 % interval by
        :func:`~napari_cytosynth.metrics.shares.share_among`; None: cannot be estimated
        yet, because fewer than ten were predicted as, or belong to, the class.
        Artefacts taken for cells count against precision; they get no figures.
    """

    code: str
    labelled: int
    predicted: int | None
    synthetic: int
    audit: int
    precision: Interval | None = None
    recall: Interval | None = None


def audit_accuracy(project: Project, head: Head | None, embedder_key: str) -> Interval:
    """Return the share of audit cells that a head gets right, with a 95 % interval.

    Patients are drawn again for it where there are five; see :func:`audit_caveat`.
    Under ten cells it cannot be estimated: the value is NaN, and ``n`` says how many
    there are.
    """
    audit = labelled_cells(project, embedder_key, Split.AUDIT, abstain=True)
    n = len(audit)
    if head is None or n < MIN_AUDIT:
        return Interval(float("nan"), 0.0, 1.0, n)
    hits = np.array(head.predict(audit.vectors)) == np.array(audit.codes)
    return share_among(hits, np.ones(n), audit.groups)


def audit_caveat(project: Project, embedder_key: str) -> str:
    """Return what figures on audit cells must say; empty where there is nothing."""
    split = splits_of(project).caveat
    audit = labelled_cells(project, embedder_key, Split.AUDIT, abstain=True)
    if len(audit) < MIN_AUDIT or not too_few(audit.groups):
        return split
    few = (
        f"the audit cells come from {len(np.unique(audit.groups))} patients or places: "
        "intervals take the cells as independent, and are too narrow"
    )
    return f"{split}; {few}" if split else few


def class_summary(
    project: Project, head: Head | None, embedder_key: str
) -> tuple[ClassSummary, ...]:
    """Return one summary a class, in the taxonomy's order.

    Parameters
    ----------
    project : Project
        Gives labels, vectors and synthetic cells.
    head : Head or None
        Fitted on the training split, so that audit cells judge it fairly.
    embedder_key : str
        Fingerprint of the embedder.
    """
    labelled = label_counts(project)
    synthetic = Counter(c.code for c in project.synthetic(None, Status.ACCEPTED))
    predicted = _predicted(project, head, embedder_key)
    audit = labelled_cells(project, embedder_key, Split.AUDIT, abstain=True)
    cells = project.taxonomy.cell_codes
    guesses = np.zeros(0, np.str_)
    if head is not None and len(audit):
        guesses = np.array(head.predict(audit.vectors), np.str_)
    return tuple(
        ClassSummary(
            code,
            labelled[code],
            None if predicted is None else predicted[code],
            synthetic[code],
            audit.count(code),
            *(_shares(code, audit, guesses) if code in cells else (None, None)),
        )
        for code in project.taxonomy.codes
    )


def _predicted(project: Project, head: Head | None, key: str) -> Counter[str] | None:
    # Labels before cells: one struck out in between is then in neither.
    labelled = np.fromiter(project.journal.labels(), np.int64)
    table = project.cells()
    vectors = vectors_of(project, key, table)
    if head is None or vectors.shape[1] != head.dim:
        return None
    chances = scores_of(project, head, vectors)
    waiting = ~np.isin(table.ids, labelled) & ~np.isnan(chances[:, 0])
    counts = np.bincount(chances[waiting].argmax(axis=1), minlength=len(head.codes_))
    return Counter(dict(zip(head.codes_, counts.tolist(), strict=True)))


def _shares(
    code: str, audit: LabelledCells, guesses: npt.NDArray[np.str_]
) -> tuple[Interval | None, Interval | None]:
    """Return precision and recall of a class, where enough audit cells tell."""
    if not len(guesses):
        return None, None
    there, found = np.array(audit.codes) == code, guesses == code
    precision, recall = (
        share_among(there & found, asked, audit.groups)
        if asked.sum() >= MIN_AUDIT
        else None
        for asked in (found, there)
    )
    return precision, recall
