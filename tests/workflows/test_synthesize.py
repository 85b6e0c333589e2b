from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cytosynth.core import registry
from napari_cytosynth.core.errors import (
    InputError,
    RegistryError,
    UnknownClassError,
    WorkerDiedError,
)
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import JobState, Project
from napari_cytosynth.core.protocols import Batch, LabelledCells, Request, Weights
from napari_cytosynth.core.provenance import Provenance, Status, SyntheticCell
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject, open_project
from napari_cytosynth.synthesis.gate import DRAWS_PER_SLOT
from napari_cytosynth.synthesis.latent import LatentGenerator
from napari_cytosynth.testing.fakes import FAKE, FakeCellGenerator, FakeCompute
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import InlineCompute, WorkerProcess
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.gating import training_cells
from napari_cytosynth.workflows.model_card import weights_name
from napari_cytosynth.workflows.review import vetoes_of
from napari_cytosynth.workflows.splitting import splits_of
from napari_cytosynth.workflows.synthesize import (
    FillReport,
    fill,
    plan,
    report_of,
    resumable_jobs,
    resume,
)

FAKE_WORKER = (sys.executable, "-m", "napari_cytosynth.testing.fake_worker")


def labelled() -> MemoryProject:
    """Twelve smears, each with a labelled cell of every class but basophil."""
    made = MemoryProject(built_in("pbc11"))
    truth = tiny_project(made, smears=12, cells_per_smear=11)
    author = Author("A. Reader")
    made.record(*(author.label(c, k) for c, k in truth.items() if k != "BA"))
    return made


@pytest.fixture
def project() -> MemoryProject:
    return labelled()


def stored(project: Project, code: str = "MO") -> list[SyntheticCell]:
    return sorted(project.synthetic(code), key=lambda c: c.provenance.config["draw"])


def look(cells: list[SyntheticCell]) -> list[tuple[object, ...]]:
    """What must be the same whoever drew it, and however often it was interrupted."""
    return [(c.pixels.tobytes(), c.status, c.provenance.config["draw"]) for c in cells]


def slow(**options: float) -> dict[str, float]:
    """Options under which a worker cannot run ahead of its reader."""
    return {"batch": 2, "pause": 0.3, **options}


def run_until(task: Task[FillReport], found: Callable[[Progress], bool]) -> None:
    for progress in task:
        if found(progress):
            return
    pytest.fail("the fill ended first")


def has_cells(progress: Progress) -> bool:
    return bool(progress.payload)


def whole(**options: float) -> list[tuple[object, ...]]:
    """Return the look of a fill that nothing interrupted."""
    project = labelled()
    run_to_end(
        fill(project, FakeCompute(), Ask("MO", 12, generator=FAKE, options=options))
    )
    return look(stored(project))


def test_a_fill_stores_what_passed_and_what_did_not(project: MemoryProject) -> None:
    report = run_to_end(fill(project, FakeCompute(), Ask("MO", 12)))
    cells = stored(project)
    states = Counter(c.status for c in cells)
    assert report.accepted == 12 == states[Status.PROPOSED]
    assert 0 < states[Status.DROPPED] == report.drawn - 12
    assert report.reasons == {"agreement": states[Status.DROPPED]}
    assert report.acceptance == 12 / report.drawn
    assert report.verified
    assert not report.cancelled
    assert [c.provenance.config["draw"] for c in cells] == list(range(report.drawn))
    assert all(a.reason for c in cells for a in c.assessments)
    assert [j.state for j in project.jobs()] == [JobState.DONE]


def test_progress_streams_stored_cells(project: MemoryProject) -> None:
    seen: list[Progress] = []
    run_to_end(fill(project, FakeCompute(), Ask("MO", 12)), seen.append)
    streamed = [c for p in seen if isinstance(p.payload, tuple) for c in p.payload]
    assert [c.id for c in streamed] == [c.id for c in project.synthetic("MO")]
    assert {c.status for c in streamed} == {Status.PROPOSED, Status.DROPPED}
    assert all(c.id > 0 for c in streamed)
    assert (seen[-1].done, seen[-1].total) == (12, 12)


