"""The fold over events, against a slow model that anyone can check by eye."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId, EventId, SyntheticId
from napari_cytosynth.core.journal import (
    Author,
    Event,
    EventKind,
    Journal,
    Mode,
    now,
)
from napari_cytosynth.core.rereading import comments, wants_second_opinion

ANN, BOB = Author("ann"), Author("bob")
CELLS = st.integers(1, 4).map(CellId)
CODES = st.sampled_from(["A", "B", "C"])
WHO = st.sampled_from([ANN, BOB])


def journal_of(*events: Event) -> Journal:
    return Journal(number(events))


def number(events) -> list[Event]:
    return [replace(e, id=EventId(i)) for i, e in enumerate(events, 1)]


@dataclass
class Model:
    """What holds, worked out from scratch: undone events are struck from the list."""

    active: list[Event] = field(default_factory=list)

    def label(self, cell: int) -> str | None:
        codes = [
            e.data["code"]
            for e in self.active
            if e.kind is EventKind.LABEL and e.cell == cell
        ]
        code = codes[-1] if codes else None
        for event in self.active:
            if event.kind is EventKind.CLASS_MERGED and event.data["code"] == code:
                code = event.data["into"]
        return code

    def removed(self, cell: int) -> bool:
        gone = (EventKind.CELL_REMOVED, EventKind.SPLIT)
        return any(e.kind in gone and e.cell == cell for e in self.active)


class JournalMachine(RuleBasedStateMachine):
    """Any order of labels, removals, merges, undo and redo by two readers."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal()
        self.events: list[Event] = []
        self.undone: dict[str, list[Event]] = {"ann": [], "bob": []}
        self.done: dict[str, list[Event]] = {"ann": [], "bob": []}

    def take(self, event: Event) -> Event:
        numbered = replace(event, id=EventId(len(self.events) + 1))
        self.journal.check(numbered)
        self.journal.apply(numbered)
        self.events.append(numbered)
        return numbered

    def do(self, event: Event) -> None:
        numbered = self.take(event)
        self.done[event.annotator].append(numbered)
        self.undone[event.annotator].clear()

    @rule(who=WHO, cell=CELLS, code=CODES)
    def label(self, who: Author, cell: CellId, code: str) -> None:
        self.do(who.label(cell, code))

    @rule(who=WHO, cell=CELLS)
    def remove(self, who: Author, cell: CellId) -> None:
        self.do(who.removed(cell))

    @rule(who=WHO, cell=CELLS)
    def skip(self, who: Author, cell: CellId) -> None:
        self.do(who.skip(cell))

    @rule(who=WHO, code=CODES, into=CODES)
    def merge(self, who: Author, code: str, into: str) -> None:
        self.do(who.merged(code, into))

    @rule(cell=CELLS)
    def draw(self, cell: CellId) -> None:
        self.take(ANN.audit_draw(cell))

    @rule(who=WHO)
    def undo(self, who: Author) -> None:
        step = self.journal.undo_step(who.annotator)
        assert step == tuple(self.done[who.annotator][-1:])
        for target in step:
            self.take(who.undo(target.id))
            self.undone[who.annotator].append(self.done[who.annotator].pop())

    @rule(who=WHO)
    def redo(self, who: Author) -> None:
        step = self.journal.redo_step(who.annotator)
        assert step == tuple(self.undone[who.annotator][-1:])
        for target in step:
            self.take(who.redo(target.id))
            self.done[who.annotator].append(self.undone[who.annotator].pop())

    @invariant()
    def folds_as_the_model(self) -> None:
        done = self.done["ann"] + self.done["bob"]
        model = Model(sorted(done, key=lambda e: e.id))
        labels = {}
        for cell in range(1, 5):
            label = self.journal.label(CellId(cell))
            assert (label.code if label else None) == model.label(cell)
            assert self.journal.is_removed(CellId(cell)) == model.removed(cell)
            if model.label(cell) is not None and not model.removed(cell):
                labels[cell] = model.label(cell)
        assert {c: v.code for c, v in self.journal.labels().items()} == labels

    @invariant()
    def reads_back_the_same(self) -> None:
        again = Journal(self.events)
        assert again.labels() == self.journal.labels()
        assert again.events() == self.journal.events()
        assert again.last_id == self.journal.last_id
        for name in ("ann", "bob"):
            assert again.undo_step(name) == self.journal.undo_step(name)
            assert again.redo_step(name) == self.journal.redo_step(name)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None
)


@given(codes=st.lists(CODES, min_size=1, max_size=30))
def test_undoing_all_leaves_nothing_and_redoing_all_brings_it_back(codes) -> None:
    cell = CellId(1)
    events = [ANN.label(cell, code) for code in codes]
    n = len(codes)
    undos = [ANN.undo(EventId(i)) for i in range(n, 0, -1)]
    redos = [ANN.redo(EventId(i)) for i in range(1, n + 1)]
    undone = journal_of(*events, *undos)
    assert undone.label(cell) is None
    assert undone.labels() == {}
    again = journal_of(*events, *undos, *redos)
    assert again.label(cell).code == codes[-1]
    assert not again.redo_step("ann")


