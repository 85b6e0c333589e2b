"""What travels between a client and a worker: frames of JSON and safetensors bytes.

A frame is ``uint32 n``, ``uint64 m`` (little-endian), ``n`` bytes of JSON and ``m``
bytes of safetensors. A request body is one frame; an answer is a stream of them.
Nothing is ever unpickled, and no length is believed before it met a limit.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

import napari_cytosynth
from napari_cytosynth.core import errors
from napari_cytosynth.core.errors import CytoSynthError, InputError, WorkerError
from napari_cytosynth.core.ids import SyntheticId
from napari_cytosynth.core.protocols import (
    Batch,
    Hello,
    LabelledCells,
    Request,
    Weights,
)
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
    SyntheticVector,
)
from napari_cytosynth.core.tasks import Progress
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy

PROTOCOL = 1
"""Raised when a frame changes its meaning; both sides must agree."""

MEDIA_TYPE = "application/x-cytosynth-frames"
JOB_HEADER = "x-cytosynth-job"
"""Names a job, so that ``cancel`` can find it."""

STRAY_HEADER = "x-cytosynth-stray"
"""Names jobs of this client that it lost sight of: they stop when it comes back."""

MAX_JSON = 32 * 2**20
"""Bytes of JSON that a frame may hold."""

MAX_FRAME = 2**30
"""Bytes that a frame may hold unless a server says otherwise."""

_HEAD = struct.Struct("<IQ")

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Parameters
    ----------
    data : mapping
        JSON-able.
    arrays : mapping of str to array
        Arrays that go with it.
    """

    data: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the bytes of this frame."""
        text = json.dumps(self.data, separators=(",", ":")).encode()
        # safetensors writes memory as it lies, and would scramble a transposed view.
        rows_first = {k: np.asarray(v, order="C") for k, v in self.arrays.items()}
        blob = save(rows_first) if rows_first else b""
        return _HEAD.pack(len(text), len(blob)) + text + blob


ALIVE = Frame({"type": "alive"})
"""A sign of life."""


class FrameReader:
    """Cuts a stream of bytes into frames.

    Parameters
    ----------
    limit : int
        Most bytes that one frame may hold.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take in bytes and yield the frames that are now whole.

        Raises
        ------
        InputError
            If a frame is too large or damaged.
        """
        self._buffer += chunk
        while (size := self._size()) is not None and len(self._buffer) >= size:
            whole = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield _decode(whole)

    def _size(self) -> int | None:
        if len(self._buffer) < _HEAD.size:
            return None
        text, blob = _HEAD.unpack_from(self._buffer)
        if text > MAX_JSON or text + blob > self._limit:
            raise InputError(
                f"A message of {text + blob:,} bytes was announced; at most "
                f"{self._limit:,} may be sent at once. Send fewer cells or smaller "
                "weights, or raise the worker's --max-mb."
            )
        return int(_HEAD.size + text + blob)


def read_frame(body: bytes) -> Frame:
    """Return the one frame that a body holds.

    Raises
    ------
    InputError
        If it holds less or more, or is damaged.
    """
    if len(body) < _HEAD.size or sum(_HEAD.unpack_from(body)) != len(body) - _HEAD.size:
        raise InputError(
            f"A message of {len(body):,} bytes is not one whole frame. It was cut, or "
            "the sender is no cytosynth client of this version."
        )
    return _decode(body)


def _decode(whole: bytes) -> Frame:
    text, blob = _HEAD.unpack_from(whole)
    try:
        data = json.loads(whole[_HEAD.size : _HEAD.size + text])
        arrays = load(whole[_HEAD.size + text :]) if blob else {}
    except (ValueError, SafetensorError, KeyError) as error:
        raise InputError(
            f"A message is damaged ({error}). Messages are JSON and safetensors; check "
            "that both sides run the same version."
        ) from error
    if not isinstance(data, dict):
        raise InputError(
            "A message holds no JSON object. Send an object with its fields."
        )
    return Frame(data, arrays)


def error_frame(error: Exception) -> Frame:
    """Describe an error, by the name of its class."""
    return Frame(
        {"type": "error", "error": type(error).__name__, "message": str(error)}
    )


def error_of(data: Mapping[str, Any], where: str) -> CytoSynthError:
    """Rebuild the error that :func:`error_frame` described, of the same core type."""
    name, message = str(data.get("error")), str(data.get("message"))
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, CytoSynthError):
        return kind(message)
    return WorkerError(
        f"The worker failed in {where}: {name}: {message}. Its log has the traceback; "
        "start it by hand with 'cytosynth worker' to see it."
    )


def hello_to_json(hello: Hello) -> dict[str, Any]:
    """Return a JSON-able mapping, with the protocol's number."""
    return {**asdict(hello), "protocol": PROTOCOL}


