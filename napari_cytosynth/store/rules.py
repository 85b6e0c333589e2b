"""What may enter a project. Both twins check by these rules before they keep it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS, Detections
from napari_cytosynth.core.errors import CytoSynthError, InputError, ProvenanceError
from napari_cytosynth.core.events import KINDS
from napari_cytosynth.core.geometry import Box
from napari_cytosynth.core.journal import Event, EventKind
from napari_cytosynth.core.provenance import SyntheticCell, refuse_synthetic
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.core.taxonomy import Taxonomy


def plain_json(value: object) -> str:
    """Return JSON; numpy numbers and arrays become plain ones.

    Raises
    ------
    InputError
        If something in it cannot be written as JSON.
    """
    try:
        return json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{error}. A project keeps details as JSON: text, finite numbers, lists "
            "and mappings; convert the value first."
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def tidy_event(event: Event) -> Event:
    """Return the event with plain ids and details, as they will be read back."""
    cell = None if event.cell is None else int(event.cell)
    if all(type(value) in (str, bool) for value in event.data.values()):
        return event if type(event.cell) is int else replace(event, cell=cell)
    data: dict[str, Any] = json.loads(plain_json(dict(event.data)))
    return replace(event, cell=cell, data=data)


def check_event(event: Event, taxonomy: Taxonomy) -> None:
    """Raise if an event says what cannot be.

    Raises
    ------
    UnknownClassError
        If it names a class that the taxonomy lacks.
    InputError
        If a box is no box, a class is merged into itself, or details are missing.
    """
    try:
        _CHECKS.get(event.kind, _anything)(event, taxonomy)
    except CytoSynthError:
        raise  # an UnknownClassError is a KeyError too, and says it better
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"An event '{event.kind}' lacks {error} in its details "
            f"{dict(event.data)}. Build events with the methods of Author."
        ) from error


def _anything(event: Event, taxonomy: Taxonomy) -> None:
    """Accept: nothing in this kind of event can be wrong."""


def _check_label(event: Event, taxonomy: Taxonomy) -> None:
    taxonomy[event.data["code"]]


def _check_merge(event: Event, taxonomy: Taxonomy) -> None:
    code, into = taxonomy[event.data["code"]], taxonomy[event.data["into"]]
    if code == into:
        raise InputError(
            f"Class {code.code} cannot be merged into itself. Name another class."
        )


def _check_box(event: Event, taxonomy: Taxonomy) -> None:
    demand_boxes(np.asarray([event.data["box"]], dtype=np.float64))


def _check_scale(event: Event, taxonomy: Taxonomy) -> None:
    mpp = Calibration.from_json(event.data["calibration"]).mpp
    int(event.data["smear"])
    if not (np.isfinite(mpp) and mpp > 0):
        raise InputError(
            f"A pixel cannot be {mpp} micrometres wide. Give a pixel size above 0."
        )


def _check_search(event: Event, taxonomy: Taxonomy) -> None:
    int(event.data["smear"])
    for first, last in event.data["cells"]:
        if not 0 < int(first) <= int(last):
            raise InputError(
                f"Cells {first} to {last} are no range of cells. Give first and last "
                "id, the first not above the last."
            )


def _check_call(event: Event, taxonomy: Taxonomy) -> None:
    kind, number = event.data["shown"]
    int(number)
    if not event.data["test"] or not {kind, event.data["said"]} <= KINDS:
        raise InputError(
            f"A blinded call says {dict(event.data)}. It names its test, and a cell "
            f"is, and is called, one of {', '.join(sorted(KINDS))}."
        )


_CHECKS = {
    EventKind.CALL: _check_call,
    EventKind.SCALE_CHANGED: _check_scale,
    EventKind.FOUND_ANEW: _check_search,
    EventKind.LABEL: _check_label,
    EventKind.CLASS_MERGED: _check_merge,
    EventKind.BOX_CHANGED: _check_box,
}


def demand_boxes(boxes: npt.NDArray[np.floating]) -> None:
    """Raise InputError unless every box is finite, with a width and height > 0."""
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    if not good.all():
        worst = boxes[int(np.argmin(good))].tolist()
        raise InputError(
            f"A cell has the box {worst}. A box is x, y, width, height in finite "
            "level-0 pixels, width and height above 0; leave this one out."
        )


def check_detections(found: Detections, crops: npt.NDArray[np.uint8]) -> None:
    """Raise InputError unless every detection has a proper box and crop."""
    refuse_synthetic(found, "the cells of a project")
    demand_boxes(found.boxes)
    check_crops(crops, len(found))


def check_crops(crops: npt.NDArray[np.uint8], n: int) -> None:
    """Raise InputError unless there is a proper crop for each of ``n`` cells."""
    refuse_synthetic(crops, "the crops of real cells")
    shape = (n, CROP_PIXELS, CROP_PIXELS, 3)
    if crops.shape != shape or crops.dtype != np.uint8:
        raise InputError(
            f"{n} cells came with crops {crops.dtype}{crops.shape}. Give uint8{shape}."
        )


def as_detection(box: Box) -> Detections:
    """Return a cell that a person drew as one sure detection, outlined by its box."""
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    outline = np.array([(x, y), (right, y), (right, bottom), (x, bottom)], np.float32)
    return Detections(
        np.array([(x, y, box.width, box.height)], np.float32),
        np.ones(1, np.float32),
        np.zeros(1, bool),
        [outline],
        np.ones(1, np.uint8),
    )


def check_vectors(vectors: npt.NDArray[Any], n: int) -> npt.NDArray[np.float32]:
    """Return vectors as float32[n, dim]; raises InputError on other shapes or NaN."""
    plain = np.asarray(vectors, dtype=np.float32)
    if plain.ndim != 2 or len(plain) != n or not np.isfinite(plain).all():
        raise InputError(
            f"Embeddings of {n} cells came as {plain.dtype}{plain.shape}. "
            f"Give finite float32[{n}, dim]: one row a cell."
        )
    return plain


def check_synthetic(cells: Sequence[SyntheticCell], taxonomy: Taxonomy) -> None:
    """Raise unless all are synthetic cells of known classes with JSON-able origin."""
    for cell in cells:
        if not isinstance(cell, SyntheticCell):
            raise ProvenanceError(
                f"{type(cell).__name__} cannot be stored as a synthetic cell. "
                "Wrap pixels in SyntheticCell, which demands their provenance."
            )
        taxonomy[cell.code]
        plain_json(cell.provenance.to_json())