def test_a_second_fill_makes_other_cells(project: MemoryProject) -> None:
    first = run_to_end(fill(project, FakeCompute(), Ask("MO", 5)))
    second = run_to_end(fill(project, FakeCompute(), Ask("MO", 5)))
    cells = stored(project)
    assert first.job != second.job
    assert len(cells) == first.drawn + second.drawn
    assert [c.provenance.config["draw"] for c in cells] == list(range(len(cells)))
    assert len({c.pixels.tobytes() for c in cells}) == len(cells)


def test_another_seed_begins_at_its_first_draw(project: MemoryProject) -> None:
    run_to_end(fill(project, FakeCompute(), Ask("MO", 3)))
    run_to_end(fill(project, FakeCompute(), Ask("MO", 3, seed=1)))
    draws = [c.provenance.config["draw"] for c in project.synthetic("MO")]
    assert draws.count(0) == 2


def test_cancel_keeps_what_was_stored(project: MemoryProject) -> None:
    task = fill(project, FakeCompute(), Ask("MO", 12))
    run_until(task, has_cells)
    task.close()
    kept = stored(project)
    assert kept
    (job,) = project.jobs()
    assert job.state is JobState.CANCELLED
    report = report_of(project, job.key)
    assert report.cancelled
    assert report.drawn == len(kept)
    assert resumable_jobs(project) == []


def test_a_cancelled_fill_can_be_resumed(project: MemoryProject) -> None:
    task = fill(project, FakeCompute(), Ask("MO", 12))
    run_until(task, has_cells)
    task.close()
    report = run_to_end(resume(project, FakeCompute(), project.jobs()[0]))
    assert report.accepted == 12
    assert not report.cancelled
    assert look(stored(project)) == whole()


def test_a_crash_loses_nothing_and_repeats_nothing(project: MemoryProject) -> None:
    crashed = fill(project, FakeCompute(), Ask("MO", 12))
    run_until(crashed, has_cells)  # and it is never told to stop
    (job,) = resumable_jobs(project)
    assert job.state is JobState.RUNNING
    run_to_end(resume(project, FakeCompute(), job))
    assert look(stored(project)) == whole()
    assert resumable_jobs(project) == []


def lose_the_worker(project: Project) -> None:
    class Dying(FakeCompute):
        def generate(self, *asked: Any) -> Iterator[Batch]:
            yield next(super().generate(*asked))
            raise WorkerDiedError("The worker ended. Start another.")

    with pytest.raises(WorkerDiedError):
        run_to_end(
            fill(project, Dying(), Ask("MO", 12, generator=FAKE, options={"batch": 2}))
        )


def test_the_same_ask_goes_on_with_a_fill_that_lost_its_worker(
    project: MemoryProject,
) -> None:
    lose_the_worker(project)
    assert stored(project)
    (lost,) = project.jobs()
    report = run_to_end(
        fill(
            project, FakeCompute(), Ask("MO", 12, generator=FAKE, options={"batch": 2})
        )
    )
    assert report.job == lost.key
    assert report.accepted == 12
    assert look(stored(project)) == whole(batch=2)
    assert [job.state for job in project.jobs()] == [JobState.DONE]


def test_the_same_ask_goes_on_with_a_fill_that_crashed(project: MemoryProject) -> None:
    crashed = fill(project, FakeCompute(), Ask("MO", 12))
    run_until(crashed, has_cells)  # and it is never told to stop
    run_to_end(fill(project, FakeCompute(), Ask("MO", 12)))
    assert look(stored(project)) == whole()


@pytest.mark.parametrize(
    ("count", "seed", "options"),
    [(6, 0, {"batch": 2}), (12, 1, {"batch": 2}), (12, 0, {})],
)
def test_another_ask_is_another_fill(
    project: MemoryProject, count: int, seed: int, options: Mapping[str, Any]
) -> None:
    lose_the_worker(project)
    fresh = fill(
        project,
        FakeCompute(),
        Ask("MO", count, generator=FAKE, seed=seed, options=options),
    )
    assert run_to_end(fresh).job != project.jobs()[0].key
    assert len(resumable_jobs(project)) == 1


