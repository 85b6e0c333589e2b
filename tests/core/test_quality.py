from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_cytosynth.core.quality import (
    Evidence,
    Flaw,
    Limits,
    flaws_of,
    names,
    words,
)


def sound(n: int) -> Evidence:
    return Evidence(
        smears=np.ones(n, np.int64),
        edge_um=np.full(n, 0.2, np.float32),
        torn=np.zeros(n, np.float32),
        cut=np.zeros(n, bool),
        depth=np.zeros(n, np.float32),
    )


def test_nothing_is_wrong_with_sound_cells() -> None:
    assert flaws_of(sound(3)).tolist() == [0, 0, 0]
    assert len(flaws_of(sound(0))) == 0


def test_each_flaw_has_its_own_bit() -> None:
    limits = Limits()
    evidence = replace(
        sound(4),
        edge_um=np.array([limits.edge_um, 0.2, 0.2, 0.9], np.float32),
        torn=np.array([0, limits.torn, 0, 0.9], np.float32),
        cut=np.array([False, False, True, True]),
        depth=np.array([0, 0, limits.depth, 0.9], np.float32),
    )
    flags = flaws_of(evidence)
    assert flags.dtype == np.uint8
    assert flags[0] == Flaw.BLURRED
    assert flags[1] == Flaw.DAMAGED
    assert flags[2] == Flaw.CUT | Flaw.OVERLAPPING
    assert flags[3] == sum(int(flaw) for flaw in Flaw)


def test_a_soft_smear_flags_only_what_is_softer_than_its_other_cells() -> None:
    edges = np.array([0.45] * 8 + [0.6, 0.75, 2.0], np.float32)
    soft = replace(sound(11), edge_um=edges)
    assert flaws_of(soft).tolist() == [0] * 9 + [Flaw.BLURRED] * 2
    few = replace(sound(3), edge_um=np.array([0.45, 0.45, 0.6], np.float32))
    assert flaws_of(few).tolist() == [0, 0, Flaw.BLURRED]
    worst = replace(sound(9), edge_um=np.full(9, 0.9, np.float32))
    assert (flaws_of(worst) == Flaw.BLURRED).all()


def test_other_smears_do_not_count() -> None:
    edges = np.array([0.2] * 12 + [0.49] * 8 + [0.6], np.float32)
    smears = np.array([1] * 12 + [2] * 9, np.int64)
    evidence = replace(sound(21), edge_um=edges, smears=smears)
    assert not flaws_of(evidence).any()
    one = replace(evidence, smears=np.ones(21, np.int64))
    assert flaws_of(one)[-1] == Flaw.BLURRED


def test_what_was_not_measured_is_not_flagged() -> None:
    nothing = np.full(2, np.nan, np.float32)
    evidence = replace(sound(2), edge_um=nothing, torn=nothing)
    assert not flaws_of(evidence).any()


def test_flaws_in_words() -> None:
    assert words(0) == ""
    assert words(Flaw.BLURRED | Flaw.OVERLAPPING) == "blurred, overlapping"
    assert names(Flaw.CUT | Flaw.DAMAGED) == ["cut", "damaged"]
