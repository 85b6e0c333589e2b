"""Bring every cell's vector up to date, and give them out."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS, CellTable
from napari_cytosynth.core.errors import InputError, RegistryError, WeightsError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import (
    Compute,
    Crops,
    Embedder,
    NeedsWeights,
    Vectors,
    Weights,
)
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER, load, names
from napari_cytosynth.core.smear import FALLBACK_MPP, MppSource
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.ingest import calibrate, cut_crops, open_smear
from napari_cytosynth.worker.inline import InlineCompute
from napari_cytosynth.workflows.damaged import Damaged, DamagedFiles
from napari_cytosynth.workflows.mapped import room_for

BATCH = 256
"""Crops that are read, embedded and stored in one step."""

IN_MEMORY = 2**30
"""Bytes of vectors that are held in memory. More lie in a file of our own, of which
some thousand rows are looked at in a go."""

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""Endings of files that :func:`embed_folder` takes for pictures, in small letters."""

_CALIBRATED = 32
_ROWS = 16_384
_SYNTHETIC = "synthetic vectors"
_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Vectors in memory: one row a cell, which are there, and of which pictures."""

    ids: _Ids
    vectors: Vectors
    known: npt.NDArray[np.bool_]
    pictures: _Ids


_NAMED: dict[str, tuple[str]] = {}
"""Name under which a fingerprint was last asked for, by that fingerprint."""

_KEPT: WeakKeyDictionary[Project, dict[str, _Kept]] = WeakKeyDictionary()


def embed_cells(
    project: Project, compute: Compute, *, embedder: str = DEFAULT_EMBEDDER
) -> Task[str]:
    """Embed the cells that have no vector yet; what is stored stays stored.

    Parameters
    ----------
    project : Project
        Gives crops, takes vectors.
    compute : Compute
        Where the embedder runs.
    embedder : str
        Name in the registry.

    Returns
    -------
    str
        Fingerprint under which the vectors stand.

    Raises
    ------
    RegistryError
        If there is no such embedder.
    """
    key = fingerprint_of(embedder)
    missing = missing_vectors(project, key)
    yield Progress(0, len(missing), f"{len(missing)} cells without a vector")
    for start in range(0, len(missing), BATCH):
        ids = missing[start : start + BATCH]
        cut = project.pictures_changed(ids)
        task = compute.embed(embedder, project.crops(ids))
        try:
            while True:
                step = next(task)
                yield Progress(start + step.done, len(missing), "embedding")
        except StopIteration as stop:
            # A box or scale that was changed meanwhile has another picture by now.
            same = cut == project.pictures_changed(ids)
            project.put_embeddings(key, ids[same], stop.value[same])
        finally:
            task.close()
    return key


def fingerprint_of(embedder: str) -> str:
    """Return the fingerprint of an installed embedder."""
    made: Embedder = load("embedders", embedder)()
    _NAMED[made.key] = (embedder,)
    return made.key


def at_hand(embedder: str) -> bool:
    """Tell whether an installed embedder can run without a download."""
    made = load("embedders", embedder)()
    return made.at_hand if isinstance(made, NeedsWeights) else True


def name_of(key: str) -> str:
    """Return the registry name of the embedder with this fingerprint.

    Raises
    ------
    RegistryError
        If none that is installed has it.
    """
    # A name with a file after its colon is known only from having been asked for.
    known: tuple[str, ...] = (*_NAMED.get(key, ()), *names("embedders"))
    for name in known:
        # One that wants a file, or whose file is gone, is not the one that is sought.
        with suppress(InputError, WeightsError):
            if fingerprint_of(name) == key:
                return name
    raise RegistryError(
        f"No installed embedder has the fingerprint '{key}'. The vectors were made by "
        "another version, or by a weight file that was not named; name it, or embed "
        "the project again."
    )


def missing_vectors(project: Project, key: str) -> _Ids:
    """Return the ids of the standing cells that have no vector."""
    kept = _kept(project, key, project.cells().ids)
    return kept.ids[~kept.known]


def vectors_of(project: Project, key: str, cells: CellTable | None = None) -> Vectors:
    """Return float32[n, dim], one row for each cell of a table, ordered by id.

    Rows of cells without a vector are NaN. Read only: the matrix is kept in memory, and
    only what is new is read from the project, so that a ranking after each label is
    quick.

    Parameters
    ----------
    project : Project
        Where the vectors are stored.
    key : str
        Fingerprint of the embedder.
    cells : CellTable, optional
        The table that the rows answer to; by default the one that stands now. Other
        threads add and strike out cells meanwhile, so whoever joins by row takes one
        table and passes it on.
    """
    table = project.cells() if cells is None else cells
    return _kept(project, key, table.ids).vectors


def known_vectors(
    project: Project, key: str, cells: CellTable
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Return the vectors of a table's cells, and which of them are there.

    Both of one moment: other threads store vectors meanwhile.
    """
    kept = _kept(project, key, cells.ids)
    return kept.vectors, kept.known


