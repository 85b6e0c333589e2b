"""What a project must do with smears, cells and journal; see ``contracts_store``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import (
    InputError,
    UnknownClassError,
)
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, EventId, SmearId, SyntheticId
from napari_cytosynth.core.journal import Author, EventKind, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.rereading import comments
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.tiny import (
    tiny_calibration,
    tiny_crops,
    tiny_detections,
    tiny_project,
    tiny_smear,
    tiny_synthetic,
)

ANN = Author("ann")


class ProjectCase:
    """How a contract gets its projects.

    Subclasses implement :meth:`make`, and :meth:`again` where data outlives closing.
    """

    def make(self) -> Project:
        """Return an empty project of taxonomy ``pbc11``."""
        raise NotImplementedError

    def again(self, project: Project) -> Project:
        """Return the same project after closing and opening; itself if it cannot."""
        return project

    @pytest.fixture
    def project(self) -> Project:
        """Return an empty project."""
        return self.make()

    @pytest.fixture
    def filled(self, project: Project) -> Project:
        """Return a project of two smears with five cells each."""
        tiny_project(project, smears=2, cells_per_smear=5)
        return project


class SmearAndCellContract(ProjectCase):
    """Smears, cells, crops and embeddings."""

    def test_new_project_is_empty(self, project: Project) -> None:
        assert project.taxonomy == built_in("pbc11")
        assert project.smears() == []
        assert len(project.cells()) == 0
        assert project.journal.events() == ()
        assert project.synthetic() == ()
        assert project.jobs() == []
        assert project.model("head") is None

    def test_taxonomy_survives(self, project: Project) -> None:
        assert self.again(project).taxonomy == built_in("pbc11")

    def test_smears_get_ids_in_order(self, project: Project) -> None:
        first, second = (project.add_smear(tiny_smear(n)) for n in (1, 2))
        assert [first.id, second.id] == [1, 2]
        assert self.again(project).smears() == [first, second]

    def test_same_fingerprint_is_same_smear(self, project: Project) -> None:
        first = project.add_smear(tiny_smear(1))
        moved = replace(tiny_smear(1), uri="elsewhere.png")
        assert project.add_smear(moved) == first
        assert len(project.smears()) == 1

    def test_relink_moves_the_uri(self, project: Project) -> None:
        smear = project.add_smear(tiny_smear(1))
        moved = project.relink(smear.id, "moved.png", smear.fingerprint)
        assert moved == replace(smear, uri="moved.png")
        assert self.again(project).smears() == [moved]

    def test_relink_refuses_another_picture(self, project: Project) -> None:
        smear = project.add_smear(tiny_smear(1))
        with pytest.raises(InputError, match="content differs"):
            project.relink(smear.id, "other.png", "another")
        assert project.smears() == [smear]

    def test_calibration_is_kept_and_replaced(self, project: Project) -> None:
        smear = project.add_smear(tiny_smear(1))
        assert project.calibration(smear.id) is None
        project.set_calibration(smear.id, tiny_calibration())
        better = replace(tiny_calibration(), mpp=0.1)
        project.set_calibration(smear.id, better)
        project.relink(smear.id, "moved.png", smear.fingerprint)
        assert self.again(project).calibration(smear.id) == better

    def test_unknown_smear_is_refused(self, project: Project) -> None:
        rng = np.random.default_rng(0)
        crops = tiny_crops(project.taxonomy, ["BA"], rng)
        with pytest.raises(InputError, match="Smear 7"):
            project.add_cells(SmearId(7), tiny_detections(1, rng), crops)
        with pytest.raises(InputError, match="Smear 7"):
            project.calibration(SmearId(7))

    def test_cells_come_back_as_they_went(self, project: Project) -> None:
        rng = np.random.default_rng(0)
        smear = project.add_smear(tiny_smear(1))
        found = replace(
            tiny_detections(7, rng), edges=np.array([0, 1, 0, 0, 1, 0, 1], bool)
        )
        crops = tiny_crops(project.taxonomy, ["BA"] * 7, rng)
        ids = project.add_cells(smear.id, found, crops)
        project = self.again(project)
        table = project.cells()
        assert ids.dtype == np.int64
        np.testing.assert_array_equal(ids, np.arange(1, 8))
        np.testing.assert_array_equal(table.ids, ids)
        np.testing.assert_array_equal(table.smears, [smear.id] * 7)
        np.testing.assert_array_equal(table.boxes, found.boxes)
        np.testing.assert_array_equal(table.scores, found.scores)
        np.testing.assert_array_equal(table.edges, found.edges)
        np.testing.assert_array_equal(project.crops(ids), crops)
        for cell, outline in zip(ids, found.outlines, strict=True):
            np.testing.assert_array_equal(project.outline(CellId(int(cell))), outline)

    def test_adding_nothing_adds_nothing(self, project: Project) -> None:
        smear = project.add_smear(tiny_smear(1))
        none = np.zeros((0, 96, 96, 3), np.uint8)
        ids = project.add_cells(smear.id, Detections.empty(), none)
        assert ids.shape == (0,)
        assert ids.dtype == np.int64
        assert len(self.again(project).cells()) == 0

    def test_bad_cells_are_refused_whole(self, project: Project) -> None:
        rng = np.random.default_rng(0)
        smear = project.add_smear(tiny_smear(1))
        crops = tiny_crops(project.taxonomy, ["BA", "EO"], rng)
        found = tiny_detections(2, rng)
        with pytest.raises(InputError, match="crops"):
            project.add_cells(smear.id, found, crops[:1])
        with pytest.raises(InputError, match="crops"):
            project.add_cells(smear.id, found, crops.astype(np.float32))
        found.boxes[1, 2] = np.nan
        with pytest.raises(InputError, match="box"):
            project.add_cells(smear.id, found, crops)
        assert len(self.again(project).cells()) == 0

    def test_crops_in_any_order_with_repeats(self, filled: Project) -> None:
        every = filled.crops(np.arange(1, 11))
        some = filled.crops([9, 2, 9, 4])
        np.testing.assert_array_equal(some, every[[8, 1, 8, 3]])
        assert filled.crops([]).shape == (0, 96, 96, 3)

    def test_unknown_cells_are_refused(self, filled: Project) -> None:
        for cells in ([11], [0], [-1], [1, 99]):
            with pytest.raises(InputError, match="not in the project"):
                filled.crops(cells)
        with pytest.raises(InputError, match="not in the project"):
            filled.outline(CellId(11))
        with pytest.raises(InputError, match="not in the project"):
            filled.embeddings("e", [11])

    def test_one_crop_may_lack_its_first_axis(self, filled: Project) -> None:
        crop = tiny_crops(filled.taxonomy, ["EO"], np.random.default_rng(1))
        cell = filled.add_cell_by_hand(SmearId(1), Box(1, 1, 9, 9), crop[0], ANN)
        np.testing.assert_array_equal(filled.crops([cell]), crop)

    def test_embeddings(self, filled: Project) -> None:
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(3, 6)).astype(np.float32)
        assert filled.embeddings("e:1", [1, 2]).shape == (2, 0)
        filled.put_embeddings("e:1", [2, 5, 9], vectors)
        filled.put_embeddings("e:1", [5], vectors[:1])
        project = self.again(filled)
        found = project.embeddings("e:1", [9, 1, 2, 5, 2])
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[[0, 2, 3, 4]], vectors[[2, 0, 0, 0]])
        assert np.isnan(found[1]).all()
        assert project.embeddings("e:2", [1]).shape == (1, 0)
        assert project.embeddings("e:1", []).shape == (0, 6)

    def test_bad_embeddings_are_refused(self, filled: Project) -> None:
        good = np.ones((2, 4), np.float32)
        filled.put_embeddings("e", [1, 2], good)
        for cells, vectors in (
            ([1], good),
            ([1, 2], good[:, :3]),
            ([1, 2], good * np.nan),
            ([1, 99], good),
            ([1, 2], good[0]),
        ):
            with pytest.raises(InputError):
                filled.put_embeddings("e", cells, vectors)
        np.testing.assert_array_equal(filled.embeddings("e", [1, 2]), good)


class JournalContract(ProjectCase):
    """Events, and what follows from them."""

    def test_cell_by_hand_and_undo(self, filled: Project) -> None:
        rng = np.random.default_rng(1)
        crop = tiny_crops(filled.taxonomy, ["EO"], rng)
        box = Box(10.0, 20.0, 30.0, 40.0)
        cell = filled.add_cell_by_hand(SmearId(1), box, crop, ANN)
        assert cell == 11
        assert filled.cells().box(cell) == box
        assert filled.cells().scores[-1] == 1.0
        assert filled.outline(cell).min(axis=0).tolist() == [10, 20]
        (target,) = filled.journal.undo_step("ann")
        assert target.kind is EventKind.CELL_ADDED
        filled.record(ANN.undo(target.id))
        project = self.again(filled)
        assert cell not in project.cells()
        project.record(ANN.redo(target.id))
        assert cell in project.cells()
        np.testing.assert_array_equal(project.crops([cell]), crop)

    def test_added_with_an_author_each_cell_has_its_event(
        self, filled: Project
    ) -> None:
        rng = np.random.default_rng(1)
        crops = tiny_crops(filled.taxonomy, ["EO"] * 3, rng)
        filled.add_cells(SmearId(1), tiny_detections(3, rng), crops, author=ANN)
        events = self.again(filled).journal.events()
        assert [e.kind for e in events] == [EventKind.CELL_ADDED] * 3
        assert [e.cell for e in events] == [11, 12, 13]

    def test_added_with_codes_each_cell_comes_with_its_label(
        self, filled: Project
    ) -> None:
        rng = np.random.default_rng(1)
        crops = tiny_crops(filled.taxonomy, ["EO"] * 3, rng)
        found = tiny_detections(3, rng)
        with pytest.raises(UnknownClassError):
            filled.add_cells(
                SmearId(1), found, crops, author=ANN, codes=["EO", "NONSENSE", ""]
            )
        assert len(filled.cells()) == 10
        filled.add_cells(SmearId(1), found, crops, author=ANN, codes=["EO", "BA", ""])
        journal = self.again(filled).journal
        said = [journal.label(CellId(number)) for number in (11, 12, 13)]
        assert [None if s is None else s.code for s in said] == ["EO", "BA", None]

    def test_labels_survive(self, filled: Project) -> None:
        first, second = filled.record(
            ANN.label(CellId(1), "BA"), ANN.label(CellId(2), "EO")
        )
        assert (first.id, second.id) == (1, 2)
        assert first.mode is Mode.TEACH
        project = self.again(filled)
        assert project.journal.events() == (first, second)
        label = project.journal.label(CellId(1))
        assert label is not None
        assert (label.code, label.annotator) == ("BA", "ann")
        assert project.record(ANN.label(CellId(3), "MO"))[0].id == 3

    def test_undo_and_redo_survive(self, filled: Project) -> None:
        (event,) = filled.record(ANN.label(CellId(1), "BA"))
        filled.record(ANN.undo(event.id))
        project = self.again(filled)
        assert project.journal.label(CellId(1)) is None
        (target,) = project.journal.redo_step("ann")
        assert target == event
        project.record(ANN.redo(event.id))
        assert len(self.again(project).journal.labels()) == 1

    def test_every_kind_of_event_survives(self, filled: Project) -> None:
        (synthetic,) = filled.add_synthetic(tiny_synthetic(filled.taxonomy, "BA", 1))
        cell = CellId(1)
        events = filled.record(
            ANN.label(cell, "BA"),
            ANN.skip(cell),
            ANN.comment(cell, "Auer rod? – “yes”"),
            ANN.second_opinion(cell),
            ANN.removed(CellId(2)),
            ANN.box_changed(CellId(3), (1.5, 2.5, 30.25, 40.0)),
            ANN.split(CellId(4), [CellId(5), CellId(6)]),
            ANN.merged("BNE", "SNE"),
            ANN.audit_draw(CellId(7)),
            ANN.verdict(synthetic.id, accept=True),
            ANN.undo(EventId(1)),
            ANN.redo(EventId(1)),
        )
        project = self.again(filled)
        assert project.journal.events() == events
        assert comments(project.journal, cell) == ["Auer rod? – “yes”"]
        assert project.journal.is_audit(CellId(7))
        assert project.journal.verdict(synthetic.id) is True
        assert set(project.cells().ids.tolist()) == {1, 3, 5, 6, 7, 8, 9, 10}
        assert project.cells().box(CellId(3)) == Box(1.5, 2.5, 30.25, 40.0)

    def test_a_changed_box_brings_its_own_picture_and_vector(
        self, filled: Project
    ) -> None:
        cell = CellId(3)
        old = filled.crops([1, 3])
        filled.put_embeddings("m", [1, 3], np.ones((2, 4), np.float32))
        anew = np.full((1, 96, 96, 3), 7, np.uint8)
        event = filled.change_box(cell, Box(5, 6, 30, 40), anew, ANN)
        project = self.again(filled)
        assert np.array_equal(project.crops([1, 3]), np.stack([old[0], anew[0]]))
        assert project.outline(cell).tolist() == [[5, 6], [35, 6], [35, 46], [5, 46]]
        assert np.isnan(project.embeddings("m", [1, 3])[:, 0]).tolist() == [False, True]
        project.put_embeddings("m", [3], np.full((1, 4), 2, np.float32))
        project.record(ANN.undo(event.id))
        project = self.again(project)
        assert np.array_equal(project.crops([1, 3]), old)
        assert (project.embeddings("m", [3]) == 1).all()
        project.record(ANN.redo(event.id))
        project = self.again(project)
        assert (project.embeddings("m", [3]) == 2).all()
        assert np.array_equal(project.crops([3]), anew)

    def test_a_split_cell_and_its_parts_never_stand_together(
        self, filled: Project
    ) -> None:
        cell, rng = CellId(3), np.random.default_rng(0)
        filled.record(ANN.label(cell, "BA"))
        crops = tiny_crops(filled.taxonomy, ["BA", "MO"], rng)
        parts = filled.split_cell(cell, tiny_detections(2, rng), crops, ANN)
        filled.record(ANN.label(CellId(int(parts[0])), "MO"))
        labels = filled.journal.labels()
        assert set(labels) == {parts[0]}
        assert set(parts) <= set(filled.cells().ids) - {3}
        split, _ = filled.journal.events()[-2:]
        for _ in range(2):
            (done,) = filled.journal.undo_step("ann")
            filled.record(ANN.undo(done.id))
        project = self.again(filled)
        assert set(project.cells().ids) == set(range(1, 11))
        assert set(project.journal.labels()) == {3}
        project.record(ANN.redo(split.id))
        assert set(parts) <= set(self.again(project).cells().ids) - {3}

    def test_a_cell_struck_out_has_no_box_to_change(self, filled: Project) -> None:
        filled.record(ANN.removed(CellId(3)))
        anew = np.zeros((1, 96, 96, 3), np.uint8)
        with pytest.raises(InputError, match="Cell 3"):
            filled.change_box(CellId(3), Box(5, 6, 30, 40), anew, ANN)
        with pytest.raises(InputError, match="Cell 3"):
            filled.split_cell(CellId(3), Detections.empty(), anew[:0], ANN)

    def test_one_bad_event_stops_all(self, filled: Project) -> None:
        good = ANN.label(CellId(1), "BA")
        bad = (
            ANN.label(CellId(2), "NOPE"),
            ANN.label(CellId(99), "BA"),
            ANN.undo(EventId(5)),
            ANN.box_changed(CellId(1), (0, 0, 0, 5)),
            ANN.merged("BA", "BA"),
            ANN.merged("BA", "NOPE"),
            ANN.verdict(SyntheticId(3), accept=True),
            ANN.event(EventKind.LABEL, 1),
            ANN.event(EventKind.LABEL, None, code="BA"),
            ANN.event(EventKind.COMMENT, 1, text=float("nan")),
        )
        for event in bad:
            with pytest.raises((InputError, UnknownClassError)):
                filled.record(good, event)
        assert self.again(filled).journal.events() == ()

    def test_unknown_class_names_the_choices(self, filled: Project) -> None:
        with pytest.raises(UnknownClassError, match="SNE, BNE"):
            filled.record(ANN.label(CellId(1), "NOPE"))

    def test_numpy_numbers_become_plain(self, filled: Project) -> None:
        box = np.array([1, 2, 3, 4], np.float32)
        cell = CellId(np.int64(1))  # type: ignore[arg-type]
        (event,) = filled.record(ANN.box_changed(cell, tuple(box)))
        assert type(event.cell) is int
        assert event.data == {"box": [1.0, 2.0, 3.0, 4.0]}
        assert self.again(filled).journal.events() == (event,)

    def test_cells_are_cached_until_one_moves(self, filled: Project) -> None:
        before = filled.cells()
        filled.record(ANN.label(CellId(1), "BA"))
        assert filled.cells() is before
        filled.record(ANN.removed(CellId(1)))
        assert len(filled.cells()) == 9
        assert len(before) == 10
        with pytest.raises(ValueError, match="read-only"):
            before.boxes[0, 0] = 5
