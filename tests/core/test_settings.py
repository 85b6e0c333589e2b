from __future__ import annotations

from napari_cytosynth.core.settings import Setting, asked_of

OFFERED = (
    Setting("base", "Base", "Where it starts.", "", is_argument=True),
    Setting("manner", "Manner", "How.", "new", {"new": "new", "varied": "varied"}),
    Setting("strength", "Strength", "How far.", 0.5, needs=("manner", "varied")),
)


def test_what_stands_at_its_default_is_no_option() -> None:
    chosen = {"base": "", "manner": "new", "strength": 0.5}
    assert asked_of("maker", OFFERED, chosen) == ("maker", {})
    assert asked_of("maker", OFFERED, {}) == ("maker", {})


def test_an_argument_joins_the_name() -> None:
    chosen = {"base": "/a/folder", "manner": "varied", "strength": 0.3}
    expected = "maker:/a/folder", {"manner": "varied", "strength": 0.3}
    assert asked_of("maker", OFFERED, chosen) == expected


def test_a_setting_that_does_nothing_beside_the_others_is_left_out() -> None:
    assert asked_of("maker", OFFERED, {"strength": 0.3}) == ("maker", {})
