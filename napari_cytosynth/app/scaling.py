"""Corrects the pixel size of smears in the background; pictures of cells follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from napari_cytosynth.app.jobs import Jobs, Order
from napari_cytosynth.app.smears import Smears
from napari_cytosynth.app.state import SessionState
from napari_cytosynth.core.errors import CytoSynthError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.smear import Calibration, Trust
from napari_cytosynth.core.tasks import Progress, Task

CUT = "cut anew"
"""Key of the task that cuts crops anew."""


class Scaling:
    """Pixel sizes of one session.

    Parameters
    ----------
    project : Project
        Takes corrections and crops.
    jobs : Jobs
        Runs the work.
    state : SessionState
        Says who acts; told of the outcome.
    smears : Smears
        Finds cells anew, and lends what cuts crops.

    Attributes
    ----------
    on_scaled : callable
        Told a smear whose pixel size is another one now.
    on_cut : callable
        Told when crops are cut anew.
    on_gone : callable
        Told a smear whose cells were let go, to be found anew.
    """

    def __init__(
        self, project: Project, jobs: Jobs, state: SessionState, smears: Smears
    ) -> None:
        self._project, self._jobs, self._state = project, jobs, state
        self._smears = smears
        self.on_scaled: Callable[[SmearId], None] = lambda _: None
        self.on_cut: Callable[[], None] = lambda: None
        self.on_gone: Callable[[SmearId], None] = lambda _: None

    def words(self, smear: SmearId) -> str:
        """Say a smear's pixel size, where it comes from, and the trust in it."""
        calibration = self._project.calibration(smear)
        return "not measured yet" if calibration is None else calibration.words

    def is_unsure(self, smear: SmearId) -> bool:
        """Tell whether a person should look at a smear's pixel size."""
        calibration = self._project.calibration(smear)
        return calibration is not None and calibration.trust is Trust.LOW

    def tell(self, smear: SmearId) -> None:
        """Say of a smear just added that its pixel size is unsure, if so."""
        if self.is_unsure(smear):
            name = PurePath(self._smears.record(smear).uri).name
            self._state.say(
                f"{name}: {self.words(smear)}. Click the pixel size below to correct "
                "it; cells and pictures follow."
            )

    def change(self, smear: SmearId, mpp: float, *, anew: bool = False) -> None:
        """Give a smear another pixel size; ``anew``: look for its cells anew."""
        task = self._changing(smear, mpp)

        def done(calibration: Calibration) -> None:
            self.on_scaled(smear)
            self._state.say(f"Pixel size is {calibration.words}.")
            if anew:
                self.find_anew(smear)
            self.cut()

        self._jobs.start(Order(f"scale:{smear}", "Correcting the scale", task, done))

    def _changing(self, smear: SmearId, mpp: float) -> Task[Calibration]:
        from napari_cytosynth.workflows.rescale import change_scale

        yield Progress(0, 0, "measuring stain at the new scale")
        author, where = self._state.author(), self._smears.finder
        return change_scale(self._project, smear, mpp, author, finder=where)

    def find_anew(self, smear: SmearId, *, detector: str = "classic") -> None:
        """Let the cells go that nobody touched, and look for the smear's cells anew."""
        from napari_cytosynth.workflows.searches import find_anew

        try:
            find_anew(self._project, smear, self._state.author())
        except (CytoSynthError, OSError) as error:
            self._jobs.tell("Finding cells", error)
            return
        self.on_gone(smear)
        self._smears.find(smear, detector=detector)

    def cut(self) -> None:
        """Cut crops anew, one smear after the other, that other pixel sizes cut."""
        if not any(
            len(self._project.stale_crops(s.id)) for s in self._project.smears()
        ):
            return
        self._jobs.start(
            Order(
                CUT,
                "Cutting pictures anew",
                self._cutting(),
                on_done=lambda count: self.on_cut() if count else None,
                on_progress=self._on_progress,
            )
        )

    def _cutting(self) -> Task[int]:
        from napari_cytosynth.workflows.rescale import cut_anew, stale_smears

        yield Progress(0, 0, "looking for pictures of another scale")
        count = 0
        for smear in stale_smears(self._project):
            try:
                where = self._smears.finder
                count += yield from cut_anew(self._project, smear, finder=where)
            except (CytoSynthError, OSError) as error:
                yield Progress(0, 0, "failed", payload=error)
        return count

    def _on_progress(self, progress: Progress) -> None:
        if isinstance(progress.payload, Exception):
            self._jobs.tell("Cutting pictures anew", progress.payload)