def _kept(project: Project, key: str, ids: _Ids) -> _Kept:
    cache = _KEPT.setdefault(project, {})
    old = cache.get(key)
    same = old is not None and np.array_equal(old.ids, ids)
    cut = project.pictures_changed(ids)
    if (
        old is None
        or not same
        or not old.known.all()
        or not np.array_equal(old.pictures, cut)
    ):
        old = cache[key] = _refreshed(project, key, (ids, cut), old)
    return old


def _refreshed(
    project: Project, key: str, wanted: tuple[_Ids, _Ids], old: _Kept | None
) -> _Kept:
    """Read what is new; keep what was read before of the same pictures."""
    ids, cut = wanted
    dim = project.embeddings(key, ids[:1]).shape[1]
    vectors, had = room_for(len(ids), dim, IN_MEMORY), np.zeros(len(ids), bool)
    if old is not None and old.known.any():
        had = np.isin(ids, old.ids[old.known])
        where = np.minimum(np.searchsorted(old.ids, ids), len(old.ids) - 1)
        had &= old.pictures[where] == cut
    for at in range(0, len(ids), _ROWS):
        rows = np.arange(at, min(at + _ROWS, len(ids)))
        kept, new = rows[had[rows]], rows[~had[rows]]
        if old is not None and len(kept):
            vectors[kept] = old.vectors[np.searchsorted(old.ids, ids[kept])]
        if len(new):
            vectors[new] = project.embeddings(key, ids[new])
    vectors.flags.writeable = False
    known = np.zeros(len(ids), bool)
    if vectors.shape[1]:
        known = ~np.isnan(vectors[:, 0])
    return _Kept(ids, vectors, known, cut)


def embed_synthetic(
    project: Project,
    key: str,
    cells: tuple[SyntheticCell, ...],
    compute: Compute | None = None,
) -> Task[Vectors]:
    """Return the vectors of synthetic cells; each is embedded once and kept.

    Parameters
    ----------
    project : Project
        Keeps the vectors, apart from those of real cells.
    key : str
        Fingerprint of the embedder.
    cells : tuple of SyntheticCell
        Stored synthetic cells.
    compute : Compute, optional
        Where the embedder runs; in this process if none is given.
    """
    if not cells:
        return np.zeros((0, vectors_of(project, key).shape[1]), np.float32)
    known = embedded_synthetic(project, key)
    new = [cell for cell in cells if int(cell.id) not in known]
    if new:
        crops = np.stack([cell.pixels for cell in new])
        vectors = yield from _embedded(key, crops, compute)
        known |= {int(cell.id): row for cell, row in zip(new, vectors, strict=True)}
        ids = np.array(sorted(known), np.int64)
        rows = np.stack([known[i] for i in ids.tolist()])
        table = Weights({"ids": ids, "vectors": rows}, {"embedder": key})
        project.put_model(f"{_SYNTHETIC} {key}", table)
    return np.stack([known[int(cell.id)] for cell in cells])


def embedded_synthetic(
    project: Project, key: str
) -> dict[int, npt.NDArray[np.float32]]:
    """Return the vectors of synthetic cells that were embedded, by number.

    Parameters
    ----------
    project : Project
        Keeps them.
    key : str
        Fingerprint of the embedder.
    """
    weights = project.model(f"{_SYNTHETIC} {key}")
    if weights is None:
        return {}
    ids = weights.tensors["ids"].tolist()
    return dict(zip(ids, weights.tensors["vectors"], strict=True))


