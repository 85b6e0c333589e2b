"""Makes ``schema-2.cytosynth``: a project whose crops do not know their pixel size.

It was run once; the folder it made is kept for ever, and opened by ``test_migrations``.
Later schemas must not change it: a new one gets a new folder.
"""

from pathlib import Path

import numpy as np

from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.project import Job, JobState
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.tiny import tiny_calibration, tiny_detections, tiny_smear


def main() -> None:
    folder = Path(__file__).parent / "schema-2"
    author = Author("ann")
    with create_project(folder, built_in("blood5")) as project:
        measured = project.add_smear(tiny_smear(1))
        project.set_calibration(measured.id, tiny_calibration())
        unmeasured = project.add_smear(tiny_smear(2))
        crops = np.zeros((4, 96, 96, 3), np.uint8)
        crops[:] = np.arange(10, 50, 10)[:, None, None, None]
        rng = np.random.default_rng(0)
        project.add_cells(measured.id, tiny_detections(4, rng), crops)
        project.add_cells(unmeasured.id, tiny_detections(1, rng), crops[:1])
        project.put_embeddings("e:1", [1, 2, 5], np.ones((3, 3), np.float32))
        project.change_box(CellId(2), Box(9, 8, 7, 6), crops[:1] + 90, author)
        project.put_embeddings("e:1", [2], np.full((1, 3), 2, np.float32))
        project.record(author.label(CellId(1), "NEU"), author.label(CellId(2), "LYM"))
        project.put_job(Job("detect:1", JobState.RUNNING, {"tile": 3}))


if __name__ == "__main__":
    main()
