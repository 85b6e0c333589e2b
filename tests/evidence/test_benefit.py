from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError, ProvenanceError, StorageError
from napari_cytosynth.core.ids import CellId, EventId, SyntheticId
from napari_cytosynth.core.journal import Author, Journal
from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.benefit import REPEATS, measure
from napari_cytosynth.evidence.question import Question
from napari_cytosynth.evidence.record import Difference, Evidence
from napari_cytosynth.evidence.report import html_of, write_report
from napari_cytosynth.evidence.verdict import ALPHA, verdict_of
from napari_cytosynth.metrics.intervals import Interval
from napari_cytosynth.metrics.scores import draw_counts, interval_of, weighted_scores
from napari_cytosynth.synthesis.controls.class_weights import ClassWeights
from napari_cytosynth.synthesis.controls.duplicates import Duplicates
from napari_cytosynth.testing.tiny import tiny_synthetic

CLASSES = ("SNE", "LY", "BA")
DIM = 12
MEANS = dict(zip(CLASSES, np.random.default_rng(5).normal(size=(3, DIM)), strict=True))


def _vectors(code: str, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng([seed, CLASSES.index(code)]).normal(size=(n, DIM))
    return (MEANS[code] + 1.2 * noise).astype(np.float32)


def _cells(seed: int, **counts: int) -> LabelledCells:
    parts = [_vectors(code, n, seed) for code, n in counts.items()]
    codes = tuple(code for code, n in counts.items() for _ in range(n))
    return LabelledCells(
        np.arange(1, len(codes) + 1),
        codes,
        np.zeros((0, 96, 96, 3), np.uint8),
        np.concatenate(parts),
        "fake",
        np.arange(len(codes)).astype(np.str_),
    )


def _question(made: np.ndarray, code: str = "BA", *, audit: int = 60) -> Question:
    return Question(
        real=_cells(0, SNE=60, LY=60, BA=2),
        audit=_cells(1, SNE=60, LY=60, BA=audit),
        vectors=made,
        codes=(code,) * len(made),
        classes=CLASSES,
        controls=(ClassWeights(), Duplicates()),
        caveats=("split by blocks",),
    )


def test_true_new_cells_help() -> None:
    """Fresh draws of the real distribution: what a perfect generator would give."""
    evidence = run_to_end(measure(_question(_vectors("BA", 20, 7))))
    assert "recall of BA" in evidence.verdict
    assert "no benefit" not in evidence.verdict
    table = {(d.metric, d.code, d.other): d.interval for d in evidence.differences}
    for control in ("none", "class_weights", "duplicates"):
        assert table["recall", "BA", control].low > 0
    assert evidence.verdict.rsplit(" against ")[1] in ("class weights", "duplicates")


def test_every_case_learns_from_what_it_says() -> None:
    question = replace(
        _question(_vectors("BA", 20, 7)), drawn=_drawn(30, 8), codes=("BA",) * 20
    )
    evidence = run_to_end(measure(question, seeds=2))
    assert [case.case for case in evidence.cases] == [
        "none",
        "class_weights",
        "duplicates",
        "synthetic",
        "embedding",
    ]
    assert evidence.counts["BA"]["vectors"] == 30
    macro = {case.case: case.macro_f1.value for case in evidence.cases if case.macro_f1}
    assert macro["embedding"] > macro["none"] + 0.05
    asked = {(d.case, d.other) for d in evidence.differences}
    assert len(asked) == 6


def test_vectors_alone_can_be_judged() -> None:
    question = replace(_question(np.zeros((0, DIM), np.float32)), drawn=_drawn(30, 8))
    said = run_to_end(measure(question)).verdict
    assert "no synthetic cell was accepted" in said
    assert "; synthetic vectors: +" in said
    copies = np.repeat(question.real.vectors[-2:], 15, axis=0)
    copied = TrainingSet(copies, ("BA",) * 30, np.ones(30))
    said = run_to_end(measure(replace(question, drawn=(copied,)))).verdict
    assert "synthetic vectors: no benefit found" in said


def _drawn(n: int, seed: int) -> tuple[TrainingSet, ...]:
    return tuple(
        TrainingSet(_vectors("BA", n, seed + run), ("BA",) * n, np.ones(n))
        for run in range(2)
    )


def test_copies_do_not_help() -> None:
    """Copies of the real cells are no better than the repeats they are."""
    real = _question(np.zeros((0, DIM), np.float32)).real
    copies = np.repeat(real.vectors[-2:], 10, axis=0)
    evidence = run_to_end(measure(_question(copies)))
    assert evidence.verdict.startswith("no benefit found")


def test_cells_of_another_class_do_harm() -> None:
    """Half of a class's weight is that of its real cells: two classes must be mixed."""
    wrong = np.concatenate([_vectors("LY", 60, 3), _vectors("SNE", 60, 3)])
    question = replace(_question(wrong), codes=("SNE",) * 60 + ("LY",) * 60)
    assert "harm" in run_to_end(measure(question)).verdict


@pytest.mark.parametrize(
    ("audit", "told"), [(0, "0 audit cells"), (1, "1 audit cell"), (9, "9 audit cells")]
)
def test_too_few_audit_cells(audit: int, told: str) -> None:
    evidence = run_to_end(measure(_question(_vectors("BA", 20, 7), audit=audit)))
    assert evidence.covered == ("SNE", "LY")
    assert "macro-F1 covers 2 of 3 classes" in evidence.caveat
    assert "nothing of BA, which was filled" in evidence.caveat
    assert f"Left out, with their audit cells: BA ({audit}, filled)" in html_of(
        evidence
    )
    assert evidence.verdict == (
        f"cannot be estimated yet: {told} of BA; ten are needed"
    )
    case = evidence.case("synthetic")
    assert case is not None
    assert case.classes["BA"].recall is None
    assert case.classes["LY"].recall is not None


def test_no_audit_cells_at_all() -> None:
    question = _question(_vectors("BA", 20, 7))
    bare = Question(
        question.real,
        question.audit.take(np.zeros(len(question.audit), bool)),
        question.vectors,
        question.codes,
        CLASSES,
    )
    evidence = run_to_end(measure(bare))
    assert not evidence.cases
    assert "0 audit cells of BA" in evidence.verdict


def test_no_synthetic_cells() -> None:
    evidence = run_to_end(measure(_question(np.zeros((0, DIM), np.float32))))
    assert "no synthetic cell was accepted" in evidence.verdict


def test_synthetic_cells_cannot_be_audited() -> None:
    question = _question(_vectors("BA", 3, 7))
    with pytest.raises(ProvenanceError, match="evaluation"):
        Question(
            question.real,
            tiny_synthetic(built_in("pbc11"), "BA", 2),  # type: ignore[arg-type]
            question.vectors,
            question.codes,
            CLASSES,
        )


def test_json_round_trip() -> None:
    evidence = run_to_end(measure(_question(_vectors("BA", 20, 7), audit=4), seeds=2))
    text = json.dumps(evidence.to_json(), allow_nan=False)
    assert Evidence.from_json(json.loads(text)) == evidence
    assert "research use only" in text.lower()
    assert evidence.caveats[0] == "split by blocks"


# The verdict


def _verdict(
    low: float, other: float, overall: float = 0.1, *, macro: float = 0.0
) -> str:
    counts = {
        "BA": {"real": 5, "synthetic": 9, "audit": 20},
        "LY": {"real": 5, "synthetic": 0, "audit": 20},
    }
    return verdict_of(
        counts,
        [
            Difference("macro-F1", "", "none", Interval(0.0, -0.1, overall, 40)),
            Difference("macro-F1", "", "duplicates", Interval(macro, -0.1, 0.1, 40)),
            Difference("recall", "BA", "none", Interval(0.06, low, 0.10, 20)),
            Difference("recall", "BA", "duplicates", Interval(0.05, other, 0.10, 20)),
        ],
    )


def test_a_gain_is_told_with_its_interval() -> None:
    said = _verdict(0.02, 0.01)
    assert said == "+0.05 recall of BA [+0.01, +0.10] against duplicates"


def test_a_gain_that_repeats_bring_too_is_none() -> None:
    assert _verdict(0.02, -0.01) == (
        "no benefit found: +0.05 recall of BA [-0.01, +0.10] against duplicates"
    )


def test_a_gain_that_does_not_survive_holm_is_none() -> None:
    counts = {"BA": {"real": 5, "synthetic": 9, "audit": 20}, "LY": {"real": 5}}
    counts["LY"] |= {"synthetic": 0, "audit": 20}
    gain = Difference("recall", "BA", "none", Interval(0.06, 0.01, 0.1, 20), p=0.06)
    overall = Difference("macro-F1", "", "none", Interval(0.0, -0.1, 0.1, 40))
    assert verdict_of(counts, [overall, gain]).startswith("no benefit found")
    assert verdict_of(counts, [overall, replace(gain, p=0.04)]).startswith("+0.06")


def test_a_gain_within_the_noise_is_none() -> None:
    assert _verdict(-0.01, 0.01).startswith("no benefit found")


def test_a_gain_that_other_classes_pay_for_is_none() -> None:
    said = _verdict(0.02, 0.01, macro=-0.03)
    assert said.startswith("no benefit found: +0.05 recall of BA")
    assert "but -0.03 [-0.10, +0.10] macro-F1 against duplicates" in said


def _width(evidence: Evidence, code: str = "BA") -> float:
    table = {(d.metric, d.code, d.other): d.interval for d in evidence.differences}
    found = table["recall", code, "none"]
    return found.high - found.low


def test_more_filled_classes_ask_for_wider_intervals() -> None:
    one = _question(_vectors("BA", 20, 7))
    none = [_vectors(code, 1, 8) for code in ("SNE", "LY")]
    three = replace(
        one,
        vectors=np.concatenate([one.vectors, *none]),
        codes=(*one.codes, "SNE", "LY"),
    )
    alone, together = (run_to_end(measure(q, seeds=1)) for q in (one, three))
    assert _width(together) > _width(alone)
    assert "Holm" not in alone.caveat
    assert "by Holm" in together.caveat
    assert "95% to 98.3%" in together.caveat


def test_p_of_the_classes_are_corrected_by_holm() -> None:
    """The filled classes are one family; the control that is beaten least decides."""
    made = [_vectors(code, 20, 7) for code in CLASSES]
    question = replace(
        _question(np.concatenate(made)),
        codes=tuple(code for code in CLASSES for _ in range(20)),
    )
    found = run_to_end(measure(question))
    for control in ("none", "class_weights", "duplicates"):
        own = {d.code: d for d in found.differences if d.other == control}
        assert own[""].p is None
        told = np.array([own[code].p for code in CLASSES], float)
        # Undone by hand: the smallest of three was multiplied by three.
        assert min(told) >= 3 * 2 / REPEATS
        for code in CLASSES:
            away = own[code].interval.low > 0 or own[code].interval.high < 0
            assert away or own[code].p > ALPHA
    for code in CLASSES:
        assert len({d.p for d in found.differences if d.code == code}) == 1
    assert Evidence.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_class_that_was_not_filled_is_no_part_of_the_family() -> None:
    found = run_to_end(measure(_question(_vectors("BA", 20, 7)), seeds=1))
    asked = {d.code for d in found.differences if d.p is not None}
    assert asked == {"BA"}


def test_evidence_of_an_older_version_has_no_p() -> None:
    found = run_to_end(measure(_question(_vectors("BA", 20, 7)), seeds=1))
    old = found.to_json()
    for difference in old["differences"]:
        del difference["p"]
    assert all(d.p is None for d in Evidence.from_json(old).differences)


def test_cells_of_a_group_are_drawn_together() -> None:
    """Six like cells of each of ten patients tell little more than one of each."""
    question = _question(_vectors("BA", 20, 7), audit=10)
    audit = question.audit
    times = [6 if code == "BA" else 1 for code in audit.codes]
    like = audit.take(np.repeat(np.arange(len(audit)), times))
    apart = replace(like, groups=np.arange(len(like)).astype(np.str_))
    tied, free, single = (
        run_to_end(measure(replace(question, audit=cells), seeds=1))
        for cells in (like, apart, replace(like, groups=np.full(len(like), "p")))
    )
    assert _width(tied) > 1.5 * _width(free)
    assert f"{len(audit)} groups or blocks" in tied.caveat
    assert "one group" in single.caveat
    assert _width(single) == pytest.approx(_width(free), abs=0.04)


def test_cells_of_one_patient_leave_doubt() -> None:
    """All audit basophils are one patient's; drawn whole, their recall never varies."""
    alone = _question(_vectors("BA", 20, 7), audit=12)
    groups = np.array([str(n % 8) for n in range(len(alone.audit))])
    groups[[code == "BA" for code in alone.audit.codes]] = "one"
    tied = replace(alone, audit=replace(alone.audit, groups=groups))
    found = run_to_end(measure(tied, seeds=1))
    table = {(d.metric, d.code, d.other): d.interval for d in found.differences}
    gain = table["recall", "BA", "none"]
    assert gain.value > 0
    assert gain.low < gain.value < gain.high
    assert "audit cells of BA come from fewer than 5 groups" in found.caveat
    spread = run_to_end(measure(alone, seeds=1))
    assert "fewer than 5 groups or blocks, so" not in spread.caveat


def test_artefacts_taken_for_cells_count_against_precision() -> None:
    clean = _question(_vectors("BA", 20, 7))
    dirty = replace(
        clean.audit,
        ids=np.arange(1, 201),
        codes=(*clean.audit.codes, *("ART",) * 20),
        vectors=np.concatenate([clean.audit.vectors, _vectors("BA", 20, 11)]),
        groups=np.arange(200).astype(np.str_),
    )
    before, after = (
        run_to_end(measure(q, seeds=1)).case("synthetic")
        for q in (clean, replace(clean, audit=dirty))
    )
    assert before is not None
    assert after is not None
    lower = after.classes["BA"].precision.value  # type: ignore[union-attr]
    assert lower < before.classes["BA"].precision.value - 0.1  # type: ignore[union-attr]
    assert after.classes["BA"].recall == before.classes["BA"].recall
    assert "ART" not in after.classes


# Age


def test_evidence_says_what_was_given_since() -> None:
    author, journal = Author("a"), Journal()
    events = [
        author.label(CellId(1), "BA"),
        author.label(CellId(2), "BA"),
        author.comment(CellId(2), "odd"),
        author.verdict(SyntheticId(4), True),
    ]
    for number, event in enumerate(events, 1):
        journal.apply(replace(event, id=EventId(number)))
    made = Evidence("x", (), (), (), {}, (0,), 0, "fake", event=1)
    assert made.outdated(journal) == (
        "older than your last label and verdict; evaluate again"
    )
    assert replace(made, event=4).outdated(journal) == ""
    assert replace(made, event=None).outdated(journal) == ""
    journal.apply(replace(author.undo(EventId(2)), id=EventId(5)))
    assert "last label;" in replace(made, event=4).outdated(journal)


def test_harm_to_all_outweighs_a_gain_of_one() -> None:
    assert _verdict(0.02, 0.01, overall=-0.01).startswith("it did harm")


# Scores


def test_scores_agree_with_a_count_by_hand() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2])
    guess = np.array([0, 0, 1, 1, 0, -1])
    scores = weighted_scores(truth, guess, np.ones((1, 6)), 4)
    np.testing.assert_allclose(scores.recall[0, :3], [2 / 3, 1 / 2, 0])
    # The third was there and never guessed: that is no precision, not an unknown one.
    np.testing.assert_allclose(scores.precision[0, :3], [2 / 3, 1 / 2, 0])
    np.testing.assert_allclose(scores.f1[0, 2], 0)
    assert np.isnan(scores.recall[0, 3])
    assert np.isnan(scores.precision[0, 3])
    assert scores.macro_f1[0] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_bootstrap_counts_start_with_the_sample_itself() -> None:
    counts = draw_counts(8, 50, np.random.default_rng(0))
    assert counts.shape == (51, 8)
    assert (counts[0] == 1).all()
    assert (counts.sum(axis=1) == 8).all()
    assert draw_counts(0, 5, np.random.default_rng(0)).shape == (6, 0)


