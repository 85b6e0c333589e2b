"""A head fitted in a process beside is the one that would be fitted here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.learning.fitting import fit_head
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.heads import COMMAND, BesideFitter


@pytest.fixture(scope="module")
def fitter() -> Iterator[BesideFitter]:
    made = BesideFitter(SideProcess(COMMAND))
    yield made
    made.close()


def training(n: int, classes: int = 4, seed: int = 0) -> TrainingSet:
    rng = np.random.default_rng(seed)
    numbers = np.arange(n) % classes
    vectors = rng.normal(size=(n, 12)) + 1.5 * np.eye(12)[numbers]
    codes = tuple(f"C{number}" for number in numbers)
    weights = rng.uniform(0.5, 2.0, n)
    return TrainingSet(vectors.astype(np.float32), codes, weights)


def test_the_same_head_whatever_it_is_asked(fitter: BesideFitter) -> None:
    few, many = training(24), training(90, seed=1)
    groups = np.array([f"g{i // 3}" if i % 5 else "" for i in range(90)])
    assert fitter(few).version == fit_head(few).version
    first = fitter(few)
    for options in (
        {"groups": groups},
        {"seed": 3},
        {"folds": 0},
        {"previous": first},
        {"previous": first, "groups": groups, "seed": 2},
    ):
        beside, here = fitter(many, **options), fit_head(many, **options)
        assert beside.codes_ == here.codes_
        assert beside.version == here.version, options


def test_it_survives_its_death(fitter: BesideFitter) -> None:
    wanted = fitter(training(24)).version
    pid = fitter.side.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert fitter(training(24)).version == wanted
    assert fitter.side.pid != pid


def test_a_refusal_keeps_its_type_and_words(fitter: BesideFitter) -> None:
    with pytest.raises(InputError, match="only C0 is labelled"):
        fitter(training(8, classes=1))


def test_whoever_asks_loads_no_scikit_learn() -> None:
    code = """
import sys
import numpy as np
from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.worker.beside import SideProcess
from napari_cytosynth.worker.heads import COMMAND, BesideFitter
import napari_cytosynth.app.session, napari_cytosynth.workflows.evaluate
import napari_cytosynth.workflows.suggest, napari_cytosynth.workflows.summary
fitter = BesideFitter(SideProcess(COMMAND))
vectors = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
head = fitter(TrainingSet(vectors, ("A", "B") * 10, np.ones(20)))
assert head.predict_proba(vectors).shape == (20, 2)
fitter.close()
sys.exit("sklearn" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