def test_the_same_ask_leaves_a_cancelled_fill_alone(project: MemoryProject) -> None:
    task = fill(project, FakeCompute(), Ask("MO", 12))
    run_until(task, has_cells)
    task.close()
    report = run_to_end(fill(project, FakeCompute(), Ask("MO", 12)))
    old, new = project.jobs()
    assert (old.state, new.state) == (JobState.CANCELLED, JobState.DONE)
    assert report.job == new.key


def test_interrupting_from_the_keyboard_is_cancelling(project: MemoryProject) -> None:
    class Interrupted(FakeCompute):
        def generate(self, *asked: Any) -> Iterator[Batch]:
            yield next(super().generate(*asked))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_end(fill(project, Interrupted(), Ask("MO", 12)))
    assert [job.state for job in project.jobs()] == [JobState.CANCELLED]
    assert resumable_jobs(project) == []


def test_resumable_fills_of_one_class(project: MemoryProject) -> None:
    lose_the_worker(project)
    assert len(resumable_jobs(project, "MO")) == 1
    assert resumable_jobs(project, "BA") == []


def test_resuming_a_complete_fill_draws_nothing(project: MemoryProject) -> None:
    first = run_to_end(fill(project, FakeCompute(), Ask("MO", 4)))
    again = run_to_end(resume(project, FakeCompute(), project.jobs()[0]))
    assert again == first


def test_a_killed_worker_makes_no_difference(project: MemoryProject) -> None:
    compute = WorkerProcess(FAKE_WORKER)
    pids = set()

    def kill(progress: Progress) -> None:
        if has_cells(progress) and not pids:
            pids.add(compute.pid)
            os.kill(compute.pid or 0, signal.SIGKILL)

    task = fill(project, compute, Ask("MO", 12, generator=FAKE, options=slow()))
    report = run_to_end(task, kill)
    last = compute.pid
    compute.close()
    assert last not in pids
    assert report.accepted == 12
    assert look(stored(project)) == whole(**slow(pause=0))


def test_a_worker_lost_for_good_leaves_a_job_to_resume(
    project: MemoryProject,
) -> None:
    broken = WorkerProcess((sys.executable, "-c", "raise SystemExit('no memory')"))
    with pytest.raises(WorkerDiedError, match="no memory"):
        run_to_end(fill(project, broken, Ask("MO", 12)))
    (job,) = resumable_jobs(project)
    assert job.state is JobState.FAILED
    run_to_end(resume(project, FakeCompute(), job))
    assert look(stored(project)) == whole()
    assert resumable_jobs(project) == []


def test_a_class_without_real_cells_is_unverified(project: MemoryProject) -> None:
    report = run_to_end(fill(project, FakeCompute(), Ask("BA", 4)))
    assert not report.verified
    assert not any(c.verified for c in project.synthetic("BA"))


def test_the_gate_gives_up(project: MemoryProject) -> None:
    class NeverRight(FakeCellGenerator):
        slips = 1.0

    compute = InlineCompute(generators={"latent": NeverRight}, embedders={})
    report = run_to_end(fill(project, compute, Ask("MO", 3)))
    assert (report.accepted, report.drawn) == (0, 3 * DRAWS_PER_SLOT)
    assert project.synthetic("MO", Status.PROPOSED) == ()


def test_weights_are_fitted_again_only_after_new_labels(
    project: MemoryProject,
) -> None:
    fits = []

    class Counted(FakeCellGenerator):
        def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
            fits.append(len(cells))
            return super().fit(cells, config)

    compute = InlineCompute(generators={"latent": Counted}, embedders={})
    run_to_end(fill(project, compute, Ask("MO", 2)))
    run_to_end(fill(project, compute, Ask("MO", 2)))
    assert len(fits) == 1
    unlabelled = set(project.cells().ids.tolist()) - set(project.journal.labels())
    project.record(*(Author("A. Reader").label(CellId(c), "BA") for c in unlabelled))
    run_to_end(fill(project, compute, Ask("MO", 2)))
    assert fits[1] > fits[0]


