"""Makes ``schema-1.cytosynth``: a project as the first schema kept it, without jobs.

It was run once; the folder it made is kept for ever, and opened by ``test_migrations``.
Later schemas must not change it: a new one gets a new folder.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId, SmearId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.protocols import Weights
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.tiny import (
    tiny_calibration,
    tiny_detections,
    tiny_smear,
    tiny_synthetic,
)


def main() -> None:
    folder = Path(__file__).parent / "schema-1"
    author = Author("ann")
    with create_project(folder, built_in("blood5")) as project:
        smear = project.add_smear(tiny_smear(1))
        project.set_calibration(smear.id, tiny_calibration())
        crops = np.zeros((4, 96, 96, 3), np.uint8)
        crops[:] = np.arange(10, 50, 10)[:, None, None, None]
        found = tiny_detections(4, np.random.default_rng(0))
        project.add_cells(smear.id, found, crops)
        project.add_cell_by_hand(SmearId(1), Box(9, 8, 7, 6), crops[:1], author)
        project.record(
            author.label(CellId(1), "NEU"),
            author.label(CellId(2), "MON"),
            author.label(CellId(2), "LYM"),
            author.removed(CellId(3)),
        )
        last = project.journal.undo_target("ann")
        project.record(author.undo(last.id))
        project.put_embeddings("e:1", [1, 2], np.ones((2, 3), np.float32))
        cell = tiny_synthetic(project.taxonomy, "BAS", 1)[0]
        cell.pixels[:] = 7
        (stored,) = project.add_synthetic([cell])
        project.record(author.verdict(stored.id, accept=True))
        project.put_model("head", Weights({"w": np.ones(2, np.float32)}, {"k": 1}))
        path = project.path
    with closing(sqlite3.connect(path / "project.sqlite")) as database:
        database.execute("DROP TABLE job")
        database.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        database.commit()
        database.execute("VACUUM")


if __name__ == "__main__":
    main()