def hello_from_json(data: Mapping[str, Any]) -> Hello:
    """Rebuild a hello.

    Raises
    ------
    WorkerError
        If the worker speaks another protocol, or is of another version.
    """
    if data.get("protocol") != PROTOCOL:
        raise WorkerError(
            f"The worker speaks protocol {data.get('protocol')}, this client "
            f"{PROTOCOL}. Install the same version of napari-cytosynth on both."
        )
    # Vectors and draws are stored under what this version calls them.
    if data.get("version") != napari_cytosynth.__version__:
        raise WorkerError(
            f"The worker is of version {data.get('version')}, this client of "
            f"{napari_cytosynth.__version__}: under the same names they may compute "
            "something else. Install the same version of napari-cytosynth on both."
        )
    return Hello(
        str(data["version"]),
        str(data["device"]),
        tuple(data["embedders"]),
        tuple(data["generators"]),
    )


def progress_frame(progress: Progress) -> Frame:
    """Pack how far a task is; the payload stays behind."""
    data = {"done": progress.done, "total": progress.total, "note": progress.note}
    return Frame({"type": "progress", **data})


def progress_of(data: Mapping[str, Any]) -> Progress:
    """Rebuild a progress."""
    return Progress(int(data["done"]), int(data["total"]), str(data["note"]))


def taxonomy_to_json(taxonomy: Taxonomy) -> dict[str, Any]:
    """Return a JSON-able mapping of a whole taxonomy."""
    return {
        "name": taxonomy.name,
        "classes": [asdict(c) for c in taxonomy.classes],
        "costs": [[*pair, cost] for pair, cost in taxonomy.costs.items()],
    }


def taxonomy_from_json(data: Mapping[str, Any]) -> Taxonomy:
    """Rebuild a taxonomy."""
    classes = tuple(
        CellClass(
            **{
                **c,
                "neighbours": tuple(c["neighbours"]),
                "aliases": tuple(c["aliases"]),
            }
        )
        for c in data["classes"]
    )
    costs = {(truth, taken): float(cost) for truth, taken, cost in data["costs"]}
    return Taxonomy(str(data["name"]), classes, costs)


def request_to_json(request: Request) -> dict[str, Any]:
    """Return a JSON-able mapping of a request with its taxonomy."""
    return {
        "code": request.code,
        "count": request.count,
        "seed": request.seed,
        "start": request.start,
        "config": dict(request.config),
        "taxonomy": taxonomy_to_json(request.taxonomy),
    }


def request_from_json(data: Mapping[str, Any]) -> Request:
    """Rebuild a request."""
    return Request(
        code=str(data["code"]),
        count=int(data["count"]),
        seed=int(data["seed"]),
        taxonomy=taxonomy_from_json(data["taxonomy"]),
        start=int(data["start"]),
        config=dict(data["config"]),
    )


