"""Fields of view by what labelling them whole would teach, on painted pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import open_smear
from napari_cytosynth.store import MemoryProject
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_project
from napari_cytosynth.workflows.detect import add_cell, add_smear, find_cells
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.fields import Field, FieldConfig, rank_fields
from napari_cytosynth.workflows.splitting import held_out_cells

READER = Author("reader")
PALE = (230.0, 230.0)
"""Middle of a cell too pale for the detector, pixels."""


def _picture(side: int = 1200) -> npt.NDArray[np.uint8]:
    """Paint 25 dark cells on a lattice and a pale one among them, 0.25 um a pixel."""
    rng = np.random.default_rng(0)
    picture = np.empty((side, side, 3))
    picture[:] = (240, 232, 225)
    y, x = np.mgrid[:side, :side] + 0.5
    middles = [(120.0 + 220 * i, 120.0 + 220 * j) for i in range(5) for j in range(5)]
    for place in (*middles, PALE):
        away = np.hypot(x - place[0], y - place[1]) * 0.25
        pale = place == PALE
        picture[away < 6] = (205, 185, 215) if pale else (190, 165, 205)
        picture[away < 4] = (140, 95, 170) if pale else (90, 40, 140)
    return (picture + rng.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)


class Smeared:
    """A project of one painted smear, its cells found and embedded."""

    def __init__(self, folder: Path, side: int = 1200) -> None:
        path = folder / "smear.png"
        Image.fromarray(_picture(side)).save(path)
        self.project = MemoryProject(built_in("blood5"))
        self.smear = add_smear(self.project, path, mpp=0.25)
        run_to_end(find_cells(self.project, self.smear.id))
        self.opened = 0
        self.embed()

    def embed(self) -> None:
        """Embed what is new."""
        self.key = run_to_end(embed_cells(self.project, FakeCompute()))

    def fields(self, n: int = 20, **options: object) -> list[Field]:
        """Rank the fields."""
        config = FieldConfig("typical", opener=self._open, **options)  # type: ignore[arg-type]
        return run_to_end(rank_fields(self.project, self.key, n=n, config=config))

    def _open(self, uri: str) -> object:
        self.opened += 1
        return open_smear(uri)


@pytest.fixture
def smeared(tmp_path: Path) -> Iterator[Smeared]:
    made = Smeared(tmp_path)
    yield made
    made.project.close()


def test_fields_hold_the_open_cells_that_may_teach_each_once(smeared: Smeared) -> None:
    found = smeared.fields()
    cells = [cell for field in found for cell in field.cells]
    held_out = set(held_out_cells(smeared.project).tolist())
    everything = set(smeared.project.cells().ids.tolist())
    assert sorted(cells) == sorted(everything - held_out)
    values = [field.value for field in found]
    assert values == sorted(values, reverse=True)
    table = smeared.project.cells()
    for field in found:
        for cell in field.cells:
            assert field.box.contains(*table.box(CellId(cell)).centre)
        assert f"{field.worthy} of its {len(field.cells)} unlabelled" in field.reason


def test_a_missed_cell_is_a_place_in_its_field(smeared: Smeared) -> None:
    assert len(smeared.project.cells()) == 25
    named = [f for f in smeared.fields() if f.missed]
    assert len(named) == 1
    assert named[0].box.contains(*PALE)
    assert len(named[0].missed) == 1
    assert named[0].missed[0].contains(*PALE)
    assert "1 place where a cell may be missed" in named[0].reason


def test_a_place_that_became_a_cell_or_was_struck_out_is_none_any_more(
    smeared: Smeared,
) -> None:
    project = smeared.project
    cell = add_cell(project, smeared.smear.id, *PALE, READER)
    assert project.cells().box(cell).contains(*PALE)
    smeared.embed()
    assert not any(f.missed for f in smeared.fields())
    project.record(READER.removed(cell))
    assert not any(f.missed for f in smeared.fields())


def test_pictures_are_looked_at_once(smeared: Smeared) -> None:
    smeared.fields()
    assert smeared.opened == 1
    smeared.fields()
    assert smeared.opened == 1


def test_labelled_cells_leave_their_field_worth_less(smeared: Smeared) -> None:
    first = smeared.fields()[0]
    smeared.project.record(*(READER.label(CellId(cell), "NEU") for cell in first.cells))
    after = {field.box: field for field in smeared.fields()}
    assert first.box not in after or after[first.box].value < first.value


def test_a_picture_of_one_field_is_one(tmp_path: Path) -> None:
    smeared = Smeared(tmp_path, side=700)
    (field,) = smeared.fields()
    assert (field.box.width, field.box.height) == (700, 700)
    smeared.project.close()


def test_smaller_fields_are_more(smeared: Smeared) -> None:
    wide = smeared.fields(um=150.0)
    small = smeared.fields(um=60.0)
    assert max(f.box.width for f in small) == 240
    assert len(small) > len(wide)
    assert len(smeared.fields(n=2, um=60.0)) == 2
    with pytest.raises(InputError, match="Ask for more"):
        smeared.fields(um=0.0)


def test_without_pictures_the_cells_alone_are_ranked() -> None:
    project = MemoryProject(built_in("pbc11"))
    tiny_project(project, smears=6, cells_per_smear=30)
    key = run_to_end(embed_cells(project, FakeCompute()))
    found = run_to_end(rank_fields(project, key, n=5))
    assert len(found) == 5
    assert not any(field.missed for field in found)
    project.close()