def test_new_event_ends_redo() -> None:
    journal = journal_of(
        ANN.label(CellId(1), "A"), ANN.undo(EventId(1)), ANN.label(CellId(1), "B")
    )
    assert not journal.redo_step("ann")
    with pytest.raises(InputError, match="not there to redo"):
        journal.check(replace(ANN.redo(EventId(1)), id=EventId(4)))


def test_readers_undo_their_own() -> None:
    journal = journal_of(ANN.label(CellId(1), "A"), BOB.label(CellId(1), "B"))
    assert [e.id for e in journal.undo_step("ann")] == [1]
    assert [e.id for e in journal.undo_step("bob")] == [2]
    assert not journal.undo_step("eve")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (ANN.undo(EventId(9)), "not there to undo"),
        (ANN.redo(EventId(1)), "not there to redo"),
        (ANN.undo(EventId(2)), "not there to undo"),
        (ANN.event(EventKind.LABEL, None, code="A"), "names no cell"),
        (ANN.event(EventKind.VERDICT, None, accept=True), "names no cell"),
        (ANN.event(EventKind.AUDIT_DRAW, None), "names no cell"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(event, says: str) -> None:
    journal = journal_of(ANN.label(CellId(1), "A"), ANN.audit_draw(CellId(1)))
    bad = replace(event, id=EventId(3))
    for attempt in (journal.check, journal.apply):
        with pytest.raises(InputError, match=says):
            attempt(bad)
    assert len(journal.events()) == 2
    assert journal.last_id == 2
    assert journal.label(CellId(1)).code == "A"


def test_ids_follow() -> None:
    journal = journal_of(ANN.label(CellId(1), "A"))
    for number_ in (0, 1):
        with pytest.raises(InputError, match="sort the events"):
            journal.apply(replace(ANN.label(CellId(1), "B"), id=EventId(number_)))


def test_a_batch_may_undo_within_itself() -> None:
    journal = journal_of(ANN.label(CellId(1), "A"))
    batch = (
        replace(ANN.label(CellId(1), "B"), id=EventId(2)),
        replace(ANN.undo(EventId(2)), id=EventId(3)),
    )
    journal.check(*batch)
    with pytest.raises(InputError):
        journal.check(*batch, replace(ANN.undo(EventId(2)), id=EventId(4)))
    assert journal.last_id == 1


def test_cell_added_and_undone_is_gone_with_its_label() -> None:
    cell = CellId(7)
    events = [
        ANN.event(EventKind.CELL_ADDED, cell),
        BOB.label(cell, "A"),
        ANN.undo(EventId(1)),
    ]
    journal = journal_of(*events)
    assert journal.is_removed(cell)
    assert journal.labels() == {}
    journal = journal_of(*events, ANN.redo(EventId(1)))
    assert not journal.is_removed(cell)
    assert journal.labels()[cell].code == "A"


def test_merges_chain_in_order_and_can_be_undone() -> None:
    journal = journal_of(
        ANN.label(CellId(1), "A"), ANN.merged("A", "B"), ANN.merged("B", "C")
    )
    assert journal.label(CellId(1)).code == "C"
    assert journal.merged("A") == "C"
    journal.apply(replace(ANN.undo(EventId(3)), id=EventId(4)))
    assert journal.labels()[CellId(1)].code == "B"


def test_merging_there_and_back_ends() -> None:
    journal = journal_of(
        ANN.merged("A", "B"), ANN.merged("B", "A"), ANN.label(CellId(1), "A")
    )
    assert journal.label(CellId(1)).code == "A"


def test_box_split_skip_comment_second_opinion() -> None:
    cell = CellId(1)
    journal = journal_of(
        ANN.box_changed(cell, (1, 2, 3, 4)),
        ANN.skip(cell),
        ANN.comment(cell, "one"),
        BOB.comment(cell, "two"),
        BOB.second_opinion(cell),
    )
    assert journal.boxes.of(cell) == (1, 2, 3, 4)
    assert journal.boxes.of(CellId(2)) is None
    assert journal.skipped(cell)
    assert comments(journal, cell) == ["one", "two"]
    assert wants_second_opinion(journal, cell)
    assert journal.touched() == {1}
    journal.apply(replace(ANN.label(cell, "A"), id=EventId(6)))
    assert not journal.skipped(cell)
    journal.apply(replace(ANN.split(cell, [CellId(2), CellId(3)]), id=EventId(7)))
    assert journal.is_removed(cell)


def test_undoing_a_split_takes_the_parts_of_its_parts_away() -> None:
    """Ann splits 1, Bob one of its halves; when Ann takes hers back, 1 stands alone."""
    journal = journal_of(
        ANN.split(CellId(1), [CellId(2), CellId(3)]),
        BOB.split(CellId(2), [CellId(4), CellId(5)]),
        BOB.label(CellId(4), "A"),
    )
    assert [c for c in range(1, 6) if not journal.is_removed(CellId(c))] == [3, 4, 5]
    journal.apply(replace(ANN.undo(EventId(1)), id=EventId(4)))
    assert [c for c in range(1, 6) if not journal.is_removed(CellId(c))] == [1]
    assert journal.labels() == Journal(journal.events()).labels() == {}
    journal.apply(replace(ANN.redo(EventId(1)), id=EventId(5)))
    assert [c for c in range(1, 6) if not journal.is_removed(CellId(c))] == [3, 4, 5]
    assert set(journal.labels()) == {4}


def test_a_cell_that_names_itself_among_its_parts_ends_nothing() -> None:
    journal = journal_of(
        ANN.split(CellId(2), [CellId(2), CellId(1)]),
        ANN.split(CellId(1), [CellId(2)]),
        ANN.label(CellId(2), "A"),
    )
    journal.apply(replace(ANN.undo(EventId(3)), id=EventId(4)))
    assert journal.is_removed(CellId(2))


def test_audit_draws_cannot_be_undone() -> None:
    journal = journal_of(ANN.audit_draw(CellId(1)))
    assert journal.is_audit(CellId(1))
    assert not journal.undo_step("ann")


def test_last_verdict_counts_until_undone() -> None:
    synthetic = SyntheticId(3)
    journal = journal_of(ANN.verdict(synthetic, True), BOB.verdict(synthetic, False))
    assert journal.verdict(synthetic) is False
    journal.apply(replace(BOB.undo(EventId(2)), id=EventId(3)))
    assert journal.verdict(synthetic) is True
    assert journal.verdict(SyntheticId(4)) is None
    assert journal.labels() == {}


def test_verdict_on_a_synthetic_cell_leaves_the_real_one_of_that_number() -> None:
    journal = journal_of(ANN.label(CellId(3), "A"), ANN.verdict(SyntheticId(3), False))
    assert journal.labels()[CellId(3)].code == "A"
    assert not journal.is_removed(CellId(3))


def test_events_carry_their_author() -> None:
    event = Author("eve", Mode.AUDIT, "head 3").label(CellId(1), "A")
    assert (event.annotator, event.mode, event.model) == ("eve", Mode.AUDIT, "head 3")
    assert event.time <= now()
    assert event.time.endswith("+00:00")
    with pytest.raises(InputError, match="not in the journal"):
        Journal().event(EventId(1))


def test_labels_given_together_are_one_step_back_and_one_forth() -> None:
    first = ANN.label(CellId(9), "A")
    many = ANN.labels([CellId(i) for i in range(1, 5)], "B")
    journal = journal_of(first, *many)
    step = journal.undo_step("ann")
    assert [e.cell for e in step] == [4, 3, 2, 1]
    assert journal.redo_step("ann") == ()
    undone = [replace(ANN.undo(e.id), id=EventId(6 + i)) for i, e in enumerate(step)]
    journal.check(*undone)
    for event in undone:
        journal.apply(event)
    assert journal.labels().keys() == {9}
    back = journal.redo_step("ann")
    assert [e.cell for e in back] == [1, 2, 3, 4]
    assert [e.cell for e in journal.undo_step("ann")] == [9]
    assert journal.undo_step("bob") == ()


def test_a_label_between_those_of_one_step_is_a_step_of_its_own() -> None:
    step = ANN.step()
    journal = journal_of(
        *ANN.labels([CellId(1), CellId(2)], "A", step),
        ANN.label(CellId(9), "B"),
        *ANN.labels([CellId(3)], "A", step),
    )
    back = journal.undo_step("ann")
    assert [e.cell for e in back] == [3, 2, 1]
    undone = [replace(ANN.undo(e.id), id=EventId(5 + i)) for i, e in enumerate(back)]
    journal.check(*undone)
    for event in undone:
        journal.apply(event)
    assert journal.labels().keys() == {9}
    assert [e.cell for e in journal.redo_step("ann")] == [1, 2, 3]
    assert [e.cell for e in journal.undo_step("ann")] == [9]


def test_two_labels_together_after_one_another_are_two_steps() -> None:
    journal = journal_of(
        *ANN.labels([CellId(1), CellId(2)], "A"),
        *ANN.labels([CellId(3), CellId(4)], "A"),
    )
    assert [e.cell for e in journal.undo_step("ann")] == [4, 3]


def test_a_batch_of_undos_is_checked_one_after_the_other() -> None:
    journal = journal_of(ANN.label(CellId(1), "A"), ANN.label(CellId(2), "A"))
    twice = [replace(ANN.undo(EventId(2)), id=EventId(i)) for i in (3, 4)]
    with pytest.raises(InputError, match="not there to undo"):
        journal.check(*twice)
    journal.check(twice[0])
    assert len(journal.labels()) == 2
