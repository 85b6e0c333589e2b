"""One process a project."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from napari_cytosynth.core.errors import ProjectLockedError
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project, open_project
from napari_cytosynth.store.lock import Holder, ProjectLock

_HOLD = """
import sys
from napari_cytosynth.store import open_project
project = open_project(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path / "p", built_in("blood5")).close()
    return tmp_path / "p.cytosynth"


@pytest.fixture
def elsewhere(folder: Path):
    """Another process that holds the project."""
    command = [sys.executable, "-c", _HOLD, str(folder)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def _write(folder: Path, holder: Holder | dict) -> None:
    value = holder if isinstance(holder, dict) else vars_of(holder)
    (folder / "project.lock").write_text(json.dumps(value))


def vars_of(holder: Holder) -> dict:
    return asdict(holder)


def test_another_process_is_named(folder: Path, elsewhere) -> None:
    with pytest.raises(ProjectLockedError, match=f"process {elsewhere.pid} of this"):
        open_project(folder)


def test_killed_process_is_taken_over(folder: Path, elsewhere) -> None:
    elsewhere.kill()
    elsewhere.wait()
    assert (folder / "project.lock").exists()
    with open_project(folder) as project:
        assert project.name == "p"


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_child_of_a_dead_process_does_not_hold_the_project(folder: Path) -> None:
    script = """
import os, sys
from napari_cytosynth.store.lock import ProjectLock
lock = ProjectLock(__import__("pathlib").Path(sys.argv[1]))
if os.fork():
    os._exit(0)
print("child", os.getpid(), flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("child")
    assert process.wait() == 0
    with open_project(folder) as project:
        assert project.name == "p"
    process.communicate()


def test_shifted_clock_does_not_make_a_living_holder_look_dead(
    folder: Path, elsewhere
) -> None:
    text = json.loads((folder / "project.lock").read_text())
    (folder / "project.lock").write_text(json.dumps({**text, "started": 1.0}))
    with pytest.raises(ProjectLockedError, match="of this computer"):
        open_project(folder)


def test_same_process_cannot_open_twice(folder: Path) -> None:
    with (
        open_project(folder),
        pytest.raises(ProjectLockedError, match=f"process {os.getpid()}"),
    ):
        open_project(folder)


def test_closing_leaves_no_lock(folder: Path) -> None:
    open_project(folder).close()
    assert not (folder / "project.lock").exists()


def test_another_host_needs_break_lock(folder: Path) -> None:
    _write(folder, Holder("lab-7", 123, 1.0))
    with pytest.raises(ProjectLockedError, match=r"123 .*'lab-7'.*--break-lock"):
        open_project(folder)
    open_project(folder, break_lock=True).close()


def test_break_lock_does_not_break_a_living_one_here(folder: Path, elsewhere) -> None:
    with pytest.raises(ProjectLockedError, match="of this computer"):
        open_project(folder, break_lock=True)


def test_reused_process_number_is_not_the_holder(folder: Path) -> None:
    # This very process runs under that number, but it began later than the lock says.
    _write(folder, Holder(platform.node(), os.getpid(), 1.0))
    lock = ProjectLock(folder)
    assert lock.taken_over
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_container_that_bears_our_name_is_not_overrun(folder: Path) -> None:
    """Its process numbers mean nothing here, but the kernel's lock is the same."""
    held = ProjectLock(folder)
    path = folder / "project.lock"
    unseen = {**vars_of(Holder.this_process()), "pid": 2**30, "space": "pid:[1]"}
    path.write_text(json.dumps(unseen))
    with pytest.raises(ProjectLockedError, match="--break-lock"):
        ProjectLock(folder)
    ProjectLock(folder, break_lock=True).release()
    held.release()
    # One that ended: the kernel's lock is free, and the file alone holds nothing.
    path.write_text(json.dumps(unseen))
    lock = ProjectLock(folder)
    assert lock.taken_over
    lock.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x"}', "\x00\xff"])
def test_torn_lock_file_is_taken(folder: Path, text: str) -> None:
    (folder / "project.lock").write_text(text)
    lock = ProjectLock(folder)
    assert Holder.read((folder / "project.lock").read_text()) == Holder.this_process()
    lock.release()


def test_release_is_idempotent_and_spares_anothers_lock(folder: Path) -> None:
    lock = ProjectLock(folder)
    (folder / "project.lock").unlink()
    other = ProjectLock(folder)
    lock.release()
    lock.release()
    assert (folder / "project.lock").exists()
    other.release()


def test_holder_knows_this_process() -> None:
    me = Holder.this_process()
    assert me.here
    assert me.alive
    assert not Holder(me.host, me.pid, me.started - 100).alive
    assert not Holder("lab-7", 1, 1.0).here
    assert Holder.read(json.dumps(vars_of(me))) == me