def test_a_class_learned_on_weights_that_ship_no_more_is_learned_again(
    project: MemoryProject,
) -> None:
    fits = []

    class Learning(FakeCellGenerator):
        def fit(self, cells: LabelledCells, config: Mapping[str, Any]) -> Task[Weights]:
            fits.append(len(cells))
            made = yield from super().fit(cells, config)
            told = {"tuned": ["MO"], "base": LatentGenerator().card["sha256"]}
            return Weights(made.tensors, {**made.meta, **told})

    compute = InlineCompute(generators={"latent": Learning}, embedders={})
    run_to_end(fill(project, compute, Ask("MO", 2)))
    run_to_end(fill(project, compute, Ask("MO", 2)))
    assert len(fits) == 1
    name = weights_name("latent", "MO")
    known = project.model(name)
    assert known is not None
    project.put_model(name, Weights(known.tensors, {**known.meta, "base": "0" * 64}))
    run_to_end(fill(project, compute, Ask("MO", 2)))
    assert len(fits) == 2
    again = project.model(name)
    assert again is not None
    assert again.sha256 == known.sha256


def test_audit_cells_never_reach_a_generator(project: MemoryProject) -> None:
    cells = run_to_end(training_cells(project))
    audit = set(project.cells().ids[splits_of(project).audit].tolist())
    assert len(cells)
    assert not audit & set(cells.ids.tolist())
    np.testing.assert_array_equal(cells.crops, project.crops(cells.ids))


@pytest.mark.parametrize(
    ("code", "count", "generator", "error", "says"),
    [
        ("XYZ", 3, "latent", UnknownClassError, "'XYZ' is not in taxonomy"),
        ("ART", 3, "latent", InputError, "a cell type"),
        ("MO", 0, "latent", InputError, "at least one"),
        ("MO", 3, "fake-vectors", InputError, "cannot be shown as cells"),
        ("MO", 3, "nonesuch", RegistryError, "serves no 'nonesuch'"),
    ],
)
def test_refusals(
    project: MemoryProject,
    code: str,
    count: int,
    generator: str,
    error: type[Exception],
    says: str,
) -> None:
    with pytest.raises(error, match=says):
        run_to_end(fill(project, FakeCompute(), Ask(code, count, generator=generator)))
    assert project.synthetic() == ()
    assert resumable_jobs(project) == []


def test_report_of_an_unknown_job(project: MemoryProject) -> None:
    with pytest.raises(InputError, match="no fill 'fill:MO:0'"):
        report_of(project, "fill:MO:0")


_DIES = """
import os, sys
from pathlib import Path
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import fill

made = create_project(Path(sys.argv[1]), built_in("pbc11"))
tiny_project(made, smears=1, cells_per_smear=11)
for progress in fill(made, FakeCompute(), Ask("MO", 6)):
    if progress.payload:
        print(len(made.synthetic()), flush=True)
        os._exit(9)
"""


