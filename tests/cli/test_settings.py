from typing import get_args

import pytest

from napari_cytosynth.cli.suggest import PartShares
from napari_cytosynth.cli.synthesize import read_settings
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.learning.strategies.balanced import Shares


def test_settings_are_numbers_words_and_flags():
    given = ["steps=6", "strategy=in-then-out", "match_stain=false", "strength=0.5"]
    assert read_settings(given) == {
        "steps": 6,
        "strategy": "in-then-out",
        "match_stain": False,
        "strength": 0.5,
    }
    assert read_settings([]) == {}


@pytest.mark.parametrize("odd", ["steps", "=6"])
def test_a_setting_without_name_or_value_is_refused(odd):
    with pytest.raises(InputError, match="--set NAME=VALUE"):
        read_settings([odd])


def test_the_shares_that_help_tells_are_those_that_are_dealt():
    told = ",".join(f"{k}={100 * v:.0f}" for k, v in Shares().parts().items())
    assert told in get_args(PartShares)[1].help
