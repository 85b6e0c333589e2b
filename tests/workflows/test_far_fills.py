"""A fill by a worker elsewhere, over a line that fails: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from napari_cytosynth.core.errors import WorkerDiedError
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.bad_line import BadLine
from napari_cytosynth.testing.fakes import FAKE, FakeCompute
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.worker import FarWorker
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import fill, resumable_jobs, resume

TOKEN = "a-token-for-tests"
SLOW = {"batch": 2, "pause": 0.2}
WANTED = 12


def labelled() -> MemoryProject:
    made = MemoryProject(built_in("pbc11"))
    truth = tiny_project(made, smears=12, cells_per_smear=11)
    author = Author("A. Reader")
    made.record(*(author.label(c, k) for c, k in truth.items()))
    return made


@pytest.fixture
def project() -> MemoryProject:
    return labelled()


@pytest.fixture(scope="module")
def port(start: Callable[..., str]) -> int:
    return int(start(token=TOKEN).rpartition(":")[2])


@pytest.fixture
def line(port: int) -> Iterator[BadLine]:
    made = BadLine(port)
    yield made
    made.close()


@pytest.fixture
def far(line: BadLine) -> Iterator[FarWorker]:
    made = FarWorker(
        f"http://127.0.0.1:{line.port}", TOKEN, silence=4.0, pauses=(0.2,) * 20
    )
    yield made
    made.close()


def look(project: MemoryProject) -> list[tuple[object, ...]]:
    cells = project.synthetic("MO")
    drawn = [(int(c.provenance.config["draw"]), c) for c in cells]
    return [
        (number, c.pixels.tobytes(), c.status)
        for number, c in sorted(drawn, key=lambda pair: pair[0])
    ]


@pytest.fixture
def undisturbed() -> list[tuple[object, ...]]:
    made = labelled()
    run_to_end(
        fill(made, FakeCompute(), Ask("MO", WANTED, generator=FAKE, options=SLOW))
    )
    return look(made)


Harm = Callable[[BadLine, Progress], None]


def drop(line: BadLine, progress: Progress) -> None:
    if progress.payload:
        line.cut()


def trickle(line: BadLine, progress: Progress) -> None:
    line.rate = 60_000 if 2 < progress.done < 8 else 0


def gone_and_back(line: BadLine, progress: Progress) -> None:
    if progress.payload and progress.done == 6:
        line.block()
    if "try 3 " in progress.note:
        line.open()


def hang(line: BadLine, progress: Progress) -> None:
    if progress.payload and progress.done < 6:
        line.hang()
    if "line lost" in progress.note:
        line.heal()


@pytest.mark.parametrize("harm", [drop, trickle, gone_and_back, hang])
def test_the_fill_goes_on_by_itself(
    project: MemoryProject,
    far: FarWorker,
    line: BadLine,
    harm: Harm,
    undisturbed: list[tuple[object, ...]],
) -> None:
    said: list[str] = []

    def watch(progress: Progress) -> None:
        said.append(progress.note)
        harm(line, progress)

    report = run_to_end(
        fill(project, far, Ask("MO", WANTED, generator=FAKE, options=SLOW)), watch
    )
    assert report.accepted == WANTED
    assert look(project) == undisturbed
    assert harm is trickle or any("line lost" in s for s in said)


def test_a_fill_whose_line_stays_dead_says_so_and_goes_on_later(
    project: MemoryProject,
    far: FarWorker,
    line: BadLine,
    undisturbed: list[tuple[object, ...]],
) -> None:
    brief = FarWorker(f"http://127.0.0.1:{line.port}", TOKEN, pauses=(0.1, 0.1))
    task = fill(project, brief, Ask("MO", WANTED, generator=FAKE, options=SLOW))
    with pytest.raises(WorkerDiedError, match="did not bring it back"):
        run_to_end(task, lambda p: line.block() if p.payload else None)
    brief.close()
    kept = look(project)
    assert 0 < len(kept) < len(undisturbed)
    assert kept == undisturbed[: len(kept)]
    (job,) = resumable_jobs(project, "MO")
    line.open()
    assert run_to_end(resume(project, far, job)).accepted == WANTED
    assert look(project) == undisturbed


def test_a_fill_is_cancelled_while_its_line_hangs(
    project: MemoryProject, far: FarWorker, line: BadLine
) -> None:
    with closing(
        fill(project, far, Ask("MO", WANTED, generator=FAKE, options=SLOW))
    ) as task:
        while not next(task).payload:
            pass
        line.hang()
        while "no word" not in next(task).note:
            pass
    assert [job.state for job in project.jobs()] == [JobState.CANCELLED]
    assert 0 < len(look(project)) < WANTED