def test_a_fill_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "smears.cytosynth"
    died = subprocess.run(
        [sys.executable, "-c", _DIES, str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert died.returncode == 9, died.stderr
    with closing(open_project(path)) as project:
        assert len(stored(project)) == int(died.stdout)
        (job,) = resumable_jobs(project)
        report = run_to_end(resume(project, FakeCompute(), job))
        draws = [c.provenance.config["draw"] for c in stored(project)]
    assert report.accepted == 6
    assert draws == list(range(report.drawn))


def test_a_class_that_cannot_be_painted_is_refused_before_any_work() -> None:
    project = MemoryProject(built_in("marrow21"))
    with pytest.raises(UnknownClassError, match="does not know class 'HAC'") as told:
        plan(project, Ask("HAC", 4))
    assert "MON" in str(told.value)
    assert "hairy" not in str(told.value)
    assert not project.jobs()


class Repeating(FakeCellGenerator):
    """Every third draw is the one before it, turned."""

    slips = 0.0

    def _draw(
        self, request: Request, weights: Weights, number: int, origin: Provenance
    ) -> SyntheticCell:
        if number % 3 != 2:
            return super()._draw(request, weights, number, origin)
        cell = super()._draw(request, weights, number - 1, origin)
        return replace(cell, pixels=np.rot90(cell.pixels).copy())


class RepeatingCompute(InlineCompute):
    def __init__(self) -> None:
        super().__init__(generators={FAKE: Repeating})


def test_repeats_are_refused_however_the_fill_was_interrupted(
    project: MemoryProject,
) -> None:
    report = run_to_end(fill(project, RepeatingCompute(), Ask("MO", 8, generator=FAKE)))
    assert report.accepted == 8
    refused = {c.provenance.config["draw"]: vetoes_of(c) for c in stored(project)}
    repeats = [n for n in refused if n % 3 == 2 and not refused[n - 1]]
    assert len(repeats) > 2
    assert all("diversity" in refused[n] for n in repeats)
    again, crashed = labelled(), []
    for cut in (1, 2, 4):
        task = fill(
            again,
            RepeatingCompute(),
            Ask("MO", 8, generator=FAKE, options={"batch": 2}),
        )
        crashed.append(task)  # and it is never told to stop
        run_until(task, lambda progress, cut=cut: progress.done >= cut)
    (job,) = resumable_jobs(again)
    run_to_end(resume(again, RepeatingCompute(), job))
    assert look(stored(again)) == look(stored(project))


def test_a_second_fill_repeats_nothing_of_the_first(project: MemoryProject) -> None:
    run_to_end(fill(project, RepeatingCompute(), Ask("MO", 4, generator=FAKE)))
    first = [c for c in stored(project) if c.status is Status.PROPOSED]
    run_to_end(fill(project, RepeatingCompute(), Ask("MO", 4, generator=FAKE, seed=1)))
    kept = [c.pixels.tobytes() for c in stored(project) if not vetoes_of(c)]
    assert len(set(kept)) == len(kept) == 8
    project.record(Author("A").verdict(first[0].id, accept=False))
    run_to_end(fill(project, RepeatingCompute(), Ask("MO", 2, generator=FAKE, seed=0)))
    assert len(stored(project)) == len({c.pixels.tobytes() for c in stored(project)})


def test_a_critic_by_its_name_judges_too(
    project: MemoryProject, installed_critic: str
) -> None:
    report = run_to_end(
        fill(project, FakeCompute(), Ask("MO", 3, critics=(installed_critic,)))
    )
    assert report.reasons[installed_critic] > 0
    for cell in stored(project):
        assert [a.critic for a in cell.assessments] == [
            "agreement",
            "manifold",
            "copy",
            installed_critic,
            "diversity",
        ]
        even = cell.provenance.config["draw"] % 2 == 0
        assert cell.assessments[3].passed is even
    (job,) = project.jobs()
    assert plan(project, Ask("MO", 3, critics=(installed_critic,))).key != job.key
    with pytest.raises(RegistryError, match="no 'taste' among the critics"):
        plan(project, Ask("MO", 3, critics=("taste",)))


@pytest.fixture
def installed_critic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of a critic in a package of its own, which passes every second draw."""
    (tmp_path / "picky.py").write_text(_PICKY, encoding="utf-8")
    info = tmp_path / "picky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: picky\nVersion: 1.0\n", encoding="utf-8")
    points = "[napari_cytosynth.critics]\npicky = picky:Picky\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry._points.cache_clear()
    yield "picky"
    registry._points.cache_clear()
    sys.modules.pop("picky", None)


_PICKY = """
from napari_cytosynth.core.provenance import Assessment


class Picky:
    key = "picky"

    def assess(self, batch, reference):
        numbers = range(batch.start, batch.start + len(batch))
        return [
            Assessment(self.key, n, passed=n % 2 == 0, reason=f"Draw {n}, odd or even")
            for n in numbers
        ]
"""
