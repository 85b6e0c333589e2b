"""Sharded Zarr arrays. Whole shards are written once, fsynced, and never torn.

Pictures (crops, synthetic cells) are only ever appended, each batch from the start of a
new shard: no write touches a shard that a row already names, so a crash cannot damage
it, and a shard that no row names is an orphan. Vectors lie at the row of their cell; a
shard of them is rewritten whole and swapped in. Both keep a checksum a chunk.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.errors import InputError, ProjectError
from napari_cytosynth.core.files import PARTIAL, write_durably
from napari_cytosynth.core.protocols import Crops, Vectors

PICTURES_A_SHARD = 256
PICTURES_A_CHUNK = 4
VECTORS_A_SHARD = 2048
VECTORS_A_CHUNK = 256

# All shards in one folder: nested ones would each need their own fsync, and a walk.
_KEYS: Any = {"name": "default", "separator": "."}


class DurableStore(LocalStore):
    """A folder store whose every write is fsynced before it counts."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write one key durably."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write one key durably, in this thread."""
        self._check_writable()
        write_durably(self.root / key, value.to_bytes())

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write one key durably unless it is there."""
        if not (self.root / key).exists():
            await self.set(key, value)


class PictureArray:
    """Pictures uint8[row, 96, 96, 3], only ever appended.

    Parameters
    ----------
    folder : Path
        Such as ``crops.zarr``; made when the first picture comes.
    """

    def __init__(self, folder: Path) -> None:
        self.lock = threading.Lock()
        """To be held while appending; reading needs none."""
        self._opening = threading.Lock()
        self._folder = folder
        self._array: Any = None
        self._next = 0

    def sweep(self, named: Iterable[tuple[int, int]]) -> None:
        """Remove shards that the database does not name; go on after the last.

        Parameters
        ----------
        named : iterable of (row, count)
            The rows that it names.
        """
        shards: set[int] = set()
        for row, count in named:
            last = (row + count - 1) // PICTURES_A_SHARD
            shards.update(range(row // PICTURES_A_SHARD, last + 1))
        self._next = max(shards, default=-1) + 1
        keep = {self._shard(number).name for number in shards}
        for path in self._folder.glob("c.*"):
            if path.name not in keep:
                path.unlink(missing_ok=True)

    def _shard(self, number: int) -> Path:
        return self._folder / f"c.{number}.0.0.0"

    def _opened(self) -> Any:
        # One array for all threads: a second one would not know how the first grew.
        with self._opening:
            if self._array is None:
                store = DurableStore(self._folder)
                if (self._folder / "zarr.json").exists():
                    self._array = zarr.open_array(store, mode="r+")
                else:
                    self._array = _new_pictures(store)
            return self._array

    def append(self, pictures: Crops) -> int:
        """Write pictures from the start of a new shard; return the first's row."""
        array = self._opened()
        shard, count = self._next, len(pictures)
        shards = -(-count // PICTURES_A_SHARD)
        # Even if this fails half-way, what was written is not written over.
        self._next += shards
        if self._next * PICTURES_A_SHARD > array.shape[0]:
            rows = max(self._next, 2 * shard) * PICTURES_A_SHARD
            array.resize((rows, *array.shape[1:]))
        row = shard * PICTURES_A_SHARD
        array[row : row + count] = pictures
        return row

    def read(self, rows: npt.NDArray[np.int64]) -> Crops:
        """Return the pictures in these rows, in any order, repeats allowed."""
        found = np.zeros((len(rows), CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
        shards = rows // PICTURES_A_SHARD
        for shard in np.unique(shards).tolist():
            path = self._shard(shard)
            if not path.exists():
                raise ProjectError(_missing(path))
            where = np.flatnonzero(shards == shard)
            found[where] = _read_rows(self._opened(), rows[where], path)
        return found


class VectorArrays:
    """Vectors float32[cell id - 1, dim], one array an embedder; NaN where none is.

    Parameters
    ----------
    folder : Path
        ``embeddings.zarr``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, Any] = {}

    def _path(self, embedder: str) -> Path:
        # A fingerprint may hold characters that a file name cannot.
        return self._folder / hashlib.sha256(embedder.encode()).hexdigest()[:24]

    def _opened(self, embedder: str, dim: int = 0) -> Any:
        """Return the array of an embedder; make it if ``dim`` is given; else None."""
        if embedder not in self._arrays:
            path = self._path(embedder)
            if (path / "zarr.json").exists():
                array = zarr.open_array(DurableStore(path), mode="r+")
            elif dim:
                array = _new_vectors(DurableStore(path), embedder, dim)
            else:
                return None
            self._arrays[embedder] = array
        return self._arrays[embedder]

    def put(self, embedder: str, ids: npt.NDArray[np.int64], vectors: Vectors) -> None:
        """Write the vectors of these cells."""
        array = self._opened(embedder, vectors.shape[1])
        if array.shape[1] != vectors.shape[1]:
            raise InputError(
                f"Embedder '{embedder}' gave vectors of {vectors.shape[1]} numbers, "
                f"earlier {array.shape[1]}. One fingerprint means one dimension; use "
                "another key."
            )
        rows = ids - 1
        if rows.max() >= array.shape[0]:
            needed = int(rows.max()) // VECTORS_A_SHARD + 1
            grown = max(needed * VECTORS_A_SHARD, 2 * array.shape[0])
            array.resize((grown, array.shape[1]))
        shards = rows // VECTORS_A_SHARD
        for shard in np.unique(shards).tolist():
            where = np.flatnonzero(shards == shard)
            _write_rows(array, rows[where], vectors[where])

    def read(self, embedder: str, ids: npt.NDArray[np.int64]) -> Vectors:
        """Return float32[n, dim], or float32[n, 0] where nothing was stored."""
        array = self._opened(embedder)
        if array is None:
            return np.zeros((len(ids), 0), np.float32)
        found = np.full((len(ids), array.shape[1]), np.nan, np.float32)
        shards = (ids - 1) // VECTORS_A_SHARD
        for shard in np.unique(shards).tolist():
            path = self._path(embedder) / f"c.{shard}.0"
            if path.exists():
                where = np.flatnonzero(shards == shard)
                found[where] = _read_rows(array, ids[where] - 1, path)
        return found


def sweep_partials(folder: Path) -> None:
    """Remove what a crash left half-written below a folder."""
    for path in folder.rglob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _read_rows(array: Any, rows: npt.NDArray[np.int64], path: Path) -> Any:
    """Read rows of one shard, near ones in one go: a call costs more than a chunk."""
    unique, inverse = np.unique(rows, return_inverse=True)
    gap = 3 * array.chunks[0]
    groups = np.split(unique, np.flatnonzero(np.diff(unique) > gap) + 1)
    try:
        parts = [array[g[0] : g[-1] + 1][g - g[0]] for g in groups]
    except (ValueError, RuntimeError, OSError) as error:
        raise ProjectError(
            f"File '{path}' is damaged ({error}). The rest of the project is sound; "
            "restore this file from a backup, or find and embed the cells again."
        ) from error
    return np.concatenate(parts)[inverse]


def _write_rows(array: Any, rows: npt.NDArray[np.int64], vectors: Vectors) -> None:
    """Write rows of one shard; of a repeated row the last counts."""
    low, high = int(rows.min()), int(rows.max()) + 1
    if len(rows) == high - low and (np.diff(rows) == 1).all():
        array[low:high] = vectors
        return
    block = array[low:high]
    block[rows - low] = vectors
    array[low:high] = block


def _missing(path: Path) -> str:
    return (
        f"File '{path}' is missing, though the project names pictures in it. Restore "
        "it from a backup; projects are copied as whole folders."
    )


def _new_pictures(store: DurableStore) -> Any:
    picture = (CROP_PIXELS, CROP_PIXELS, 3)
    return zarr.create_array(
        store,
        shape=(PICTURES_A_SHARD, *picture),
        chunks=(PICTURES_A_CHUNK, *picture),
        shards=(PICTURES_A_SHARD, *picture),
        dtype="uint8",
        compressors=ZstdCodec(level=1, checksum=True),
        chunk_key_encoding=_KEYS,
        # A missing shard then means loss, never "all black".
        config={"write_empty_chunks": True},
        dimension_names=("row", "y", "x", "channel"),
    )


def _new_vectors(store: DurableStore, embedder: str, dim: int) -> Any:
    return zarr.create_array(
        store,
        shape=(VECTORS_A_SHARD, dim),
        chunks=(VECTORS_A_CHUNK, dim),
        shards=(VECTORS_A_SHARD, dim),
        dtype="float32",
        fill_value=float("nan"),
        compressors=Crc32cCodec(),
        chunk_key_encoding=_KEYS,
        attributes={"embedder": embedder},
        dimension_names=("cell", "feature"),
    )
