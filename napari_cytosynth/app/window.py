"""Binds a session to all panels of one window."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cytosynth.app.annotate import AnnotatePresenter
from napari_cytosynth.app.canvas import CanvasPresenter
from napari_cytosynth.app.classes import TaxonomyPresenter
from napari_cytosynth.app.evidence import EvidencePresenter
from napari_cytosynth.app.fields import FieldsPresenter
from napari_cytosynth.app.review import ReviewPresenter
from napari_cytosynth.app.session import Session
from napari_cytosynth.app.stain import StainPresenter
from napari_cytosynth.app.status import StatusPresenter
from napari_cytosynth.app.synthesize import SynthesizePresenter
from napari_cytosynth.app.views import Views


@dataclass(frozen=True)
class Presenters:
    """The presenters of a window. Keep it: signals hold them by weak reference."""

    annotate: AnnotatePresenter
    classes: TaxonomyPresenter
    canvas: CanvasPresenter
    stain: StainPresenter
    fields: FieldsPresenter
    synthesize: SynthesizePresenter
    review: ReviewPresenter
    evidence: EvidencePresenter
    status: StatusPresenter


def present(session: Session, views: Views) -> Presenters:
    """Bind a session to the panels of a window; then call ``session.start()``."""
    annotate = AnnotatePresenter(session, views.annotate)
    return Presenters(
        annotate=annotate,
        classes=TaxonomyPresenter(session, views.classes),
        canvas=CanvasPresenter(session, views.canvas, annotate.keyboard),
        stain=StainPresenter(session, views.canvas),
        fields=FieldsPresenter(session, views.canvas),
        synthesize=SynthesizePresenter(session, views.synthesize),
        review=ReviewPresenter(session, views.review),
        evidence=EvidencePresenter(session, views.evidence),
        status=StatusPresenter(session, views.status),
    )
