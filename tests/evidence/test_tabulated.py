"""Figures in words: none without its n, none hidden without its reason."""

from __future__ import annotations

import pytest

from napari_cytosynth.evidence.figures import Fidelity, Figure
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import Memorisation, Rate
from napari_cytosynth.evidence.tabulated import lines_of
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.same_size import Beside


@pytest.fixture
def inspection() -> Inspection:
    figures = (
        Figure("density", Beside(0.834, 0.05, 0.97, 0.021, 40, 10)),
        Figure("fd", None, "40 cells of 384 numbers each"),
    )
    third = Rate(Interval(0.1, 0.04, 0.2, 40), Interval(0.05, 0.01, 0.2, 25))
    authentic = Rate(Interval(0.8, 0.7, 0.9, 40), None)
    memory = Memorisation(
        "BA", 30, 25, 40, "", third, authentic, None, "no region could be judged", ()
    )
    return Inspection(
        "cells",
        "fake",
        (Fidelity("BA", 55, 40, figures), Fidelity("", 55, 40, figures[:1])),
        (memory,),
        (),
        0,
    )


def test_each_figure_stands_with_its_n_or_its_reason(inspection: Inspection) -> None:
    lines = lines_of(inspection)
    assert [(line.code, line.title) for line in lines] == [
        ("BA", "density"),
        ("BA", "Frechet distance"),
        ("BA", "copies (1/3 rule)"),
        ("BA", "authentic"),
        ("BA", "C_T"),
        ("all", "density"),
    ]
    density, fd, copies, authentic, c_t, _ = lines
    assert (density.synthetic, density.real, density.n) == (
        "0.834",
        "0.97 +/- 0.021",
        "40",
    )
    assert (fd.synthetic, fd.real, fd.n) == ("40 cells of 384 numbers each", "", "")
    assert copies.synthetic == "0.10 [0.04, 0.20]"
    assert copies.n == "40; 25 real"
    assert (authentic.real, authentic.n) == ("too few", "40")
    assert (c_t.synthetic, c_t.n) == ("no region could be judged", "")
    assert all(line.tells for line in lines)