def _embedded(key: str, crops: Crops, compute: Compute | None) -> Task[Vectors]:
    yield Progress(0, len(crops), "embedding synthetic cells")
    return (yield from (compute or InlineCompute()).embed(name_of(key), crops))


def embed_folder(
    folder: str | Path,
    *,
    embedder: str = DEFAULT_EMBEDDER,
    mpp: float | None = None,
    compute: Compute | None = None,
    on_damaged: Damaged | None = None,
) -> Task[tuple[list[str], Vectors]]:
    """Embed pictures of single cells: each file below a folder is one cell.

    Parameters
    ----------
    folder : str or Path
        Searched to any depth for :data:`PICTURES`.
    embedder : str
        Name in the registry.
    mpp : float, optional
        Micrometres a pixel of all pictures. By default the median of what an even
        choice of the pictures tells; they are taken to come from one scanner.
    compute : Compute, optional
        Where the embedder runs; in this process if none is given.
    on_damaged : callable, optional
        Told of each file that cannot be read; it is left out. By default the first such
        file ends the task.

    Returns
    -------
    list of str, float32[n, dim]
        Paths relative to the folder, POSIX, sorted; and a vector each.

    Raises
    ------
    InputError
        If the folder is missing or holds no picture; if one is damaged and nobody is
        told of it; or if all are.
    RegistryError
        If there is no such embedder.
    WeightsError
        If its weights cannot be had.
    """
    root = Path(folder)
    paths = _pictures_below(root)
    where = compute or InlineCompute()
    # A name misspelt or weights that are missing are told before any work, not after.
    none = np.zeros((0, CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
    yield from where.embed(embedder, none)
    damaged = DamagedFiles(on_damaged)
    scale = mpp if mpp is not None else (yield from _common_mpp(root, paths))
    done: list[str] = []
    parts: list[Vectors] = []
    for start in range(0, len(paths), BATCH):
        chunk = paths[start : start + BATCH]
        crops = yield from _centres(root, chunk, scale, damaged)
        if crops:
            stack = np.stack(list(crops.values()))
            parts.append((yield from where.embed(embedder, stack)))
            done += crops
        yield Progress(start + len(chunk), len(paths), f"embedded at {scale:.3f} um/px")
    damaged.demand_some(len(done))
    return done, np.concatenate(parts)


def _pictures_below(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"'{root}' is not a folder. Give one that holds pictures.")
    found = (p for p in root.rglob("*") if p.suffix.lower() in PICTURES)
    paths = sorted(p.relative_to(root).as_posix() for p in found if p.is_file())
    if not paths:
        raise InputError(
            f"There is no picture below '{root}'. Files that end in "
            f"{', '.join(PICTURES)} are read, one cell each."
        )
    return paths


def _common_mpp(root: Path, paths: list[str]) -> Task[float]:
    """Return the median of the scales that an even choice of the pictures tell."""
    told = []
    many = min(len(paths), _CALIBRATED)
    for path in (paths[i * len(paths) // many] for i in range(many)):
        yield Progress(0, len(paths), f"measuring the scale of {path}")
        try:
            with closing(open_smear(root / path)) as image:
                calibration = calibrate(image)
        except InputError:
            continue  # told of when it is its turn
        if calibration.mpp_source is not MppSource.FALLBACK:
            told.append(calibration.mpp)
    return float(np.median(told)) if told else FALLBACK_MPP


def _centres(
    root: Path, paths: list[str], mpp: float, damaged: DamagedFiles
) -> Task[dict[str, Crops]]:
    """Return the crop uint8[96, 96, 3] of each picture that can be read."""
    crops: dict[str, Crops] = {}
    for path in paths:
        yield Progress(0, len(paths), f"reading {path}")
        try:
            with closing(open_smear(root / path)) as image:
                size = image.smear.width, image.smear.height
                box = np.array([[0, 0, *size]], np.float32)
                crops[path] = cut_crops(image, box, mpp)[0]
        except InputError as error:
            damaged.note(root / path, error)
    return crops
