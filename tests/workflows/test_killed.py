"""kill -9 of the process that fills, at any moment and again and again."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import JobState
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.testing.fakes import FAKE, FakeCompute
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import fill, resumable_jobs

WANTED, OPTIONS = 40, {"batch": 1, "pause": 0.02}
KILLS = 4

_FILLS = f"""
import sys
from pathlib import Path
from napari_cytosynth.store import open_project
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import fill

project = open_project(Path(sys.argv[1]))
asked = {{"generator": "fake", "options": {OPTIONS}}}
for progress in fill(project, FakeCompute(), Ask("MO", {WANTED}, **asked)):
    if progress.payload:
        print(progress.done, flush=True)
project.close()
print("done", flush=True)
"""


def made_at(path: Path) -> None:
    project = create_project(path, built_in("pbc11"))
    truth = tiny_project(project, smears=6, cells_per_smear=11)
    author = Author("A. Reader")
    project.record(*(author.label(c, k) for c, k in truth.items()))
    project.close()


def look(path: Path) -> list[tuple[object, ...]]:
    with closing(open_project(path)) as project:
        cells = project.synthetic("MO")
        assert len({cell.id for cell in cells}) == len(cells)
        return sorted(
            (int(c.provenance.config["draw"]), c.status, c.pixels.tobytes())
            for c in cells
        )


def killed_after(path: Path, lines: int, wait: float) -> bool:
    """Start a fill, kill it ``wait`` seconds after some steps; False: it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _FILLS, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout as told:
        for _ in range(lines):
            said = told.readline().strip()
            assert said, "the fill failed"
            if said == "done":
                return False
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() != 0


def test_nothing_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    path, other = tmp_path / "killed.cytosynth", tmp_path / "whole.cytosynth"
    made_at(path)
    made_at(other)
    with closing(open_project(other)) as whole:
        run_to_end(
            fill(
                whole, FakeCompute(), Ask("MO", WANTED, generator=FAKE, options=OPTIONS)
            )
        )
    drawn = look(other)
    rng, before = np.random.default_rng(0), 0
    for _ in range(KILLS):
        assert killed_after(path, int(rng.integers(1, 5)), float(rng.uniform(0, 0.05)))
        kept = look(path)
        assert kept == drawn[: len(kept)], "a gap, a double or another picture"
        assert len(kept) > before
        before = len(kept)
        with closing(open_project(path)) as project:
            assert len(resumable_jobs(project, "MO")) == 1
    assert not killed_after(path, WANTED + 1, 0.0)
    assert look(path) == drawn
    with closing(open_project(path)) as project:
        (job,) = project.jobs()
    assert job.state is JobState.DONE