def cells_to_frame(cells: LabelledCells, data: Mapping[str, Any]) -> Frame:
    """Pack labelled cells beside other data."""
    rest = {
        "codes": list(cells.codes),
        "embedder": cells.embedder,
        "groups": [str(g) for g in cells.groups],
    }
    arrays: Arrays = {
        "ids": cells.ids,
        "crops": cells.crops,
        "vectors": cells.vectors,
    }
    return Frame({**data, "cells": rest}, arrays)


def cells_of(frame: Frame) -> LabelledCells:
    """Unpack labelled cells."""
    data, arrays = frame.data["cells"], frame.arrays
    return LabelledCells(
        arrays["ids"],
        tuple(data["codes"]),
        arrays["crops"],
        arrays["vectors"],
        str(data["embedder"]),
        np.array(data["groups"], dtype=np.str_),
    )


def weights_to_frame(weights: Weights, data: Mapping[str, Any]) -> Frame:
    """Pack weights beside other data."""
    meta = {"meta": dict(weights.meta), "sha256": weights.sha256, "sent": True}
    return Frame({**data, "weights": meta}, dict(weights.tensors))


def weights_of(frame: Frame) -> Weights:
    """Unpack weights and check their SHA-256.

    Raises
    ------
    WeightsError
        If they are not the ones that were named.
    """
    said = frame.data["weights"]
    weights = Weights(frame.arrays, said["meta"])
    if weights.sha256 != said["sha256"]:
        raise errors.WeightsError(
            f"Weights arrived with SHA-256 {weights.sha256[:12]}, announced were "
            f"{str(said['sha256'])[:12]}. They were damaged on the way; try again."
        )
    return weights


def batch_frame(batch: Batch) -> Frame:
    """Pack a batch of synthetic cells or of synthetic vectors."""
    kind = "cells" if isinstance(_first(batch.items), SyntheticCell) else "vectors"
    items = [_item_to_json(item) for item in batch.items]
    data = {"type": "batch", "start": batch.start, "kind": kind, "items": items}
    return Frame(data, {"stack": np.stack([_array(i) for i in batch.items])})


def batch_of(frame: Frame) -> Batch:
    """Unpack a batch."""
    data, stack = frame.data, frame.arrays["stack"]
    pairs = list(zip(data["items"], stack, strict=True))
    if data["kind"] == "cells":
        return Batch(tuple(_cell(d, a) for d, a in pairs), int(data["start"]))
    return Batch(tuple(_vector(d, a) for d, a in pairs), int(data["start"]))


def _first(items: Iterable[object]) -> object:
    return next(iter(items), None)


def _array(item: SyntheticCell | SyntheticVector) -> npt.NDArray[Any]:
    return item.pixels if isinstance(item, SyntheticCell) else item.vector


def _item_to_json(item: SyntheticCell | SyntheticVector) -> dict[str, Any]:
    common = {
        "code": item.code,
        "provenance": item.provenance.to_json(),
        "assessments": [asdict(a) for a in item.assessments],
    }
    if isinstance(item, SyntheticVector):
        return {**common, "embedder": item.embedder}
    status = {"status": str(item.status), "verified": item.verified}
    return {**common, **status, "id": int(item.id)}


def _cell(data: Mapping[str, Any], pixels: npt.NDArray[Any]) -> SyntheticCell:
    return SyntheticCell(
        pixels=pixels,
        code=str(data["code"]),
        provenance=Provenance.from_json(data["provenance"]),
        assessments=tuple(Assessment(**a) for a in data["assessments"]),
        status=Status(data["status"]),
        verified=bool(data["verified"]),
        id=SyntheticId(int(data["id"])),
    )


def _vector(data: Mapping[str, Any], vector: npt.NDArray[Any]) -> SyntheticVector:
    return SyntheticVector(
        embedder=str(data["embedder"]),
        vector=vector,
        code=str(data["code"]),
        provenance=Provenance.from_json(data["provenance"]),
        assessments=tuple(Assessment(**a) for a in data["assessments"]),
    )
