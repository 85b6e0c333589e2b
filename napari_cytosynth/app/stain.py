"""Shows a smear in the stain of another one, for looking only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.smears import Smears
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.core.tasks import Progress, Task

if TYPE_CHECKING:
    from napari_cytosynth.app.session import Session
    from napari_cytosynth.app.views import CanvasView
    from napari_cytosynth.ingest.normalise import NormalisedImage, StainLook

STAIN = "stain"
"""Key of the task that measures how two smears are stained."""

KEPT = 3
"""Smears that stay at hand in another stain."""

_Pair: TypeAlias = tuple[SmearId, SmearId]


@dataclass(frozen=True, slots=True)
class _Shown:
    """A smear in the stain of another: which, by what calibrations, and the picture."""

    pair: _Pair
    by: tuple[Calibration, ...]
    image: NormalisedImage


class Stains:
    """The smear on the canvas as it would look on another slide.

    Nothing is measured, labelled or stored in these colours: crops, vectors and exports
    keep those of the scan.

    Parameters
    ----------
    project : Project
        Holds smears and calibrations.
    smears : Smears
        Opens their pictures.
    jobs : Jobs
        Measures in the background.
    state : SessionState
        Its ``stain`` is the smear whose stain is shown; None: as scanned.
    """

    def __init__(
        self, project: Project, smears: Smears, jobs: Jobs, state: SessionState
    ) -> None:
        self._project, self._smears = project, smears
        self._jobs, self._state = jobs, state
        self._kept: list[_Shown] = []

    def choose(self, reference: SmearId | None) -> None:
        """Show every smear in the stain of this one; None: as it was scanned."""
        self._state.stain = reference
        if reference is None:
            self._state.say("Smears are shown as they were scanned.")
            return
        name = self.name(reference)
        self._state.say(
            f"Smears are shown in the stain of {name}, for looking only: switch the "
            "layer off and on to compare. The model sees the scan."
        )

    def name(self, smear: SmearId) -> str:
        """Return the file name of a smear."""
        return PurePath(self._smears.record(smear).uri).name

    def image(self) -> SmearImage | None:
        """Return the smear on the canvas in the stain chosen.

        None where there is nothing to change, or not yet: the event ``stained`` then
        tells that it can be asked for again.
        """
        smear, reference = self._state.smear, self._state.stain
        if smear is None or reference is None or reference == smear:
            return None
        for shown in self._kept:
            if shown.pair == (smear, reference) and shown.by == self._by(shown.pair):
                return shown.image
        title = "Showing the stain of another smear"
        task = self._showing((smear, reference))
        self._jobs.start(Order(STAIN, title, task, self._keep))
        return None

    def _by(self, pair: _Pair) -> tuple[Calibration | None, ...]:
        return tuple(self._project.calibration(smear) for smear in pair)

    def _showing(self, pair: _Pair) -> Task[_Shown]:
        """Measure both smears; a small one is changed whole, so that it draws quickly.

        A picture that is not whole in memory is read by the canvas, piece by piece.
        """
        from napari_cytosynth.ingest.normalise import (
            NormalisedImage,
            StainLook,
            StainMap,
        )

        looks: list[StainLook] = []
        by: list[Calibration] = []
        images: list[SmearImage] = []
        try:
            for smear in pair:
                yield Progress(len(looks), len(pair), self.name(smear))
                images.append(self._smears.opened_anew(smear))
                by.append(self._calibrated(smear, images[-1]))
                looks.append(StainLook.of(images[-1], by[-1]))
            shown = NormalisedImage(images[0], StainMap.between(*looks))
            yield from shown.kept_in_memory()
        except BaseException:
            for image in images[:1]:
                image.close()
            raise
        finally:
            for image in images[1:]:
                image.close()
        return _Shown(pair, tuple(by), shown)

    def _calibrated(self, smear: SmearId, image: SmearImage) -> Calibration:
        from napari_cytosynth.ingest import calibrate

        calibration = self._project.calibration(smear)
        if calibration is None:
            calibration = calibrate(image)
            self._project.set_calibration(smear, calibration)
        return calibration

    def _keep(self, shown: _Shown) -> None:
        self._kept.append(shown)
        while len(self._kept) > KEPT:
            self._kept.pop(0).image.close()
        self._state.events.stained.emit()

    def close(self) -> None:
        """Close the pictures."""
        for shown in self._kept:
            shown.image.close()
        self._kept.clear()


class StainPresenter:
    """Lays the smear in another's stain over the one on the canvas.

    Parameters
    ----------
    session : Session
        What holds.
    view : CanvasView
        What shows it.
    """

    def __init__(self, session: Session, view: CanvasView) -> None:
        self._session, self._view = session, view
        events = session.events
        for event in (events.stain, events.stained, events.smear):
            event.connect(self._show)
        for event in (events.reopened, events.rescaled):
            event.connect(self._show)
        self._show()

    def _show(self) -> None:
        stains, reference = self._session.stains, self._session.state.stain
        name = "" if reference is None else stains.name(reference)
        self._view.show_stain(stains.image(), name)