def test_interval_skips_undefined_resamples() -> None:
    found = interval_of(np.array([0.5, np.nan, 0.4, 0.6]), 7)
    assert found.value == 0.5
    assert 0.4 <= found.low < found.high <= 0.6
    assert found.n == 7


# The report


def test_report_stands_by_itself(tmp_path: Path) -> None:
    evidence = run_to_end(measure(_question(_vectors("BA", 20, 7), audit=4), seeds=2))
    page, twin = write_report(evidence, tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert f"<p class='verdict'>{evidence.sentence}</p>" in text
    assert evidence.sentence == f"C{evidence.verdict[1:]}."
    # Only differences of single classes are corrected, and have a p.
    assert "p (Holm)" not in text
    assert "-0.00" not in text
    assert "split by blocks" in text
    assert "Research use only" in text
    assert "Cannot be estimated yet" in text
    assert "<svg" in text
    assert not any(word in text for word in ("http://", "https://", "<script", "src="))
    assert Evidence.from_json(json.loads(twin.read_text(encoding="utf-8"))) == evidence


def test_report_escapes_what_it_is_given() -> None:
    evidence = Evidence("<b>x</b>", ("a < b",), (), (), {}, (0,), 0, "<i>")
    text = html_of(evidence)
    assert "<b>x</b>" not in text
    assert "&lt;b&gt;" in text


def test_a_report_does_not_lose_its_page_to_its_figures(tmp_path: Path) -> None:
    evidence = Evidence("x", (), (), (), {}, (0,), 0, "fake")
    with pytest.raises(InputError, match=r"end in \.html"):
        write_report(evidence, tmp_path / "report.json")
    assert not list(tmp_path.iterdir())


def test_figures_replace_no_file_that_nobody_named(tmp_path: Path) -> None:
    evidence = Evidence("x", (), (), (), {}, (0,), 0, "fake")
    labels = tmp_path / "labels.json"
    labels.write_text('{"images": []}')
    with pytest.raises(StorageError, match="another kind"):
        write_report(evidence, tmp_path / "labels.html")
    assert labels.read_text() == '{"images": []}'
    for _ in range(2):
        page, _ = write_report(evidence, tmp_path / "report.html")
    assert page.is_file()


def test_shares_of_the_report_are_those_of_its_confusion_matrix() -> None:
    evidence = run_to_end(measure(_question(_vectors("BA", 20, 7)), seeds=3))
    seen = 0
    for case in evidence.cases:
        counts = np.array(case.confusion)
        for row, (code, told) in enumerate(case.classes.items()):
            if told.recall is not None:
                seen += 1
                share = counts[row, row] / counts[row].sum()
                assert told.recall.value == pytest.approx(share, abs=1e-6), code
    assert seen


def test_report_into_what_is_no_folder(tmp_path: Path) -> None:
    evidence = Evidence("x", (), (), (), {}, (0,), 0, "fake")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        write_report(evidence, tmp_path / "file" / "report.html")
    page, twin = write_report(evidence, tmp_path / "new" / "report.html")
    assert page.is_file()
    assert twin.is_file()
