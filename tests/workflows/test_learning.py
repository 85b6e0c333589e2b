"""Embed, train, suggest, summarise and evaluate on painted projects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.cells import CellTable
from napari_cytosynth.core.errors import InputError, RegistryError, WorkerError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Mode
from napari_cytosynth.core.protocols import (
    Batch,
    Crops,
    LabelledCells,
    Request,
    Vectors,
    Weights,
)
from napari_cytosynth.core.provenance import Status, SyntheticVector
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, names
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.core.splits import Split, picture_group
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.synthesis.gate import CRITICS, DRAWS_PER_SLOT
from napari_cytosynth.testing.fakes import (
    FAKE_EMBEDDERS,
    FAKE_GENERATORS,
    FakeCompute,
    FakeVectorGenerator,
)
from napari_cytosynth.testing.tiny import (
    tiny_calibration,
    tiny_project,
    tiny_smear,
    tiny_synthetic,
)
from napari_cytosynth.worker import InlineCompute
from napari_cytosynth.workflows.audit import record_draws, stamped_by_number
from napari_cytosynth.workflows.drawn import Source, fit_source
from napari_cytosynth.workflows.embed import (
    embed_cells,
    embed_folder,
    embed_synthetic,
    fingerprint_of,
    missing_vectors,
    vectors_of,
)
from napari_cytosynth.workflows.evaluate import evaluate, stored_evidence
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.kept import (
    forget_vectors,
    judged_vectors,
    kept_vectors,
    vector_counts,
)
from napari_cytosynth.workflows.review import lets_through
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of
from napari_cytosynth.workflows.suggest import suggest
from napari_cytosynth.workflows.summary import ClassSummary, class_summary
from napari_cytosynth.workflows.train import stored_head, train_head
from napari_cytosynth.workflows.vectors import fill_vectors

TEACHER = Author("reader")
AUDITOR = Author("reader", Mode.AUDIT)


class CountingCompute(InlineCompute):
    """A quick embedder; counts the crops that it is asked to embed."""

    def __init__(self) -> None:
        super().__init__(embedders=FAKE_EMBEDDERS, generators=FAKE_GENERATORS)
        self.asked: list[int] = []

    def embed(self, embedder: str, crops: Crops) -> Task[Vectors]:
        self.asked.append(len(crops))
        return super().embed(embedder, crops)


@dataclass
class Loaded:
    """An embedded project with its truth."""

    project: MemoryProject
    truth: dict[CellId, str]
    key: str
    compute: InlineCompute

    def label(self, cells: np.ndarray, author: Author = TEACHER) -> None:
        events = (
            author.label(CellId(int(i)), self.truth[CellId(int(i))]) for i in cells
        )
        self.project.record(*events)

    def split(self, *, audit: bool) -> np.ndarray:
        return self.project.cells().ids[splits_of(self.project).audit == audit]

    def accept(self, code: str, n: int) -> None:
        made = self.project.add_synthetic(
            tiny_synthetic(self.project.taxonomy, code, n)
        )
        self.project.record(*(TEACHER.verdict(cell.id, True) for cell in made))


class Copier(FakeVectorGenerator):
    """Gives back the real vectors of the class that it was fitted on."""

    def fit(self, cells: LabelledCells, config: Mapping[str, object]) -> Task[Weights]:
        yield Progress(0, 1, "copying")
        rows = cells.vectors[[code == "BA" for code in cells.codes]]
        return Weights({"looks": rows}, {"generator": "embedding"})

    def generate(
        self, request: Request, weights: Weights, rng: np.random.Generator
    ) -> Iterator[Batch]:
        origin = self._origin(request, weights)
        rows = weights.tensors["looks"]
        for i in range(request.count):
            vector = rows[i % len(rows)]
            yield Batch((SyntheticVector("fake:1", vector, "BA", origin),), i)


def _loaded(smears: int = 8, cells: int = 22) -> Loaded:
    project = MemoryProject(built_in("pbc11"))
    truth = tiny_project(project, smears=smears, cells_per_smear=cells)
    compute = CountingCompute()
    key = run_to_end(embed_cells(project, compute))
    return Loaded(project, truth, key, compute)


@pytest.fixture
def loaded() -> Iterator[Loaded]:
    made = _loaded()
    yield made
    made.project.close()


# Embed


def test_embeds_only_what_is_missing() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, cells_per_smear=5)
    compute = CountingCompute()
    key = run_to_end(embed_cells(project, compute))
    assert run_to_end(embed_cells(project, compute)) == key
    tiny_project(project, cells_per_smear=3)
    run_to_end(embed_cells(project, compute))
    assert compute.asked == [5, 3]
    assert np.isfinite(vectors_of(project, key)).all()


def test_a_cancelled_embedding_goes_on_where_it_stopped() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, cells_per_smear=300)
    compute = CountingCompute()
    task = embed_cells(project, compute)
    while len(compute.asked) < 2:
        next(task)
    task.close()
    key = run_to_end(embed_cells(project, compute))
    assert compute.asked == [256, 44, 44]
    assert not len(missing_vectors(project, key))


def test_vectors_follow_removal_and_undo(loaded: Loaded) -> None:
    before = vectors_of(loaded.project, loaded.key)
    first = CellId(int(loaded.project.cells().ids[0]))
    removed = loaded.project.record(TEACHER.removed(first))[0]
    after = vectors_of(loaded.project, loaded.key)
    np.testing.assert_array_equal(after, before[1:])
    loaded.project.record(TEACHER.undo(removed.id))
    np.testing.assert_array_equal(vectors_of(loaded.project, loaded.key), before)


def test_unknown_embedder(loaded: Loaded) -> None:
    with pytest.raises(RegistryError, match="no 'nothing'"):
        run_to_end(embed_cells(loaded.project, loaded.compute, embedder="nothing"))


def test_a_synthetic_cell_is_embedded_once(loaded: Loaded) -> None:
    project, compute = loaded.project, CountingCompute()
    first = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 3))
    one = run_to_end(embed_synthetic(project, loaded.key, first, compute))
    more = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 2, seed=9))
    both = run_to_end(embed_synthetic(project, loaded.key, first + more, compute))
    assert compute.asked == [3, 2]
    np.testing.assert_array_equal(both[:3], one)


def test_embeds_a_folder_of_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "b").mkdir()
    for name in ("z.png", "b/a.jpg", "a.png"):
        pixels = rng.integers(0, 256, (120, 100, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    files, vectors = run_to_end(embed_folder(tmp_path, mpp=0.2))
    assert files == ["a.png", "b/a.jpg", "z.png"]
    assert len(vectors) == 3
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("many", [1, 20, 33, 63, 100])
def test_pictures_of_the_whole_folder_tell_its_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    for number in range(many):
        pixels = np.full((8, 8, 3), 200, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:03d}.png")
    asked: list[int] = []

    def told(image: SmearImage) -> Calibration:
        asked.append(int(Path(image.smear.uri).stem))
        return tiny_calibration()

    monkeypatch.setattr("napari_cytosynth.workflows.embed.calibrate", told)
    run_to_end(embed_folder(tmp_path, embedder="morphology"))
    assert len(set(asked)) == len(asked) == min(many, 32)
    gaps = np.diff([-1, *asked, many])
    assert gaps.max() <= many / 32 + 1


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        run_to_end(embed_folder(tmp_path, mpp=0.2))


def test_in_process_and_worker_vectors_are_the_same() -> None:
    project = MemoryProject(built_in("pbc11"))
    made = project.add_synthetic(tiny_synthetic(project.taxonomy, "BA", 2))
    key = fingerprint_of(DEFAULT_EMBEDDER)
    here = run_to_end(embed_synthetic(project, key, made))
    other = MemoryProject(built_in("pbc11"))
    made = other.add_synthetic(made)
    there = run_to_end(embed_synthetic(other, key, made, InlineCompute()))
    np.testing.assert_array_equal(here, there)


# Train


def test_trains_on_the_training_split_only(loaded: Loaded) -> None:
    loaded.label(loaded.project.cells().ids)
    train = labelled_cells(loaded.project, loaded.key, Split.TRAIN)
    assert sorted(train.ids) == sorted(loaded.split(audit=False))
    head = run_to_end(train_head(loaded.project, loaded.key))
    kept = loaded.project.model("head")
    assert kept is not None
    assert sum(kept.meta["real"].values()) == len(train)
    assert stored_head(loaded.project, loaded.key).version == head.version  # type: ignore[union-attr]
    assert stored_head(loaded.project, "another embedder") is None


def test_an_audit_label_that_nobody_drew_measures_nothing(loaded: Loaded) -> None:
    held_out = loaded.split(audit=True)
    loaded.label(held_out[:4])
    assert not len(labelled_cells(loaded.project, loaded.key, Split.AUDIT))
    loaded.label(held_out[4:6], AUDITOR)
    audit = labelled_cells(loaded.project, loaded.key, Split.AUDIT)
    assert set(audit.ids) == {held_out[4], held_out[5]}


def test_artefacts_train_the_head_and_unnameable_cells_do_not(loaded: Loaded) -> None:
    train = loaded.split(audit=False)
    loaded.label(train[6:])
    for cell, code in zip(
        train[:6], ("ART", "ART", "NIF", "NIF", "SMU", "SMU"), strict=True
    ):
        loaded.project.record(TEACHER.label(CellId(int(cell)), code))
    cells = labelled_cells(loaded.project, loaded.key, Split.TRAIN)
    assert not {"ART", "SMU", "NIF"} & set(cells.codes)
    head = run_to_end(train_head(loaded.project, loaded.key))
    assert {"ART", "SMU"} <= set(head.codes_)
    assert "NIF" not in head.codes_


def test_accepted_synthetic_cells_train_up_to_a_cap(loaded: Loaded) -> None:
    train = loaded.split(audit=False)
    without = [i for i in train if loaded.truth[CellId(int(i))] != "BA"]
    loaded.label(np.array(without))
    bare = run_to_end(train_head(loaded.project, loaded.key))
    assert "BA" not in bare.codes_
    loaded.accept("BA", 14)
    loaded.project.add_synthetic(tiny_synthetic(loaded.project.taxonomy, "PMY", 5))
    head = run_to_end(train_head(loaded.project, loaded.key, compute=loaded.compute))
    kept = loaded.project.model("head")
    assert kept is not None
    assert "BA" in head.codes_
    assert kept.meta["synthetic"] == {"BA": 10}


def test_a_synthetic_cell_of_cells_held_out_since_trains_no_more() -> None:
    """Blocks become groups when the fifth patient comes, and cells change sides."""
    loaded = _loaded(smears=4)
    project, parents = loaded.project, loaded.split(audit=False)
    loaded.label(parents)
    made = [
        replace(cell, provenance=replace(cell.provenance, parents=tuple(of)))
        for cell, of in zip(
            tiny_synthetic(project.taxonomy, "BA", 2),
            (parents.tolist(), ()),
            strict=True,
        )
    ]
    kept = project.add_synthetic(made)
    project.record(*(TEACHER.verdict(cell.id, True) for cell in kept))

    def trained() -> dict[str, int]:
        run_to_end(train_head(project, loaded.key, compute=loaded.compute))
        head = project.model("head")
        assert head is not None
        return dict(head.meta["synthetic"])

    assert trained() == {"BA": 2}
    tiny_project(project, smears=1, cells_per_smear=5, seed=9)
    run_to_end(embed_cells(project, loaded.compute))
    assert set(parents) & set(loaded.split(audit=True))
    assert trained() == {"BA": 1}
    evidence = run_to_end(evaluate(project, loaded.key, loaded.compute))
    assert evidence.counts["BA"]["synthetic"] == 1


@pytest.mark.parametrize("control", names("controls"))
def test_controls_can_enrich(loaded: Loaded, control: str) -> None:
    loaded.label(loaded.split(audit=False))
    project, compute = loaded.project, loaded.compute
    task = train_head(project, loaded.key, enrich=control, compute=compute)
    assert len(run_to_end(task).codes_) == 11


def test_a_control_that_makes_pictures_wants_a_backend(loaded: Loaded) -> None:
    loaded.label(loaded.split(audit=False))
    with pytest.raises(InputError, match="no embedder"):
        run_to_end(train_head(loaded.project, loaded.key, enrich="augmentation"))


@pytest.mark.parametrize("control", ["class_weights", "duplicates"])
def test_a_control_keeps_its_own_weights(loaded: Loaded, control: str) -> None:
    train = loaded.split(audit=False)
    rare = [i for i in train if loaded.truth[CellId(int(i))] == "BA"][2:]
    loaded.label(np.setdiff1d(train, rare))
    project, key = loaded.project, loaded.key
    bare = run_to_end(train_head(project, key, enrich="none"))
    project.put_model("head", Weights({}, {}))
    enriched = run_to_end(train_head(project, key, enrich=control))
    assert not np.allclose(bare.coefficients, enriched.coefficients, atol=1e-3)


def test_drawn_vectors_join_the_training_set() -> None:
    project, compute = MemoryProject(built_in("pbc11")), FakeCompute()
    loaded = Loaded(project, tiny_project(project, smears=8), "", compute)
    key = run_to_end(embed_cells(project, compute))
    train = loaded.split(audit=False)
    loaded.label(train[:30])
    head = run_to_end(train_head(project, key, enrich="embedding", compute=compute))
    kept = project.model("head")
    assert kept is not None
    assert len(head.codes_) == len(kept.meta["real"])
    assert kept.meta["drawn"]
    assert kept.meta["synthetic"] == {}
    assert not project.synthetic()
    with pytest.raises(InputError, match="compute backend"):
        run_to_end(train_head(project, key, enrich="embedding"))


def test_vectors_of_the_real_generator_pass_the_critics_or_are_told(
    loaded: Loaded,
) -> None:
    loaded.label(loaded.split(audit=False))
    real = labelled_cells(loaded.project, loaded.key, Split.TRAIN)
    compute, taxonomy = InlineCompute(), loaded.project.taxonomy
    quick = {"steps": 40, "width": 32, "blocks": 1, "draw_steps": 4}
    source = run_to_end(fit_source(real, taxonomy, compute, options=quick))
    drawn = run_to_end(source.draw({"BA": 6, "MO": 4}, 0))
    for code, wanted in (("BA", 6), ("MO", 4)):
        tally = drawn.tallies[code]
        assert tally.accepted == drawn.codes.count(code) <= wanted == tally.wanted
        assert tally.drawn == tally.accepted + sum(tally.refused.values())
    assert drawn.items
    for item in drawn.items:
        assert [a.critic for a in item.assessments] == list(CRITICS)
        assert item.passed
        assert set(item.provenance.parents) <= set(real.ids.tolist())
    again = run_to_end(source.draw({"BA": 6, "MO": 4}, 0))
    np.testing.assert_array_equal(again.vectors(12), drawn.vectors(12))


def test_a_copying_generator_gets_nothing_past_the_critics(loaded: Loaded) -> None:
    loaded.label(loaded.split(audit=False))
    real = labelled_cells(loaded.project, loaded.key, Split.TRAIN)
    copier = InlineCompute(generators={"embedding": Copier})
    source = run_to_end(fit_source(real, loaded.project.taxonomy, copier))
    drawn = run_to_end(source.draw({"BA": 3}, 0))
    assert not drawn.items
    refused = drawn.tallies["BA"].refused
    assert sum(refused.values()) == 3 * DRAWS_PER_SLOT
    assert "0 of 24 drawn vectors passed" in str(drawn)
    # The first veto is told; the copy critic refuses every one.
    ask = Request("BA", 24, 0, loaded.project.taxonomy)
    made = copier.generate("embedding", ask, source.weights)
    judged = [item for b in made if len(b) for item in source.gate.judge(b)]
    said = [a for item in judged for a in item.assessments if a.critic == "copy"]
    assert [a.passed for a in said] == [False] * 24


def test_every_verdict_on_a_refused_vector_is_stored(loaded: Loaded) -> None:
    loaded.label(loaded.split(audit=False))
    project = loaded.project
    copier = InlineCompute(generators={"embedding": Copier})
    tally = run_to_end(
        fill_vectors(project, copier, Ask("BA", 3, generator="embedding"), loaded.key)
    )
    assert tally.accepted == 0
    judged = judged_vectors(project)
    assert len(judged) == tally.drawn == 3 * DRAWS_PER_SLOT
    assert all(lets_through("refused:copy", vector) for vector in judged)
    assert not any(lets_through("", vector) for vector in judged)
    (said,) = (a for a in judged[0].assessments if a.critic == "copy")
    assert not said.passed
    assert said.score < 1
    assert "A copy" in said.reason
    assert vector_counts(project) == {}


def test_kept_vectors_train_and_are_no_cells(loaded: Loaded) -> None:
    project, key = loaded.project, loaded.key
    train = loaded.split(audit=False)
    rare = [i for i in train if loaded.truth[CellId(int(i))] == "BA"][2:]
    loaded.label(np.setdiff1d(train, rare))
    task = fill_vectors(
        project, loaded.compute, Ask("BA", 30, generator="embedding"), key
    )
    tally = run_to_end(task)
    assert tally.accepted == vector_counts(project)["BA"] == 30
    assert 1 <= len(tally.near) <= 4
    assert set(tally.near) <= set(train.tolist())
    assert tally.place.endswith(str(tally.near[-1]))
    assert "near real cell" in tally.place
    run_to_end(train_head(project, key))
    kept = project.model("head")
    assert kept is not None
    assert kept.meta["kept"] == {"BA": 20}
    assert kept.meta["synthetic"] == {}
    assert not project.synthetic()
    stored = project.model("vectors:BA")
    assert stored is not None
    assert stored.meta["provenance"]["generator"] == "fake-vectors"
    assert stored.meta["critics"] == list(CRITICS)
    assert stored.tensors["scores"].shape == (30, len(CRITICS))
    judged = judged_vectors(project)
    assert len(judged) == tally.drawn
    assert sum(v.status is Status.DROPPED for v in judged) == tally.drawn - 30
    assert all([a.critic for a in v.assessments] == list(CRITICS) for v in judged)
    assert all(a.reason for v in judged for a in v.assessments)
    nobody = np.zeros(0, np.int64)
    dim = stored.tensors["vectors"].shape[1]
    assert not len(kept_vectors(project, "another embedder", dim, nobody)[0])
    assert len(kept_vectors(project, key, dim, nobody)[0]) == 30
    # Had one cell of the fit been held out since, even of another class, none trains.
    seen = stored.tensors["cells"]
    assert len(seen) > len(rare)
    assert not len(kept_vectors(project, key, dim, seen[-1:])[0])
    forget_vectors(project, "BA")
    run_to_end(train_head(project, key))
    without = project.model("head")
    assert without is not None
    assert without.meta["kept"] == {}


@pytest.mark.parametrize(
    ("code", "count", "told"),
    [("BA", 0, "at least one"), ("ART", 3, "SNE"), ("BA", 3, "BNE")],
)
def test_vectors_that_cannot_be_drawn(
    loaded: Loaded, code: str, count: int, told: str
) -> None:
    train = loaded.split(audit=False)
    loaded.label(train[[loaded.truth[CellId(int(i))] != "BA" for i in train]])
    with pytest.raises(InputError, match=told):
        run_to_end(
            fill_vectors(
                loaded.project,
                loaded.compute,
                Ask(code, count, generator="embedding"),
                loaded.key,
            )
        )


def test_no_labels_no_head(loaded: Loaded) -> None:
    with pytest.raises(InputError, match="no cell of the training split"):
        run_to_end(train_head(loaded.project, loaded.key))


def test_few_groups_are_split_by_blocks_and_say_so() -> None:
    few = _loaded(smears=2)
    assert "not by patient" in splits_of(few.project).caveat


def test_five_pictures_are_not_five_patients() -> None:
    project = MemoryProject(built_in("pbc11"))
    for number in range(1, 7):
        smear = tiny_smear(number)
        own = picture_group(f"field-{number}", smear.fingerprint)
        project.add_smear(replace(smear, group=own, uri=f"moved-{number}.png"))
    assert "by picture, not by patient" in splits_of(project).caveat


# Suggest


def test_suggests_training_cells_and_one_audit_card_in_ten(loaded: Loaded) -> None:
    found = suggest(loaded.project, loaded.key, head=None, n=50)
    held_out = set(loaded.split(audit=True).tolist())
    for cell, audit in zip(found.query.ids, found.audit, strict=True):
        assert (int(cell) in held_out) == bool(audit)
    assert found.audit.sum() in (5, 6)
    assert len(set(found.query.ids.tolist())) == 50


def test_few_cells_left_to_teach_are_one_card_in_ten_all_the_same(
    loaded: Loaded,
) -> None:
    teach = loaded.split(audit=False)
    loaded.label(teach[:-9])
    found = suggest(loaded.project, loaded.key, head=None, n=200)
    assert found.audit.sum() in (1, 2)
    assert len(found.query.ids) == 9 + found.audit.sum()
    loaded.label(teach[-9:])
    rest = suggest(loaded.project, loaded.key, head=None, n=200)
    assert rest.audit.all()
    assert len(rest.query.ids) == len(loaded.split(audit=True))


def test_chosen_cards_come_best_first_with_reasons_and_drawn_ones_without(
    loaded: Loaded,
) -> None:
    loaded.label(loaded.split(audit=False)[:60])
    head = run_to_end(train_head(loaded.project, loaded.key))
    found = suggest(loaded.project, loaded.key, head=head, strategy="margin", n=60)
    query, audit = found.query, found.audit
    assert (np.diff(query.utilities[~audit]) <= 0).all()
    assert np.isnan(query.utilities[audit]).all()
    for reason, drawn in zip(query.reasons, audit, strict=True):
        assert reason.startswith("margin ") != bool(drawn)


def test_a_held_out_cell_labelled_unasked_stays_in_the_draw(loaded: Loaded) -> None:
    before = suggest(loaded.project, loaded.key, head=None, n=60).draws
    loaded.label(before[:3])
    after = suggest(loaded.project, loaded.key, head=None, n=60).draws
    assert after[:5].tolist() == before[:5].tolist()
    assert not len(labelled_cells(loaded.project, loaded.key, Split.AUDIT))
    loaded.label(before[:3], AUDITOR)
    later = suggest(loaded.project, loaded.key, head=None, n=60).draws
    assert later[:2].tolist() == before[3:5].tolist()
    assert len(labelled_cells(loaded.project, loaded.key, Split.AUDIT)) == 3


def test_labelled_and_skipped_cells_do_not_come_back(loaded: Loaded) -> None:
    train = loaded.split(audit=False)
    loaded.label(train[:10])
    loaded.project.record(*(TEACHER.skip(CellId(int(i))) for i in train[10:20]))
    everything = suggest(loaded.project, loaded.key, head=None, n=1000)
    assert not set(train[:20]) & set(everything.query.ids.tolist())
    loaded.label(train[20:])
    last = suggest(loaded.project, loaded.key, head=None, n=1000)
    assert set(last.query.ids[~last.audit].tolist()) == set(train[10:20].tolist())


def test_the_order_of_audit_cards_is_fixed(loaded: Loaded) -> None:
    """However often a ranking is made, it cannot choose among audit cells."""
    drawn = [
        suggest(loaded.project, loaded.key, head=None, n=40, seed=s) for s in range(6)
    ]
    orders = [d.draws.tolist() for d in drawn]
    shortest = min(orders, key=len)
    assert all(order[: len(shortest)] == shortest for order in orders)


def test_skipped_audit_cards_let_others_come_first(loaded: Loaded) -> None:
    first = suggest(loaded.project, loaded.key, head=None, n=50)
    drawn = first.query.ids[first.audit]
    loaded.project.record(*(AUDITOR.skip(CellId(int(i))) for i in drawn))
    after = suggest(loaded.project, loaded.key, head=None, n=50)
    assert after.audit.sum() >= 5
    assert not set(after.query.ids[after.audit]) & set(drawn)
    loaded.label(loaded.split(audit=False))
    everything = suggest(loaded.project, loaded.key, head=None, n=2000)
    assert everything.audit.all()
    assert set(everything.query.ids[-len(drawn) :]) == set(drawn)


def test_draws_are_noted_once_and_labels_by_number_find_them(loaded: Loaded) -> None:
    found = suggest(loaded.project, loaded.key, head=None, n=50)
    record_draws(loaded.project, found)
    noted = loaded.project.journal.last_id
    record_draws(loaded.project, found)
    journal = loaded.project.journal
    assert journal.last_id == noted == found.audit.sum()
    card = CellId(int(found.query.ids[found.audit][0]))
    other = next(
        CellId(int(i)) for i in loaded.split(audit=True) if not journal.is_audit(i)
    )
    assert stamped_by_number(journal, TEACHER, card).mode is Mode.AUDIT
    assert stamped_by_number(journal, TEACHER, other).mode is Mode.TEACH
    loaded.project.record(TEACHER.label(other, "BA"))
    assert stamped_by_number(journal, TEACHER, other).mode is Mode.TEACH
    loaded.project.record(TEACHER.audit_draw(other))
    assert stamped_by_number(journal, TEACHER, other).mode is Mode.AUDIT


def test_same_seed_same_cards(loaded: Loaded) -> None:
    one, other = (
        suggest(loaded.project, loaded.key, head=None, n=30, seed=4) for _ in range(2)
    )
    np.testing.assert_array_equal(one.query.ids, other.query.ids)
    np.testing.assert_array_equal(one.audit, other.audit)


def test_cards_run_out_quietly(loaded: Loaded) -> None:
    loaded.label(loaded.split(audit=False))
    loaded.label(loaded.split(audit=True), AUDITOR)
    assert not len(suggest(loaded.project, loaded.key, head=None, n=10).query.ids)


def test_before_any_vector_the_order_is_random() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=6)
    found = suggest(project, "nothing yet", head=None, n=20)
    assert len(found.query.ids) == 20


# Cells that another thread strikes out meanwhile


class Shifting(MemoryProject):
    """Each look at the cells finds the first one struck out since the last look."""

    shifts = False

    def cells(self) -> CellTable:
        table = super().cells()
        if self.shifts:
            self.record(TEACHER.removed(CellId(int(table.ids[0]))))
        return table


@pytest.fixture
def shifting() -> Loaded:
    project = Shifting(built_in("pbc11"))
    truth = tiny_project(project, smears=8, cells_per_smear=22)
    compute = CountingCompute()
    key = run_to_end(embed_cells(project, compute))
    return Loaded(project, truth, key, compute)


@pytest.mark.parametrize("split", list(Split))
def test_labels_and_vectors_stay_together(shifting: Loaded, split: Split) -> None:
    side = shifting.split(audit=split is Split.AUDIT)
    for audit in (False, True):
        held = shifting.split(audit=audit)
        shifting.label(held, AUDITOR if audit else TEACHER)
    shifting.project.shifts = True  # type: ignore[attr-defined]
    found = labelled_cells(shifting.project, shifting.key, split)
    assert set(found.ids) <= set(side)
    right = shifting.project.embeddings(shifting.key, found.ids)
    np.testing.assert_array_equal(found.vectors, right)
    assert found.codes == tuple(shifting.truth[CellId(int(i))] for i in found.ids)


def test_a_ranking_keeps_to_the_training_split(shifting: Loaded) -> None:
    teach = set(shifting.split(audit=False))
    shifting.label(np.array(sorted(teach))[:60])
    head = run_to_end(train_head(shifting.project, shifting.key))
    shifting.project.shifts = True  # type: ignore[attr-defined]
    found = suggest(shifting.project, shifting.key, head=head, n=500)
    assert set(found.query.ids[~found.audit]) <= teach
    assert not set(found.query.ids[found.audit]) & teach


def test_a_summary_counts_cells_and_not_rows(shifting: Loaded) -> None:
    cells = shifting.split(audit=False)
    shifting.label(cells[:60])
    head = run_to_end(train_head(shifting.project, shifting.key))
    waiting = len(shifting.project.cells()) - 60
    shifting.project.shifts = True  # type: ignore[attr-defined]
    rows = class_summary(shifting.project, head, shifting.key)
    assert sum(row.predicted or 0 for row in rows) == waiting


# Summarise


def test_summary_counts_and_measures_on_audit_cells_only(loaded: Loaded) -> None:
    loaded.label(loaded.split(audit=False)[:80])
    head = run_to_end(train_head(loaded.project, loaded.key))
    loaded.accept("BA", 3)
    rows = {r.code: r for r in class_summary(loaded.project, head, loaded.key)}
    assert tuple(rows) == loaded.project.taxonomy.codes
    assert rows["BA"].synthetic == 3
    truth = Counter(label.code for label in loaded.project.journal.labels().values())
    assert {c: r.labelled for c, r in rows.items() if r.labelled} == dict(truth)
    waiting = len(loaded.project.cells()) - 80
    assert sum(r.predicted or 0 for r in rows.values()) == waiting
    assert all(r.precision is None and r.recall is None for r in rows.values())


def test_ten_audit_cells_are_enough_and_nine_are_not() -> None:
    loaded = _loaded(smears=30)
    loaded.label(loaded.split(audit=False)[:110])
    head = run_to_end(train_head(loaded.project, loaded.key))
    audit = loaded.split(audit=True)
    of_ba = np.array([i for i in audit if loaded.truth[CellId(int(i))] == "BA"])
    loaded.label(of_ba[:9], AUDITOR)
    assert _row(loaded, head, "BA").recall is None
    loaded.label(of_ba[9:10], AUDITOR)
    recall = _row(loaded, head, "BA").recall
    assert recall is not None
    assert recall.n == 10
    assert recall.low < recall.value <= 1


def test_artefacts_taken_for_cells_lower_precision() -> None:
    loaded = _loaded(smears=30)
    loaded.label(loaded.split(audit=False)[:110])
    head = run_to_end(train_head(loaded.project, loaded.key))
    audit = loaded.split(audit=True)
    of_ba = [i for i in audit if loaded.truth[CellId(int(i))] == "BA"]
    loaded.label(np.setdiff1d(audit, of_ba[:5]), AUDITOR)
    before = _row(loaded, head, "BA").precision
    for cell in of_ba[:5]:
        loaded.project.record(AUDITOR.label(CellId(int(cell)), "ART"))
    after = _row(loaded, head, "BA").precision
    assert before is not None
    assert after is not None
    assert after.n > before.n
    assert after.value < before.value
    assert _row(loaded, head, "ART").precision is None


def _row(loaded: Loaded, head: object, code: str) -> ClassSummary:
    rows = class_summary(loaded.project, head, loaded.key)  # type: ignore[arg-type]
    return next(r for r in rows if r.code == code)


def test_without_a_head_nothing_is_predicted(loaded: Loaded) -> None:
    rows = class_summary(loaded.project, None, loaded.key)
    assert all(r.predicted is None for r in rows)


# Evaluate


def test_evaluation_without_synthetic_cells_says_so(loaded: Loaded) -> None:
    evidence = run_to_end(evaluate(loaded.project, loaded.key, loaded.compute))
    assert evidence.verdict.startswith("cannot be estimated yet")


def test_a_report_does_not_name_the_machine_of_a_lost_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*_: object, **__: object) -> Task[Source]:
        yield Progress(0, 1)
        raise WorkerError("The line to the worker at https://ward7.example broke off.")

    monkeypatch.setattr("napari_cytosynth.workflows.evaluate.fit_source", lost)
    loaded = _loaded(smears=12)
    train = loaded.split(audit=False)
    rare = [i for i in train if loaded.truth[CellId(int(i))] == "BA"][3:]
    loaded.label(np.setdiff1d(train, rare))
    loaded.label(loaded.split(audit=True), AUDITOR)
    task = evaluate(loaded.project, loaded.key, loaded.compute, seeds=1)
    evidence = run_to_end(task)
    assert "not compared: the worker was lost" in evidence.caveat
    assert "ward7" not in str(evidence.to_json())


def test_evaluation_is_kept_and_repeatable() -> None:
    loaded = _loaded(smears=30)
    train = loaded.split(audit=False)[:110]
    rare = [i for i in train if loaded.truth[CellId(int(i))] == "BA"][3:]
    loaded.label(np.setdiff1d(train, rare))
    loaded.label(loaded.split(audit=True), AUDITOR)
    loaded.accept("BA", 12)
    steps: list[Progress] = []
    task = evaluate(loaded.project, loaded.key, loaded.compute, seeds=2)
    evidence = run_to_end(task, steps.append)
    assert len(steps) >= 6
    assert evidence.counts["BA"]["synthetic"] == 12
    cases = [case.case for case in evidence.cases]
    assert cases == ["none", *names("controls"), "synthetic", "embedding"]
    assert evidence.counts["BA"]["vectors"] > 0
    assert "drawn vectors passed the critics" in evidence.caveat
    assert stored_evidence(loaded.project) == evidence
    assert evidence.event == loaded.project.journal.last_id
    task = evaluate(loaded.project, loaded.key, loaded.compute, seeds=2)
    again = run_to_end(task).to_json()
    assert {**again, "time": ""} == {**evidence.to_json(), "time": ""}
