"""What *balanced* deals: set by the reader, kept with the project, obeyed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.learning.strategies.balanced import Shares
from napari_cytosynth.testing.desk import Desk, HeldRunner
from napari_cytosynth.workflows.shares import shares_of, stored_shares


def test_shares_set_are_kept_told_and_obeyed(taught: Desk, runner: HeldRunner) -> None:
    session, grid = taught.session, taught.views.annotate
    assert grid.shown("show_shares") == str(Shares())
    assert session.set_shares(typical=1)
    assert grid.shown("show_shares") == "100 % typical"
    assert stored_shares(session.project) == Shares(0, 0, 0, 1)
    focus = session.state.focus
    runner.release("rank")
    listing = session.state.listing
    assert focus is not None
    ahead = listing.ids[(listing.row_of(focus) or 0) + 1 :]
    told = [listing.reasons[int(i)] for i in ahead if int(i) in listing.reasons]
    assert len(told) > 3
    assert all("typical" in reason for reason in told[: len(told) // 2])


def test_shares_that_cannot_be_are_refused_and_the_old_ones_stay(taught: Desk) -> None:
    before = taught.session.state.shares
    assert not taught.session.set_shares(uncertain=-1, rare=2)
    assert "negative" in taught.failures[-1]
    assert not taught.session.set_shares()
    assert taught.session.state.shares == before
    assert stored_shares(taught.session.project) == Shares()


def test_a_share_ranks_anew_only_where_balanced_ranks(
    taught: Desk, runner: HeldRunner
) -> None:
    taught.session.set_strategy("margin")
    runner.release("rank")
    assert taught.session.set_shares(uncertain=1)
    assert runner.count("rank") == 0
    taught.session.set_strategy("balanced")
    assert runner.count("rank") == 1


def test_shares_are_read_from_words() -> None:
    assert shares_of("uncertain=80, rare=15,novel=5") == Shares(80, 15, 5)
    for wrong in ("often=3", "rare", "rare=much", "rare=nan", "", "rare=0"):
        with pytest.raises(InputError, match=r"no share|not all may be 0"):
            shares_of(wrong)
    assert np.isclose(sum(Shares().parts().values()), 1)
