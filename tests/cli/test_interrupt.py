"""Ctrl-C in every verb that takes long enough to be interrupted: exit 130, one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.testing.tiny import tiny_project

RUN = """
import os, signal, sys, threading
from napari_cytosynth.cli import main
interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
threading.Timer(float(sys.argv[1]), interrupt).start()
code = main(sys.argv[2:])
os._exit(code)
"""


def interrupted(seconds: float, *arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-c", RUN, str(seconds), *(str(a) for a in arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"CYTOSYNTH_TOKEN": "x" * 32},
    )
    return done.returncode, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.cytosynth"
    opened = create_project(path, built_in("pbc11"))
    tiny_project(opened, smears=6, cells_per_smear=40, seed=1)
    opened.close()
    return path


def test_the_demo(tmp_path: Path) -> None:
    code, err = interrupted(2.0, "demo", "--out", tmp_path / "demo", "--no-window")
    assert code == 130, err
    assert "Traceback" not in err


def test_the_worker() -> None:
    code, err = interrupted(2.0, "worker", "--port", 0)
    assert code == 130, err
    assert "Traceback" not in err


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0])
@pytest.mark.parametrize(
    "verb", [["suggest"], ["train"], ["synthesize"], ["evaluate"], ["info"]]
)
def test_a_project_survives(project: Path, verb: list[str], seconds: float) -> None:
    more = ["EO", "--count", "500"] if verb == ["synthesize"] else []
    code, err = interrupted(seconds, verb[0], project, *more)
    assert code in (130, 0, 1), err
    assert "Traceback" not in err
    opened = open_project(project)
    assert len(opened.cells()) == 240
    opened.close()


def test_sigterm_is_like_ctrl_c(tmp_path: Path) -> None:
    run = RUN.replace("SIGINT", "SIGTERM")
    out = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-c", run, "2.0", "demo", "--out", str(out), "--no-window"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 130
    assert signal.SIGTERM != signal.SIGINT
