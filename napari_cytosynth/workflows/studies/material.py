"""Where the cells of a study come from: a project, or a folder of single cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Compute, LabelledCells
from napari_cytosynth.core.splits import Split
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.evidence.study import UNKNOWN_PATIENTS
from napari_cytosynth.workflows.embed import embed_cells, fingerprint_of
from napari_cytosynth.workflows.splitting import labelled_cells, splits_of
from napari_cytosynth.workflows.studies.plan import Material

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})

_READ = 200
"""Pictures between two signs of life."""


def from_project(project: Project, embedder: str, compute: Compute) -> Task[Material]:
    """Return the labelled real cells of the training side; audit cells stay unseen.

    Parameters
    ----------
    project : Project
        Gives cells, labels and pictures.
    embedder : str
        Registry name.
    compute : Compute
        Embeds what is not embedded yet.
    """
    key = yield from embed_cells(project, compute, embedder=embedder)
    cells = labelled_cells(project, key, Split.TRAIN)
    pictured = replace(cells, crops=project.crops(cells.ids))
    caveat = splits_of(project).caveat
    return Material(pictured, project.taxonomy, embedder, (caveat,) if caveat else ())


def from_folder(
    folder: Path, embedder: str, compute: Compute, *, mpp: float | None = None
) -> Task[Material]:
    """Return single cells that lie in a folder for each class.

    Parameters
    ----------
    folder : Path
        Holds ``CLASS/PICTURE``; each picture shows one cell in its middle.
    embedder : str
        Registry name.
    compute : Compute
        Embeds.
    mpp : float, optional
        Micrometres a pixel; without it every picture must be 96 pixels wide and high,
        as ``export`` writes them, at 0.25.

    Raises
    ------
    InputError
        If there are no such folders, no taxonomy knows their names, or a picture
        cannot be read or is too small.
    """
    paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in PICTURES)
    if not paths:
        raise InputError(
            f"'{folder}' holds no pictures of single cells. A study takes a project, "
            "or a folder that holds a folder for each class, such as 'BAS/cell-1.png'."
        )
    taxonomy = _taxonomy({path.parent.name for path in paths})
    crops = np.empty((len(paths), CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
    for row, path in enumerate(paths):
        if row % _READ == 0:
            yield Progress(row, len(paths), "reading cells")
        crops[row] = _crop(path, mpp)
    vectors = yield from compute.embed(embedder, crops)
    ids = np.arange(len(paths), dtype=np.int64)
    cells = LabelledCells(
        ids,
        tuple(taxonomy.find(path.parent.name).code for path in paths),
        crops,
        np.asarray(vectors, np.float32),
        fingerprint_of(embedder),
        ids.astype(np.str_),
    )
    return Material(cells, taxonomy, embedder, (UNKNOWN_PATIENTS,))


def _taxonomy(named: set[str]) -> Taxonomy:
    """Return the smallest built-in taxonomy that knows all names."""
    for taxonomy in sorted(map(built_in, BUILT_IN), key=len):
        if all(_knows(taxonomy, name) for name in named):
            return taxonomy
    raise InputError(
        f"The folders are named {', '.join(sorted(named))}, and no built-in taxonomy "
        f"({', '.join(BUILT_IN)}) knows all of them. Name each by the code or the name "
        "of its class."
    )


def _knows(taxonomy: Taxonomy, name: str) -> bool:
    try:
        return not taxonomy.find(name).abstain
    except UnknownClassError:
        return False


def _crop(path: Path, mpp: float | None) -> npt.NDArray[np.uint8]:
    """Return the middle 24 micrometres of a picture, uint8[96, 96, 3]."""
    try:
        with Image.open(path) as picture:
            return _middle(picture.convert("RGB"), path, mpp)
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read as a picture: {error}. Mend it or take it out."
        ) from error


def _middle(
    picture: Image.Image, path: Path, mpp: float | None
) -> npt.NDArray[np.uint8]:
    size = (CROP_PIXELS, CROP_PIXELS)
    if mpp is None:
        if picture.size != size:
            raise InputError(
                f"'{path}' is {picture.width} x {picture.height} pixels, and nothing "
                "says how large they are. Give micrometres a pixel with --mpp."
            )
        return np.asarray(picture, np.uint8)
    wide = CROP_UM / mpp
    if min(picture.size) < wide - 1:
        raise InputError(
            f"'{path}' spans {min(picture.size) * mpp:.1f} um at {mpp:g} um a pixel, "
            f"less than the {CROP_UM:g} um of a cell's picture. Check --mpp."
        )
    left, top = (picture.width - wide) / 2, (picture.height - wide) / 2
    box = (max(left, 0), max(top, 0), left + wide, top + wide)
    box = (box[0], box[1], min(box[2], picture.width), min(box[3], picture.height))
    found = picture.resize(size, Image.Resampling.BICUBIC, box)
    return np.asarray(found, np.uint8)
