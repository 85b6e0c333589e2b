"""Ctrl-C in every verb: exit 130, one line, nothing lost.

Each verb runs in a process of its own, and a real SIGINT reaches it: after some steps
of its work where it has any, else at the moment when it opens the project or, where it
opens none, when its own file is read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.cli.verbs import VERBS
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.testing.painter import FieldSpec, paint_field
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.synthesize import plan, resumable_jobs

RUN = """
import os, signal, sys
# A shell starts what runs in the background deaf to Ctrl-C; here it is to be heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
number, place, steps = signal.Signals[sys.argv[1]], sys.argv[2], int(sys.argv[3])

def interrupt():
    os.kill(os.getpid(), number)

def watch(event, arguments):
    # An audit hook sees every file that the process opens, in real code.
    if event == "open" and str(arguments[0]).endswith(place):
        interrupt()

if steps:
    from napari_cytosynth.core import tasks
    run_to_end, left = tasks.run_to_end, [steps]

    def counted(task, on_progress=None):
        def step(progress):
            left[0] -= 1
            if left[0] == 0:
                interrupt()
            if on_progress is not None:
                on_progress(progress)
        return run_to_end(task, step)

    tasks.run_to_end = counted
else:
    sys.addaudithook(watch)
from napari_cytosynth.cli import main
sys.exit(main(sys.argv[4:]))
"""


def interrupted(
    arguments: list[object], *, place: str = "", steps: int = 0, by: str = "SIGINT"
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, by, place, str(steps), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"CYTOSYNTH_TOKEN": "x" * 32, "QT_QPA_PLATFORM": "offscreen"},
    )
    return done.returncode, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.cytosynth"
    opened = create_project(path, built_in("pbc11"))
    tiny_project(opened, smears=6, cells_per_smear=40, seed=1)
    opened.close()
    return path


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    folder = tmp_path / "fields"
    folder.mkdir()
    spec = FieldSpec(width=400, height=300, cells=4, clumping=0.0)
    for number in range(3):
        pixels = paint_field(spec, np.random.default_rng(number)).pixels
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


WORKING = {
    "demo": (["--out", "{out}", "--no-window"], 3),
    "add": (["{project}", "{fields}/0.png", "{fields}/1.png"], 1),
    "suggest": (["{project}"], 1),
    "progress": (["{project}"], 2),
    "train": (["{project}"], 2),
    "synthesize": (["{project}", "EO", "--count", "50"], 2),
    "evaluate": (["{project}"], 2),
    "detect": (["{fields}", "--out", "{out}"], 2),
    "embed": (["{fields}", "--out", "{out}", "--mpp", "0.25"], 2),
}
"""Verbs with long work: their arguments, and the step at which Ctrl-C comes."""

QUICK = {
    "new": (["{out}.cytosynth"], "cli/new.py"),
    "info": (["{project}"], "project.lock"),
    "label": (["{project}", "1", "EO"], "project.lock"),
    "review": (["{project}"], "project.lock"),
    "import": (["{project}", "{fields}", "--format", "csv"], "project.lock"),
    "export": (["{project}", "{out}", "--format", "csv"], "project.lock"),
    "bench": (["store", "--quick"], "cli/bench.py"),
    "worker": (["--port", "0"], "worker/serve.py"),
    "doctor": ([], "cli/doctor.py"),
    "open": (["{project}"], "cli/open_.py"),
}
"""Others: their arguments, and the file at whose opening Ctrl-C comes."""


def test_every_verb_is_interrupted_here() -> None:
    assert set(WORKING) | set(QUICK) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_ctrl_c(verb: str, project: Path, fields: Path, tmp_path: Path) -> None:
    places = {"project": project, "fields": fields, "out": tmp_path / "out"}
    words, when = WORKING[verb] if verb in WORKING else QUICK[verb]
    arguments: list[object] = [verb, *(word.format(**places) for word in words)]
    if isinstance(when, int):
        code, err = interrupted(arguments, steps=when)
    else:
        code, err = interrupted(arguments, place=_cached(when))
    assert code == 130, err
    assert "Traceback" not in err
    assert "Interrupted" in err
    assert not list(tmp_path.glob("*.partial"))
    opened = open_project(project)
    assert len(opened.cells()) >= 240
    assert len(opened.journal.labels()) == 0 or verb == "label"
    opened.close()


def _cached(name: str) -> str:
    """Return how the name of a file ends by which Python knows this module."""
    if not name.endswith(".py"):
        return name
    return f"{Path(name).stem}.{sys.implementation.cache_tag}.pyc"


_COMMAND = """
import atexit, sys

class Library:
    def __del__(self):
        print("taken apart")

atexit.register(print, "at the end")
library = Library()
from napari_cytosynth.core import tasks

def interrupt(task, on_progress=None):
    raise KeyboardInterrupt

tasks.run_to_end = interrupt
sys.argv = ["cytosynth", *sys.argv[1:]]
from napari_cytosynth.cli import main
sys.exit(main())
"""


def test_an_interrupted_command_ends_before_its_libraries_are_taken_apart(
    fields: Path, tmp_path: Path
) -> None:
    words = ["detect", str(fields), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 130
    assert "Interrupted" in done.stderr
    assert done.stdout == "at the end\n"


@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM"])
def test_a_fill_goes_on_after_ctrl_c(project: Path, by: str) -> None:
    arguments = ["synthesize", project, "EO", "--count", "50"]
    code, err = interrupted(arguments, steps=3, by=by)
    assert code == 130, err
    opened = open_project(project)
    (job,) = opened.jobs()
    found = resumable_jobs(opened, "EO")
    opened.close()
    assert [row.key for row in found] == [job.key]
    assert plan_of(project, "EO") == job.key


def plan_of(path: Path, code: str) -> str:
    """Return the job that asking for the same again would go on with."""
    opened = open_project(path)
    job = plan(opened, Ask(code, 50))
    opened.close()
    return job.key


def test_sigterm_is_like_ctrl_c(fields: Path, tmp_path: Path) -> None:
    arguments = ["detect", fields, "--out", tmp_path / "out"]
    code, err = interrupted(arguments, steps=2, by=signal.SIGTERM.name)
    assert code == 130, err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
