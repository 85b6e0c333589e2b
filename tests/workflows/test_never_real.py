"""No path puts a synthetic cell or vector where only real cells may stand.

Whatever is added, labelled, filled, accepted, trained, searched, measured and exported,
in any order: validation, test, audit, counts and default exports hold real cells.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from napari_cytosynth.app.exchange import ExportForm
from napari_cytosynth.cli import main
from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.events import REAL
from napari_cytosynth.core.ids import CellId, SyntheticId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import TrainingSet
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.splits import Split, split_cells
from napari_cytosynth.core.tasks import Task, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.evidence.question import Question
from napari_cytosynth.learning import fitting
from napari_cytosynth.learning.head import Head
from napari_cytosynth.store import MemoryProject, create_project, open_project
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_detections, tiny_project, tiny_synthetic
from napari_cytosynth.workflows.audit import stamped
from napari_cytosynth.workflows.doubts import doubted_labels
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.evaluate import evaluate, stored_evidence
from napari_cytosynth.workflows.exchange import ImportOptions, importing
from napari_cytosynth.workflows.exporting import ExportOptions, export_labels
from napari_cytosynth.workflows.exporting_datasets import (
    DatasetOptions,
    export_dataset,
)
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.progress import measure_curve
from napari_cytosynth.workflows.reader_test import call, deal
from napari_cytosynth.workflows.review import judge
from napari_cytosynth.workflows.search import find_class
from napari_cytosynth.workflows.splitting import held_out_cells, labelled_cells
from napari_cytosynth.workflows.suggest import label_counts, suggest
from napari_cytosynth.workflows.summary import class_summary
from napari_cytosynth.workflows.synthesize import fill
from napari_cytosynth.workflows.train import stored_head, train_head
from napari_cytosynth.workflows.use_gate import ask
from napari_cytosynth.workflows.vectors import fill_vectors
from tests.workflows.test_provenance import FLAGS

CODES = ("BAS", "EOS", "LYM", "MON")
ADA = Author("Ada")
ENRICH = (None, "smote", "duplicates", "latent", "embedding")
codes = st.sampled_from(CODES)
numbers = st.integers(0, 10_000)
seeds = st.integers(0, 3)


@contextlib.contextmanager
def measured_on(real: set[bytes], synthetic: set[bytes]) -> Iterator[None]:
    """Fail where a head is tried on a row, or calibrated on one, that is no real one.

    ``real`` and ``synthetic`` hold the bytes of the vectors.
    """
    predict, deal_out = Head.predict_proba, fitting.fit_head

    def tried(head: Head, vectors: Any) -> Any:
        rows = {row.tobytes() for row in np.asarray(vectors, np.float32)}
        assert rows <= real, "a head was tried on what is no real cell"
        return predict(head, vectors)

    def fitted(training: TrainingSet, **options: Any) -> Head:
        if options.get("folds", 3) and options.get("groups") is not None:
            for row, group in zip(training.vectors, options["groups"], strict=True):
                known = row.tobytes() in real
                assert known or not group, "a synthetic row calibrates a head"
        else:
            assert not options.get("folds", 3) or not (
                {row.tobytes() for row in training.vectors} & synthetic
            ), "a synthetic row may calibrate a head"
        return deal_out(training, **options)

    with (
        patch.object(Head, "predict_proba", tried),
        patch.object(fitting, "fit_head", fitted),
    ):
        yield


class Workflows(RuleBasedStateMachine):
    """A project to which anything may happen, in any order."""

    @initialize()
    def begin(self) -> None:
        self.project = MemoryProject(built_in("blood5"))
        self.compute = FakeCompute()
        self.truth: dict[CellId, str] = {}
        self.key = ""
        self.folder = tempfile.TemporaryDirectory()
        self.add_smears(12)
        self.label_many(0, 180, audit=True)  # eleven audit cells of a class and more

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    # What happens to real cells.

    @rule(count=st.integers(1, 2))
    def add_smears(self, count: int) -> None:
        self.truth |= tiny_project(
            self.project, smears=count, cells_per_smear=16, seed=len(self.truth)
        )
        self.key = run_to_end(embed_cells(self.project, self.compute))

    @rule(start=numbers, count=st.integers(1, 40), audit=st.booleans())
    def label_many(self, start: int, count: int, audit: bool) -> None:
        cells = sorted(self.truth)
        held_out = set(held_out_cells(self.project).tolist())
        for step in range(count):
            cell = cells[(start + step) % len(cells)]
            dealt = audit and int(cell) in held_out
            author, draw = stamped(self.project.journal, ADA, cell, dealt=dealt)
            self.project.record(*draw, author.label(cell, self.truth[cell]))

    @rule(place=numbers)
    def remove(self, place: int) -> None:
        self.project.record(ADA.removed(sorted(self.truth)[place % len(self.truth)]))

    @rule()
    def undo(self) -> None:
        for target in self.project.journal.undo_step("Ada"):
            self.project.record(ADA.undo(target.id))

    # What makes and judges synthetic ones.

    @rule(code=codes, seed=seeds, count=st.integers(1, 3))
    def store_painted(self, code: str, seed: int, count: int) -> None:
        made = tiny_synthetic(self.project.taxonomy, code, count, seed=50 + seed)
        self.project.add_synthetic(made)

    @rule(code=codes, seed=seeds)
    def fill_cells(self, code: str, seed: int) -> None:
        self.tried(fill(self.project, self.compute, Ask(code, 2, seed=seed)))

    @rule(code=codes, seed=seeds)
    def fill_with_vectors(self, code: str, seed: int) -> None:
        task = fill_vectors(
            self.project,
            self.compute,
            Ask(code, 3, seed=seed, generator="embedding"),
            self.key,
        )
        self.tried(task)

    @rule(place=numbers, accept=st.booleans())
    def judge_one(self, place: int, accept: bool) -> None:
        made = self.project.synthetic()
        with contextlib.suppress(ProvenanceError):  # the gate dropped it
            if made:
                judge(self.project, made[place % len(made)], accept, ADA)

    @rule()
    def accept_all(self) -> None:
        for cell in self.project.synthetic(None, Status.PROPOSED):
            judge(self.project, cell, True, ADA)

    @rule(seed=seeds)
    def read_blinded(self, seed: int) -> None:
        with contextlib.suppress(InputError):
            test = deal(self.project, "Ada", np.random.default_rng(seed), cells=10)
            for place in range(len(test.cells)):
                call(self.project, test, place, bool(place % 2), ADA)

    # What learns, ranks and measures.

    @rule(enrich=st.sampled_from(ENRICH))
    def train(self, enrich: str | None) -> None:
        task = train_head(self.project, self.key, enrich=enrich, compute=self.compute)
        self.tried(task)

    @rule()
    def ask_the_use_gate(self) -> None:
        self.tried(ask(self.project, self.key, self.compute))

    @rule()
    def learning_curve(self) -> None:
        self.tried(measure_curve(self.project, self.key))

    @rule()
    def doubts(self) -> None:
        found = self.tried(doubted_labels(self.project, self.key))
        if found is not None:
            assert {CellId(doubt.cell) for doubt in found.found} <= set(self.truth)

    @rule(seed=seeds)
    def evaluate_it(self, seed: int) -> None:
        self.tried(evaluate(self.project, self.key, self.compute, seed=seed, seeds=1))

    @rule(strategy=st.sampled_from(["balanced", "margin", "random"]), seed=seeds)
    def rank(self, strategy: str, seed: int) -> None:
        head = stored_head(self.project, self.key)
        with self.watched():
            found = suggest(
                self.project, self.key, head=head, strategy=strategy, n=30, seed=seed
            )
        ranked = [*found.query.ids.tolist(), *found.draws.tolist()]
        assert {CellId(number) for number in ranked} <= set(self.truth)

    @rule(code=codes)
    def search(self, code: str) -> None:
        found = self.tried(find_class(self.project, self.compute, code, self.key, n=20))
        if found is not None:
            assert {CellId(n) for n in found.query.ids.tolist()} <= set(self.truth)

    # What leaves, and comes back.

    @rule(name=st.sampled_from(sorted(FLAGS)))
    def export_by_default(self, name: str) -> None:
        path = Path(self.folder.name) / f"labels.{name}"
        report = export_labels(self.project, path, name)
        flags = FLAGS[name](path)
        assert (report.synthetic, any(flags)) == (0, False)
        assert len(flags) == report.cells == len(self.project.journal.labels())

    @rule(name=st.sampled_from(sorted(FLAGS)))
    def export_all_and_import(self, name: str) -> None:
        path = Path(self.folder.name) / f"both.{name}"
        export_labels(self.project, path, name, include_synthetic=True)
        before = len(self.project.cells()), self.project.journal.labels().keys()
        with contextlib.suppress(InputError):  # such as a file without any object
            run_to_end(importing(self.project, path, name, ImportOptions(ADA)))
        assert (
            len(self.project.cells()),
            self.project.journal.labels().keys(),
        ) == before

    @rule()
    @precondition(lambda self: self.project.synthetic(None, Status.ACCEPTED))
    def give_away(self) -> None:
        path = Path(self.folder.name) / "set"
        with contextlib.suppress(InputError):  # all accepted ones learned a test cell
            export_dataset(self.project, path, DatasetOptions(real=True))
            assert not (path / "synthetic" / "test").exists()
            for table in path.glob("real/*/metadata.jsonl"):
                told = map(json.loads, table.read_text("utf-8").splitlines())
                assert not any(row["synthetic"] for row in told)

    # What must hold, whatever happened.

    @invariant()
    def cells_are_the_real_ones(self) -> None:
        table = self.project.cells()
        assert {CellId(number) for number in table.ids.tolist()} <= set(self.truth)
        assert set(held_out_cells(self.project).tolist()) <= set(table.ids.tolist())
        crops = {crop.tobytes() for crop in self.project.crops(table.ids)}
        assert not crops & {c.pixels.tobytes() for c in self.project.synthetic()}

    @invariant()
    def counts_are_of_real_labels(self) -> None:
        labels = self.project.journal.labels()
        assert set(labels) <= set(self.truth)
        counts = Counter(label.code for label in labels.values())
        assert Counter(label_counts(self.project)) == counts
        head = stored_head(self.project, self.key)
        accepted = Counter(
            c.code for c in self.project.synthetic(None, Status.ACCEPTED)
        )
        with self.watched():
            rows = class_summary(self.project, head, self.key)
        for row in rows:
            assert row.labelled == counts[row.code]
            assert row.synthetic == accepted[row.code]
        predicted = sum(row.predicted or 0 for row in rows)
        assert predicted <= len(self.project.cells()) - len(labels)

    @invariant()
    def what_measures_is_real_and_drawn(self) -> None:
        labels = self.project.journal.labels()
        held_out = set(held_out_cells(self.project).tolist())
        audit = labelled_cells(self.project, self.key, Split.AUDIT, abstain=True)
        wanted = {
            int(cell)
            for cell, label in labels.items()
            if label.mode is Mode.AUDIT and int(cell) in held_out
        }
        assert set(audit.ids.tolist()) == wanted
        assert {row.tobytes() for row in audit.vectors} <= self.real_vectors()
        train = labelled_cells(self.project, self.key, Split.TRAIN)
        assert not held_out & set(train.ids.tolist())
        assert {row.tobytes() for row in train.vectors} <= self.real_vectors()

    def tried(self, task: Task[Any]) -> Any:
        """Run a task that may have too little to go by; None where it had."""
        with self.watched():
            try:
                return run_to_end(task)
            except InputError:
                return None

    def watched(self) -> Any:
        return measured_on(self.real_vectors(), self.synthetic_vectors())

    def real_vectors(self) -> set[bytes]:
        rows = self.project.embeddings(self.key, sorted(self.truth))
        return {row.tobytes() for row in rows}

    def synthetic_vectors(self) -> set[bytes]:
        cells = self.project.synthetic()
        found = set()
        if cells:
            crops = np.stack([cell.pixels for cell in cells])
            rows = run_to_end(self.compute.embed("starter", crops))
            found = {row.tobytes() for row in rows}
        for code in self.project.taxonomy.cell_codes:
            kept = self.project.model(f"vectors:{code}")
            if kept is not None and "vectors" in kept.tensors:
                found |= {row.tobytes() for row in kept.tensors["vectors"]}
        return found


def test_every_path_once_with_enough_to_measure() -> None:
    """The same in one order, so that none of them ends for want of cells."""
    machine = Workflows()
    machine.begin()
    try:
        machine.store_painted(code="BAS", seed=0, count=6)
        machine.fill_cells(code="EOS", seed=0)
        machine.fill_with_vectors(code="LYM", seed=0)
        machine.accept_all()
        machine.read_blinded(seed=0)
        for enrich in ENRICH:
            machine.train(enrich=enrich)
        machine.ask_the_use_gate()
        machine.learning_curve()
        machine.doubts()
        machine.evaluate_it(seed=0)
        machine.rank(strategy="balanced", seed=0)
        machine.search(code="BAS")
        for name in sorted(FLAGS):
            machine.export_by_default(name=name)
            machine.export_all_and_import(name=name)
        machine.give_away()
        machine.cells_are_the_real_ones()
        machine.counts_are_of_real_labels()
        machine.what_measures_is_real_and_drawn()
        assert stored_head(machine.project, machine.key) is not None
        evidence = stored_evidence(machine.project)
        assert evidence is not None
        assert any(case.macro_f1 is not None for case in evidence.cases)
        assert machine.synthetic_vectors()
        assert machine.project.journal.calls("reader:1")
    finally:
        machine.teardown()


TestWorkflows = Workflows.TestCase
TestWorkflows.settings = settings(
    max_examples=5,
    stateful_step_count=15,
    suppress_health_check=list(HealthCheck),
)


VERBS: dict[str, tuple[str, ...]] = {
    "label": ("label", "{project}", "{real}", "{code}"),
    "accept": ("review", "{project}", "--accept", "{made}"),
    "reject": ("review", "{project}", "--reject", "{made}"),
    "suggest": ("suggest", "{project}", "--embedder", "morphology", "-n", "20"),
    "train": ("train", "{project}", "--embedder", "morphology"),
    "evaluate": ("evaluate", "{project}", "--embedder", "morphology"),
    "info": ("info", "{project}"),
    "csv": ("export", "{project}", "{out}/l.csv", "--format", "csv"),
    "both": ("export", "{project}", "{out}/b.csv", "--format", "csv", "{with}"),
    "import": ("import", "{project}", "{out}/b.csv", "--format", "csv"),
    "set": ("export", "{project}", "{out}/set", "--format", "croissant"),
}
"""Verbs that change what a project holds, or tell of it."""


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(VERBS)), numbers, codes),
        min_size=5,
        max_size=9,
    )
)
def test_no_order_of_verbs_makes_a_synthetic_cell_a_real_one(
    steps: Sequence[tuple[str, int, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "p.cytosynth", Path(folder)
        with contextlib.closing(create_project(path, built_in("blood5"))) as made:
            truth = tiny_project(made, smears=6, cells_per_smear=11)
            first = sorted(truth)[:50]
            made.record(*(ADA.label(cell, truth[cell]) for cell in first))
            made.add_synthetic(tiny_synthetic(made.taxonomy, "BAS", 4))
            made.record(ADA.verdict(SyntheticId(1), accept=True))
        for verb, number, code in steps:
            told = {
                "project": str(path),
                "out": str(out),
                "real": str(sorted(truth)[number % len(truth)]),
                "made": str(number % 4 + 1),
                "code": code,
                "with": "--include-synthetic",
            }
            done = main([word.format(**told) for word in VERBS[verb]])
            assert done == 0 or verb in {"train", "import", "set"}, verb
        with contextlib.closing(open_project(path)) as after:
            demand_real(after, truth.keys())
        if (out / "l.csv").exists():
            assert not any(FLAGS["csv"](out / "l.csv"))


def demand_real(project: Project, real: Any) -> None:
    """Cells, labels, counts and audit of a project are of real cells only."""
    table, labels = project.cells(), project.journal.labels()
    assert {CellId(n) for n in table.ids.tolist()} == set(real)
    assert set(labels) <= set(real)
    counts = Counter(label.code for label in labels.values())
    assert Counter(label_counts(project)) == counts
    crops = {crop.tobytes() for crop in project.crops(table.ids)}
    assert not crops & {cell.pixels.tobytes() for cell in project.synthetic()}
    assert set(held_out_cells(project).tolist()) <= set(table.ids.tolist())


# What the types refuse.


def painted() -> tuple[SyntheticCell, ...]:
    return tiny_synthetic(built_in("pbc11"), "BA", 2)


def test_a_split_refuses_synthetic_cells() -> None:
    with pytest.raises(ProvenanceError, match="a split"):
        split_cells(painted(), {}, {})  # type: ignore[arg-type]


def test_every_form_of_an_export_leaves_them_out_unless_asked() -> None:
    form = ExportForm("csv", Path("l.csv"))
    asked = (form.include_synthetic, form.include_adapter, form.real)
    assert asked == (False, False, False)
    assert not ExportOptions().include_synthetic
    assert not DatasetOptions().real


def test_an_evaluation_refuses_them_as_audit() -> None:
    with pytest.raises(ProvenanceError, match="an evaluation"):
        Question(
            real=None,  # type: ignore[arg-type]
            audit=painted(),  # type: ignore[arg-type]
            vectors=np.zeros((0, 1), np.float32),
            codes=(),
            classes=(),
        )


def test_a_project_refuses_them_as_cells_and_their_numbers_as_cells_ids() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, cells_per_smear=3)
    project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 9))
    for event in (
        ADA.label(CellId(9), "BA"),
        ADA.audit_draw(CellId(9)),
        ADA.call("reader:1", (REAL, 9), REAL),
    ):
        with pytest.raises(InputError):
            project.record(event)
    smear, boxes = project.smears()[0].id, tiny_detections(2, np.random.default_rng(0))
    for found, crops in ((painted(), painted()), (boxes, painted())):
        with pytest.raises(ProvenanceError, match="Only real cells may stand there"):
            project.add_cells(smear, found, crops)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        project.put_embeddings("e", [9], np.zeros((1, 2), np.float32))
    with pytest.raises(InputError):
        project.crops([9])
    assert len(project.cells()) == 3
    assert not project.journal.labels()
