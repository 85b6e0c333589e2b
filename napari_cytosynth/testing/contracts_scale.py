"""What a project must do when a smear gets another pixel size; see contracts_store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author, Event
from napari_cytosynth.core.project import CutBy, Project
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.testing.contracts_cells import ProjectCase
from napari_cytosynth.testing.tiny import tiny_calibration, tiny_detections

_ANN = Author("ann")
_FIRST, _SECOND = SmearId(1), SmearId(2)


class ScaleContract(ProjectCase):
    """Pixel sizes corrected, crops cut anew, cells found anew; undo of each."""

    def test_a_corrected_scale_holds_until_it_is_undone(self, filled: Project) -> None:
        event = _correct(filled, 0.4)
        assert _scales(filled) == [0.4, 0.25]
        project = self.again(filled)
        assert _scales(project) == [0.4, 0.25]
        project.record(_ANN.undo(event.id))
        assert _scales(self.again(project)) == [0.25, 0.25]

    def test_its_crops_are_stale_until_cut_anew(self, filled: Project) -> None:
        before = filled.crops([1, 5, 6])
        _correct(filled, 0.4)
        assert filled.stale_crops(_FIRST).tolist() == [1, 2, 3, 4, 5]
        assert filled.stale_crops(_SECOND).tolist() == []
        np.testing.assert_array_equal(filled.crops([1, 5, 6]), before)
        _cut(filled, [1, 2, 3, 5], 0.4, 70)
        assert filled.stale_crops(_FIRST).tolist() == [4]
        project = self.again(filled)
        crops = project.crops([5, 1, 6])
        assert crops[:2, 0, 0, 0].tolist() == [73, 70]
        np.testing.assert_array_equal(crops[2], before[2])
        assert project.stale_crops(_FIRST).tolist() == [4]

    def test_undo_and_redo_have_both_crops_and_vectors(self, filled: Project) -> None:
        before = filled.crops([1, 2])
        filled.put_embeddings("e:1", [1, 2], np.ones((2, 3), np.float32))
        event = _correct(filled, 0.4)
        _cut(filled, [1, 2, 3, 4, 5], 0.4, 70)
        assert (filled.pictures_changed([1, 2, 6]) > 0).tolist() == [True, True, False]
        assert np.isnan(filled.embeddings("e:1", [1, 2])).all()
        filled.put_embeddings("e:1", [2], np.full((1, 3), 2, np.float32))
        undone = filled.record(_ANN.undo(event.id))
        assert undone
        np.testing.assert_array_equal(filled.crops([1, 2]), before)
        assert filled.embeddings("e:1", [1, 2])[:, 0].tolist() == [1, 1]
        assert filled.stale_crops(_FIRST).tolist() == []
        project = self.again(filled)
        project.record(_ANN.redo(event.id))
        assert project.crops([1, 2])[:, 0, 0, 0].tolist() == [70, 71]
        assert project.embeddings("e:1", [2])[0, 0] == 2
        assert np.isnan(project.embeddings("e:1", [1])).all()

    def test_a_box_changed_before_or_after_is_cut_by_its_scale(
        self, filled: Project
    ) -> None:
        filled.change_box(CellId(1), Box(3, 4, 50, 60), _plain(1, 33), _ANN)
        _correct(filled, 0.4)
        assert 1 in filled.stale_crops(_FIRST)
        _cut(filled, [1, 2], 0.4, 70)
        filled.change_box(CellId(2), Box(9, 9, 50, 60), _plain(1, 55), _ANN)
        project = self.again(filled)
        assert project.crops([1, 2])[:, 0, 0, 0].tolist() == [70, 55]
        assert project.stale_crops(_FIRST).tolist() == [3, 4, 5]
        assert project.cells().box(CellId(1)) == Box(3, 4, 50, 60)

    def test_a_box_changed_meanwhile_is_not_given_the_older_crop(
        self, filled: Project
    ) -> None:
        _correct(filled, 0.4)
        table = filled.cells()
        old = table.boxes[:2].copy()
        filled.change_box(CellId(2), Box(9, 9, 50, 60), _plain(1, 55), _ANN)
        filled.put_crops([1, 2], old, _plain(2, 70), 0.4)
        assert filled.crops([1, 2])[:, 0, 0, 0].tolist() == [70, 55]

    def test_crops_that_do_not_fit_are_refused(self, filled: Project) -> None:
        with pytest.raises(InputError, match="crops"):
            filled.put_crops([1], filled.cells().boxes[:1], _plain(2, 1), 0.4)

    def test_cells_know_by_what_they_were_cut(self, filled: Project) -> None:
        found = tiny_detections(2, np.random.default_rng(3))
        filled.add_cells(_FIRST, found, _plain(2, 9), cut_by=CutBy(0.4))
        project = self.again(filled)
        assert project.stale_crops(_FIRST).tolist() == [11, 12]
        _correct(project, 0.4)
        assert project.stale_crops(_FIRST).tolist() == [1, 2, 3, 4, 5]

    def test_an_impossible_scale_is_refused(self, filled: Project) -> None:
        with pytest.raises(InputError, match="micrometres"):
            _correct(filled, 0.0)
        with pytest.raises(InputError, match="no range"):
            filled.record(_ANN.found_anew(1, [(3, 2)]))
        assert filled.journal.events() == ()

    def test_cells_found_anew_stand_as_long_as_the_search(
        self, filled: Project
    ) -> None:
        filled.record(_ANN.label(CellId(2), "BA"))
        (search,) = filled.record(_ANN.found_anew(1, [(1, 1), (3, 5)]))
        found = tiny_detections(3, np.random.default_rng(3))
        under = CutBy(0.25, int(search.id))
        filled.add_cells(_FIRST, found, _plain(3, 9), cut_by=under)
        project = self.again(filled)
        assert _standing(project) == [2, 11, 12, 13]
        project.record(_ANN.label(CellId(12), "EO"))
        project.record(_ANN.undo(search.id))
        project = self.again(project)
        # What a person labelled meanwhile stays.
        assert _standing(project) == [1, 2, 3, 4, 5, 12]
        assert {c: v.code for c, v in project.journal.labels().items()} == {
            2: "BA",
            12: "EO",
        }


def _correct(project: Project, mpp: float) -> Event:
    told = replace(tiny_calibration(), mpp=mpp).to_json()
    (event,) = project.record(_ANN.scale_changed(1, told))
    return event


def _scales(project: Project) -> list[float]:
    found = [project.calibration(smear.id) for smear in project.smears()]
    return [c.mpp for c in found if c is not None]


def _plain(count: int, first: int) -> Crops:
    """Return crops of one grey each, one brighter than the last."""
    crops = np.zeros((count, 96, 96, 3), np.uint8)
    crops[:] = (first + np.arange(count, dtype=np.uint8))[:, None, None, None]
    return crops


def _cut(project: Project, cells: list[int], mpp: float, first: int) -> None:
    table = project.cells()
    boxes = table.boxes[table.rows(cells)]
    project.put_crops(cells, boxes, _plain(len(cells), first), mpp)


def _standing(project: Project) -> list[int]:
    table = project.cells()
    return [int(i) for i in table.ids[table.smears == _FIRST]]
