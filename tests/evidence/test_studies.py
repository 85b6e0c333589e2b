"""Deals, juries, records and runs of studies."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score

from napari_cytosynth.core.errors import InputError, WorkerDiedError
from napari_cytosynth.core.protocols import LabelledCells, TrainingSet
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import Progress, run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.evidence._torch.small_resnet import SmallResNet
from napari_cytosynth.evidence.deals import (
    COMMON,
    deal,
    judged_classes,
    rarest_third,
)
from napari_cytosynth.evidence.jury import REPEATS, Jury, with_gains
from napari_cytosynth.evidence.study import (
    NO_INTERVAL,
    Key,
    Study,
    hash_of,
    rows_of,
    span,
)
from napari_cytosynth.metrics.scores import average_precisions, pooled
from napari_cytosynth.testing.contracts_generator import tiny_labelled
from napari_cytosynth.testing.fakes import (
    FAKE_EMBEDDERS,
    FAKE_GENERATORS,
    RefusingGenerator,
)
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.workflows.studies import protocol, race, ratio, regenerate
from napari_cytosynth.workflows.studies.material import from_folder
from napari_cytosynth.workflows.studies.plan import Material, Plan, Run, key_of
from napari_cytosynth.workflows.studies.running import one_run, study

T = TypeVar("T")
TAXONOMY = built_in("pbc11")


@pytest.fixture(scope="module")
def cells() -> LabelledCells:
    made = tiny_labelled(each=100, dim=8, embedder="tiny:1")
    return made.take(np.r_[0:100, 100:180, 200:250])


@pytest.fixture(scope="module")
def material(cells: LabelledCells) -> Material:
    embedder = load("embedders", "morphology")()
    vectors = embedder.embed(cells.crops)
    own = replace(cells, vectors=vectors, embedder=embedder.key)
    return Material(own, TAXONOMY, "morphology")


class TestDeal:
    def test_cuts_down_the_rarest_third_and_keeps_the_rest_apart(
        self, cells: LabelledCells
    ) -> None:
        drawn = deal(cells, 5, 0)
        assert drawn.rare == ("MO",)
        assert drawn.train.count("MO") == 5
        assert drawn.train.count("SNE") == COMMON
        sides = [set(part.ids.tolist()) for part in (drawn.train, drawn.test)]
        assert not sides[0] & sides[1]
        assert set(drawn.more.codes) == {"MO"}
        assert not set(drawn.more.ids.tolist()) & (sides[0] | sides[1])

    def test_groups_stay_whole(self, cells: LabelledCells) -> None:
        groups = np.array([f"p{i % 40}" for i in range(len(cells))])
        drawn = deal(replace(cells, groups=groups), 5, 1)
        assert not set(drawn.train.groups) & set(drawn.test.groups)

    def test_a_class_that_lies_on_one_side_only_is_left_out(
        self, cells: LabelledCells
    ) -> None:
        groups = np.array(
            [c if c == "MO" else f"p{i % 40}" for i, c in enumerate(cells.codes)]
        )
        drawn = deal(replace(cells, groups=groups), 5, 0)
        assert set(drawn.test.codes) == set(drawn.classes) == {"SNE", "LY"}
        assert drawn.rare == ("LY",)

    def test_one_patient_is_refused(self, cells: LabelledCells) -> None:
        alone = replace(cells, groups=np.full(len(cells), "p"))
        with pytest.raises(InputError, match="of 1 patients"):
            deal(alone, 5, 0)

    def test_too_few_cells_are_refused(self, cells: LabelledCells) -> None:
        with pytest.raises(InputError) as refused:
            deal(cells.take(np.arange(40)), 5, 0)
        assert str(refused.value) == (
            "A study of 5 shots takes two classes of 35 labelled cells or more, 30 "
            "beside the shots. Of 40 cells, 1 class has so many: label more cells."
        )

    def test_fewer_shots_are_advised_only_where_they_help(
        self, cells: LabelledCells
    ) -> None:
        few = cells.take(np.r_[0:90, 100:133])
        with pytest.raises(InputError, match=r"or use --shots 3\.$"):
            deal(few, 10, 0)
        assert deal(few, 3, 0).rare == ("LY",)
        with pytest.raises(InputError, match=r"no classes have .* cells\.$"):
            deal(cells.take(np.r_[0:25, 100:130]), 10, 0)


class TestJury:
    def test_scores_what_is_perfect_and_what_is_next_to_it(
        self, cells: LabelledCells
    ) -> None:
        codes = {"SNE": "SNE", "LY": "BNE", "MO": "MO"}
        named = replace(cells, codes=tuple(codes[c] for c in cells.codes))
        drawn = deal(named, 5, 0)
        jury = Jury(drawn, TAXONOMY)
        truth = np.searchsorted(drawn.classes, drawn.test.codes)
        perfect = jury.judge("a", "", np.eye(3)[truth])
        assert perfect["a", "", "macro_f1", ""][0] == 1
        assert perfect["a", "", "pr_auc", "MO"][0] == 1
        band, segmented = drawn.classes.index("BNE"), drawn.classes.index("SNE")
        taken = np.where(truth == band, segmented, truth)
        near = jury.judge("b", "", np.eye(3)[taken])
        assert near["b", "", "macro_f1", ""][0] < 0.7
        assert near["b", "", "tolerant_macro_f1", ""][0] == 1

    def test_few_patients_leave_doubt(self, cells: LabelledCells) -> None:
        groups = np.array([f"{c}{i % 2}" for i, c in enumerate(cells.codes)])
        drawn = deal(replace(cells, groups=groups), 5, 0)
        truth = np.searchsorted(drawn.classes, drawn.test.codes)
        guesses = np.where(np.arange(len(truth)) % 2, truth, 0)
        found = Jury(drawn, TAXONOMY).judge("a", "", np.eye(3)[guesses])
        recall = found["a", "", "recall", "MO"]
        assert np.nanstd(recall[1:]) > 0.01

    def test_gains_are_paired(self) -> None:
        base: dict[Key, np.ndarray] = {("w", "", "macro_f1", ""): np.full(3, 0.5)}
        base["s", "5", "macro_f1", ""] = np.array([0.6, 0.7, 0.8])
        gains = with_gains(base, "w")
        assert np.allclose(gains["s", "5", "macro_f1_gain", ""], [0.1, 0.2, 0.3])


@given(st.integers(0, 1000))
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted, scores = rng.random(40) < 0.3, rng.random(40).round(1)
    wanted[0] = True
    counts = np.vstack([np.ones(40), rng.multinomial(40, np.full(40, 1 / 40))])
    found = average_precisions(wanted, scores, counts.astype(float))
    for row, value in zip(counts, found, strict=True):
        if (row * wanted).sum():
            told = average_precision_score(wanted, scores, sample_weight=row)
            assert value == pytest.approx(told)


def test_pooled_covers_seeds_and_cells() -> None:
    rng = np.random.default_rng(0)
    values = np.array([[0.4], [0.6]]) + 0.05 * rng.standard_normal((2, 201))
    values[:, 0] = 0.4, 0.6
    found = pooled(values)
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.42
    assert found.high > 0.58
    assert found.n == 2


def test_gains_of_classes_are_corrected_and_survive_json() -> None:
    rng = np.random.default_rng(0)
    runs = [
        {
            ("s", "1", "recall_gain", "A"): 0.3 + 0.01 * rng.standard_normal(101),
            ("s", "1", "recall_gain", "B"): 0.1 * rng.standard_normal(101),
            ("s", "1", "macro_f1", ""): np.full(101, np.nan),
        }
        for _ in range(3)
    ]
    rows = rows_of(runs)
    assert [row.code for row in rows] == ["A", "B"]
    assert rows[0].p == pytest.approx(2 * 2 / 100)
    assert rows[1].p is not None
    assert rows[1].p > 0.1
    found = Study("ratio", rows, ("said",), (), (), {"seeds": 3}, "0" * 64, 1.0)
    assert Study.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_further_real_cell_weighs_as_much_as_the_first(cells: LabelledCells) -> None:
    drawn = deal(cells, 5, 0)
    train = drawn.train
    alone = TrainingSet(train.vectors, train.codes, np.ones(len(train)))
    found = ratio._more_real(drawn, alone, {"MO": 15})
    assert found.codes.count("MO") == 20
    own = found.weights[[code == "MO" for code in found.codes]]
    assert np.allclose(own, own[0])


def of_ratio(share: float) -> Study:
    gains = np.linspace(0.05, 0.15, 101)
    gains[0] = 0.1
    rows = rows_of(
        [
            {
                ("synthetic", "20", "macro_f1_gain", ""): gains,
                ("synthetic", "20", "passed", ""): np.full(101, share),
            }
        ]
    )
    return Study("ratio", rows, (), (), (), {"seeds": 1}, "0" * 64, 1.0)


def test_what_the_gate_let_through_is_told() -> None:
    assert ratio.told(of_ratio(1))[0].startswith("+0.100 [+0.053, +0.148] macro-F1")
    assert "at 20 : 1 (40% of them passed the gate);" in ratio.told(of_ratio(0.4))[0]
    assert ratio.told(of_ratio(0)) == (
        "no synthetic cell passed the gate, so there is no curve",
    )
    nothing = Study("ratio", (), (), (), (), {"seeds": 1}, "0" * 64, 1.0)
    assert ratio.told(nothing)[0].startswith("no generator could be fitted")


@pytest.mark.parametrize("lost", [0, 2])
def test_a_loop_tells_which_classes_it_lost(lost: int) -> None:
    same = np.ones(101)
    run: dict[Key, np.ndarray] = {
        ("first draws", "by the loop's own judge", "macro_f1", ""): 0.6 * same,
        ("after the loop", "", "acceptance", ""): 0.4 * same,
        ("after the loop", "", "classes lost", ""): lost * same,
    }
    for case in ("first draws", "after the loop", "real test cells"):
        run[case, "by a judge outside", "macro_f1", ""] = 0.5 * same
    found = Study("regenerate", rows_of([run]), (), (), (), {}, "0" * 64, 1.0)
    said = regenerate.told(found)[1]
    assert "40% of the draws" in said
    assert ("lack 2 classes a run" in said) is bool(lost)


@pytest.mark.parametrize("missed", [False, True])
def test_a_race_tells_the_time_that_was_taken(missed: bool) -> None:
    figures = {"macro_f1_gain": 0.1, "made": 30.0, "took": 61.2}
    figures["time missed"] = float(missed)
    run = {
        (case, "", metric, ""): np.full(101, value)
        for case in ("embedding", "latent")
        for metric, value in figures.items()
    }
    found = Study("time", rows_of([run]), (), (), (), {"seconds": 30}, "0" * 64, 1.0)
    told = race.told(found)
    assert told[1].startswith("latent: 30 draws in 61.2 s of the 30 s given")
    assert told[2].startswith("no fair race") is missed
    assert "2.0 s" in told[2]


class TestRace:
    @staticmethod
    def given(material: Material, compute: InlineCompute) -> Run:
        cells = deal(material.cells, 5, 0)
        plan = Plan("time", shots=5, seconds=60)
        return Run(material, plan, replace(cells, rare=("LY", "MO")), compute)

    @pytest.mark.parametrize("name", ["_Vectors", "_Pictures"])
    def test_each_has_the_time_that_it_was_given(
        self, name: str, material: Material
    ) -> None:
        """A clock that goes on by a tenth of a second whenever it is read."""
        ticks = itertools.count()
        given = self.given(
            material,
            InlineCompute(generators=FAKE_GENERATORS, embedders=FAKE_EMBEDDERS),
        )
        fake = replace(given, material=replace(material, embedder="fake"))
        racer = getattr(race, name)(fake)
        made = race.raced(racer, given.drawn, 200.0, lambda: next(ticks) / 10)
        assert made.took == pytest.approx(200, abs=race.allowed(200))
        assert made.count > 200
        shots = {code: given.drawn.train.count(code) for code in ("LY", "MO")}
        assert {c: made.codes.count(c) for c in shots} == {
            code: 10 * n for code, n in shots.items()
        }
        # Each class drew for half of the time, not until ten for each were there.
        assert made.count > 2 * len(made.codes)

    def test_a_draw_that_is_late_does_not_count_and_is_closed(
        self, material: Material
    ) -> None:
        closed = []

        def draws() -> race.Draws:
            try:
                for number in itertools.count():
                    yield np.full((1, 2), number, np.float32)
            finally:
                closed.append(True)

        ticks = itertools.count()
        kept = list(race._until(5, draws(), lambda: next(ticks)))
        assert [int(part[0, 0]) for part in kept] == [0, 1, 2, 3, 4]
        assert closed == [True]
        assert not list(race._until(5, draws(), lambda: 5.0))

    def test_one_that_refuses_leaves_the_other_its_figures(
        self, material: Material
    ) -> None:
        compute = InlineCompute(
            generators={**FAKE_GENERATORS, "latent": RefusingGenerator}
        )
        given = self.given(material, compute)
        made = race.raced(race._Pictures(given), given.drawn, 60.0)
        assert made.count == 0
        assert [told.partition(":")[0] for told in made.refused] == ["LY", "MO"]
        assert "takes none" in made.refused[0]

    def test_both_generators_draw_until_their_time_is_over(
        self, material: Material
    ) -> None:
        plan, drawn = Plan("time", shots=5, seconds=1.0), deal(material.cells, 5, 0)
        found = race.run(Run(material, plan, drawn, InlineCompute())).figures
        for case in ("embedding", "latent"):
            assert found[case, "", "took", ""][0] >= 1
            assert found[case, "", "macro_f1_gain", ""].shape == (REPEATS + 1,)


def test_what_a_resnet_did_not_run_is_told() -> None:
    told = ratio.left_out(Plan("ratio", head="resnet"), ())
    assert "ratios 0.25, 5, 20 : 1" in told[0]
    assert "pre-training" in ratio.left_out(Plan("ratio"), ())[0]


def test_ratios_without_real_cells_are_told() -> None:
    same = np.ones(101)
    cases = (("synthetic", "5"), ("synthetic", "20"), ("more real", "5"))
    rows = rows_of([{(case, at, "macro_f1", ""): same for case, at in cases}])
    told = ratio.left_out(Plan("ratio"), rows)
    assert told[-1].startswith("0.25, 1, 10, 20 further real cells for each real one")


def mixed(weights: str, flawed: float) -> dict[Key, np.ndarray]:
    values = {
        protocol.FLAWED: flawed,
        protocol.ON_REAL: 0.88,
        protocol.ON_SYNTHETIC: 0.99,
        protocol.CORRECTED: 0.85,
        protocol.WITHOUT: 0.84,
    }
    return {(c, weights, "macro_f1", ""): np.full(101, v) for c, v in values.items()}


def test_the_protocol_tells_the_gap_under_either_weights() -> None:
    run = mixed(protocol.PUBLISHED, 0.93) | mixed(protocol.OURS, 0.90)
    found = Study("protocol", rows_of([run]), (), (), (), {}, "0" * 64, 1.0)
    told = protocol.told(found)
    assert told[0].startswith("weights: every cell 1, as published")
    assert "+0.050 comes of scoring synthetic" in told[1]
    assert "+0.030 of folds" in told[1]
    assert told[2].startswith("weights: classes alike")
    assert "+0.020 comes of scoring synthetic" in told[3]


def test_the_published_protocol_weighs_every_row_alike() -> None:
    real = np.zeros((3, 2), np.float32), ("A", "A", "B")
    made = np.ones((10, 2), np.float32), ("B",) * 10
    published = protocol._weighed(protocol.PUBLISHED, real, made)
    assert (published.weights == 1).all()
    assert published.codes == (*real[1], *made[1])
    ours = protocol._weighed(protocol.OURS, real, made)
    own = {
        code: sum(w for w, c in zip(ours.weights, ours.codes, strict=True) if c == code)
        for code in "AB"
    }
    assert own["A"] == pytest.approx(own["B"])
    assert ours.weights[3:].sum() == pytest.approx(ours.weights[2])


def test_synthetic_rows_are_in_every_fold_of_the_flawed_protocol(
    cells: LabelledCells,
) -> None:
    """Cells of a class that is painted as one point are told apart without an error."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    made = np.full((20, 4), 9, np.float32)
    pool = protocol.MixedPool(
        np.concatenate([vectors, made]),
        (*("A", "B") * 30, *("B",) * 20),
        np.arange(80) >= 60,
    )
    for weights in (protocol.PUBLISHED, protocol.OURS):
        found = protocol._mixed(pool, weights, 0)
        assert found[protocol.ON_REAL, weights, "macro_f1", ""][0] < 0.7
        flawed = found[protocol.FLAWED, weights, "macro_f1", ""][0]
        assert flawed > found[protocol.ON_REAL, weights, "macro_f1", ""][0] + 0.05


class TestRuns:
    def test_ratio_has_every_control_and_as_many_real_cells(
        self, material: Material
    ) -> None:
        plan = Plan("ratio", shots=5)
        drawn = deal(material.cells, 5, 0)
        outcome = ratio.run(Run(material, plan, drawn, InlineCompute()))
        found = outcome.figures
        assert not outcome.not_run
        cases = {key[0] for key in found}
        assert {"none", "class_weights", "duplicates", "augmentation", "smote"} <= cases
        assert {"gaussian", "synthetic", "more real", "synthetic only"} <= cases
        assert found["more real", "1", "macro_f1", ""].shape == (REPEATS + 1,)

    def test_a_refusal_costs_the_rows_that_rest_on_it_alone(
        self, material: Material
    ) -> None:
        drawn = deal(material.cells, 5, 0)
        compute = InlineCompute(generators={"embedding": RefusingGenerator})
        given = Run(material, Plan("ratio", shots=5), drawn, compute)
        found = ratio.run(given)
        cases = {key[0] for key in found.figures}
        assert {"none", "class_weights", "smote", "more real"} <= cases
        assert not {"synthetic", "synthetic only"} & cases
        rows = [told.partition(": The ")[0] for told in found.not_run]
        assert rows == [
            *(f"synthetic, {r} : 1" for r in ("0.25", "1", "5", "10", "20")),
            "synthetic only",
        ]
        assert "It takes none; ask another." in found.not_run[0]

    def test_a_class_that_cannot_be_painted_is_told_and_kept(
        self, material: Material, tmp_path: Path
    ) -> None:
        """Two cells of a class that the weights never saw: too few to learn from."""
        classes = tuple(
            replace(c, concept="strange") if c.code == "MO" else c
            for c in TAXONOMY.classes
        )
        unknown = replace(material, taxonomy=Taxonomy(TAXONOMY.name, classes))
        found = run_to_end(study(unknown, Plan("protocol", 2, 1), tmp_path))
        assert found.not_run[0].startswith("painted cells of MO: The latent generator")
        assert found.find(protocol.WITHOUT, "macro_f1", protocol.OURS).value > 0
        assert found.said[0].startswith("no cell could be painted")
        again = run_to_end(study(unknown, Plan("protocol", 2, 1), tmp_path))
        assert again.not_run == found.not_run
        assert again.to_json()["rows"] == found.to_json()["rows"]

    def test_a_kept_run_is_not_repeated_and_another_cell_is_another_run(
        self, material: Material, tmp_path: Path
    ) -> None:
        plan = Plan("ratio", shots=5, seeds=1)
        first = run_to_end(study(material, plan, tmp_path))
        kept = list(tmp_path.iterdir())
        stamp = kept[0].stat().st_mtime_ns
        again = run_to_end(study(material, plan, tmp_path))
        assert again.to_json()["rows"] == first.to_json()["rows"]
        assert kept[0].stat().st_mtime_ns == stamp
        assert first.data == hash_of(material.cells)
        assert first.plan["cut"] == [rarest_third(judged_classes(material.cells, 5))[0]]
        assert set(first.plan["cells"]) == set(judged_classes(material.cells, 5))
        assert first.plan["embedder"] == material.embedder
        assert first.said
        fewer = replace(material, cells=material.cells.take(np.arange(225)))
        assert hash_of(fewer.cells) != first.data

    def test_a_run_is_another_where_the_taxonomy_is(self, material: Material) -> None:
        first, *others = TAXONOMY.classes
        apart = replace(first, neighbours=())
        other = replace(material, taxonomy=Taxonomy(TAXONOMY.name, (apart, *others)))
        plan = Plan("ratio")
        assert first.neighbours
        assert key_of(plan, other, "0", 0) != key_of(plan, material, "0", 0)

    def test_a_killed_process_ends_the_study(
        self, material: Material, tmp_path: Path
    ) -> None:
        task = study(material, Plan("ratio", shots=5, seeds=2), tmp_path)
        next(task)
        before = set(multiprocessing.active_children())
        next(task)
        (child,) = set(multiprocessing.active_children()) - before
        child.kill()
        with pytest.raises(WorkerDiedError, match="out of memory"):
            list(task)

    def test_closing_ends_the_runs(self, material: Material, tmp_path: Path) -> None:
        task = study(material, Plan("ratio", shots=5, seeds=2), tmp_path)
        next(task)
        next(task)
        data = hash_of(material.cells)
        name = key_of(Plan("ratio", shots=5, seeds=2), material, data, 0)
        # As a process leaves it that is ended while it writes.
        (tmp_path / f"{name}.npz.{'0' * 32}.partial").write_bytes(b"half")
        task.close()
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["protocol", "regenerate"])
    def test_painted_studies_say_what_they_found(
        self,
        name: str,
        material: Material,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(protocol, "EACH", 1)
        monkeypatch.setattr(regenerate, "EACH", 2)
        monkeypatch.setattr(regenerate, "ROUNDS", 2)
        plan, path = Plan(name, shots=5, seeds=1), tmp_path / "run.npz"
        one_run(material, plan, 0, path)
        assert path.is_file()
        assert list(tmp_path.iterdir()) == [path]


def test_plan_refuses_what_it_cannot_do() -> None:
    with pytest.raises(InputError, match="no study 'x'"):
        Plan("x")
    with pytest.raises(InputError, match="leave the head out"):
        Plan("time", head="resnet")
    with pytest.raises(InputError, match="above 0"):
        Plan("ratio", shots=0)


class TestFolder:
    def test_cells_of_two_classes_are_read(self, tmp_path: Path) -> None:
        for code in ("BA", "MO"):
            (tmp_path / code).mkdir()
            Image.new("RGB", (128, 128), "pink").save(tmp_path / code / "1.png")
        task = from_folder(tmp_path, "morphology", InlineCompute(), mpp=0.28)
        found: Material = run_to_end(task)
        assert sorted(found.cells.codes) == ["BA", "MO"]
        assert found.cells.crops.shape == (2, 96, 96, 3)
        assert "unknown" in found.caveats[0]

    @pytest.mark.parametrize(
        ("name", "side", "mpp", "said"),
        [
            ("BA", 128, None, "Give micrometres a pixel"),
            ("BA", 64, 0.25, "less than the 24 um"),
            ("strange", 96, None, "no built-in taxonomy"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, name: str, side: int, mpp: float | None, said: str, tmp_path: Path
    ) -> None:
        (tmp_path / name).mkdir()
        Image.new("RGB", (side, side)).save(tmp_path / name / "1.png")
        with pytest.raises(InputError, match=said):
            run_to_end(from_folder(tmp_path, "morphology", InlineCompute(), mpp=mpp))

    def test_damage_and_emptiness_are_said(self, tmp_path: Path) -> None:
        task: Generator[Progress, None, Material]
        task = from_folder(tmp_path, "morphology", InlineCompute())
        with pytest.raises(InputError, match="a folder for each class"):
            run_to_end(task)
        (tmp_path / "BA").mkdir()
        (tmp_path / "BA" / "1.png").write_bytes(b"no picture")
        with pytest.raises(InputError, match="Mend it or take it out"):
            run_to_end(from_folder(tmp_path, "morphology", InlineCompute()))


def test_the_network_learns_painted_cells_and_begins_alike(
    cells: LabelledCells,
) -> None:
    drawn = deal(cells, 20, 0)
    train, weights = drawn.train, np.ones(len(drawn.train))
    network = SmallResNet(drawn.classes, steps=60)
    chances = network.fit(train.crops, train.codes, weights).chances(drawn.test.crops)
    truth = np.searchsorted(drawn.classes, drawn.test.codes)
    assert (chances.argmax(axis=1) == truth).mean() > 0.8
    again = SmallResNet(drawn.classes, steps=60).fit(train.crops, train.codes, weights)
    assert np.allclose(again.chances(drawn.test.crops), chances, atol=1e-4)


def test_where_every_class_is_refused_the_loop_has_no_figure() -> None:
    nothing = Study("regenerate", (), (), (), (), {"seeds": 1}, "0" * 64, 1.0)
    assert regenerate.told(nothing) == (
        "no cell could be painted, so there is no figure",
    )


@pytest.mark.parametrize("name", ["ratio", "time"])
def test_the_seconds_of_a_race_void_no_run_of_another_study(
    name: str, material: Material
) -> None:
    keys = {
        key_of(Plan(name, seconds=given), material, "0" * 64, 0) for given in (6, 30)
    }
    assert len(keys) == (2 if name == "time" else 1)


def test_a_figure_on_which_all_resamples_agree_has_no_interval() -> None:
    runs: list[dict[Key, np.ndarray]] = [
        {
            ("none", "", "recall", "BA"): np.ones(9),
            ("none", "", "macro_f1", ""): np.linspace(0.6, 0.8, 9),
        }
    ]
    recall, macro = rows_of(runs)
    assert recall.interval.value == 1
    assert np.isnan([recall.interval.low, recall.interval.high]).all()
    assert NO_INTERVAL in span(recall.interval)
    assert macro.interval.low < macro.interval.high
    study = Study("ratio", (recall, macro), (), (), (), {"seeds": 1}, "0" * 64, 1.0)
    text = json.dumps(study.to_json(), allow_nan=False)
    read = Study.from_json(json.loads(text))
    assert np.isnan(read.rows[0].interval.low)
    assert read.rows[1] == macro
