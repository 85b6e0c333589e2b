"""Labels in from other tools, and out to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.errors import InputError, UnknownClassError
from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.journal import Author, Event, Mode
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Format, ObjectRecord, Records
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import FALLBACK_MPP, Smear
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.workflows.pairing import pair_pictures

MATCH_IOU = 0.5
"""A box that overlaps a cell at least so much is that cell."""

_CHUNK = 256
_DIGITS = 1  # decimals of a pixel to which two boxes are the same


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    pictures : int
        Pictures of the file that are smears of the project.
    strangers : tuple of str
        Pictures that are not; their objects were left out.
    matched, added : int
        Objects that are known cells, and objects added as new cells.
    labelled : int
        Cells that got a label.
    same, kept : int
        Cells that had this label already, and cells whose other label was kept.
    skipped : int
        Objects left out: of classes mapped to nothing, on strangers, or told before.
    synthetic : int
        Objects flagged synthetic: never taken for real cells.
    notes : tuple of str
        What the format left out, and why.
    """

    pictures: int = 0
    strangers: tuple[str, ...] = ()
    matched: int = 0
    added: int = 0
    labelled: int = 0
    same: int = 0
    kept: int = 0
    skipped: int = 0
    synthetic: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        value = asdict(self)
        return {**value, "strangers": list(self.strangers), "notes": list(self.notes)}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How labels are imported.

    Parameters
    ----------
    author : Author
        Stamps the events; their mode is always "import".
    mapping : mapping of their class to ours
        Decides before codes, names, concepts and aliases do; to an empty text: leave
        such objects out.
    replace_labels : bool
        Relabel cells that have another label already; else theirs stays.
    """

    author: Author
    mapping: Mapping[str, str] = field(default_factory=dict)
    replace_labels: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """Objects on one smear: boxes, codes ("" for none), cells (-1 for new)."""

    smear: Smear
    boxes: npt.NDArray[np.float32]
    codes: tuple[str, ...]
    cells: npt.NDArray[np.int64]


def importing(
    project: Project,
    path: Path,
    format: str | Format,  # noqa: A002
    options: ImportOptions,
) -> Task[ImportReport]:
    """Match objects of an annotation file to smears and cells, and label these.

    Pictures are matched to smears by name, else by content. A box that overlaps a cell
    by an IoU of at least 0.5 is that cell; any other is added as a cell by hand.
    All is checked before anything is kept. The new cells of a smear come with their
    labels in one transaction, the labels of known cells in one at the end: wherever an
    import is cut off, no cell lacks its label, and a second run does the rest.

    Parameters
    ----------
    project : Project
        Its smears are already added.
    path : Path
        File or folder, as the format has it.
    format : str or Format
        ``"voc"``, ``"coco"``, ``"yolo"``, ``"csv"``, another's name, or a format.
    options : ImportOptions
        Who, which classes, and whether to relabel.

    Returns
    -------
    ImportReport
        Counts.

    Raises
    ------
    FormatError
        If the file breaks its format.
    UnknownClassError
        If classes are not in the taxonomy; all are named.
    InputError
        If no picture is a smear of the project, or boxes do not fit.
    """
    reader: Format = load("formats", format)() if isinstance(format, str) else format
    yield Progress(0, 0, f"reading {path.name}")
    records = reader.read(path)
    smears, strangers = pair_pictures(project, records, path)
    found = _plan(project, records, smears, options.mapping)
    _check_pictures(found)
    counts = _counted(records, smears, found)
    options = replace(options, author=replace(options.author, mode=Mode.IMPORT))
    for place, part in enumerate(found):
        yield Progress(place, len(found), f"importing {Path(part.smear.uri).name}")
        _add_missing(project, part, options.author, counts)
    # Only now: a label that a reader gave while pictures were read is kept.
    events = list(_label(project, found, options, counts))
    project.record(*events)
    counts["labelled"] += len(events)
    return ImportReport(**counts, strangers=strangers, notes=records.notes)


def _counted(
    records: Records, smears: Mapping[str, Smear], found: Sequence[_Found]
) -> Counter[str]:
    """Count what is known before anything is kept."""
    painted = sum(o.synthetic for o in records.objects)
    planned = sum(len(part.codes) for part in found)
    skipped = len(records.objects) - painted - planned
    return Counter(pictures=len(smears), synthetic=painted, skipped=skipped)


def _plan(
    project: Project,
    records: Records,
    smears: Mapping[str, Smear],
    mapping: Mapping[str, str],
) -> list[_Found]:
    """Work out what becomes of every real object on a known smear; change nothing."""
    real = [o for o in records.objects if o.image in smears and not o.synthetic]
    codes = resolve_labels({o.label for o in real}, project.taxonomy, mapping)
    wanted = [o for o in real if codes[o.label] is not None]
    return list(_locate(project, smears, _once_each(wanted, codes), codes))


def _once_each(
    objects: Sequence[ObjectRecord], codes: Mapping[str, str | None]
) -> list[ObjectRecord]:
    """Keep one object of each box: a line told twice is one cell, not two.

    Raises
    ------
    InputError
        If the same box has two classes.
    """
    kept: dict[tuple[str, tuple[float, ...]], ObjectRecord] = {}
    for item in objects:
        place = (item.image, tuple(round(float(v), _DIGITS) for v in item.box))
        first = kept.get(place)
        code, known = codes[item.label], first and codes[first.label]
        if code and known and code != known:
            raise InputError(
                f"The box {list(item.box)} of '{item.image}' is there twice, as "
                f"{known} and as {code}. Nothing was imported; correct it there."
            )
        if first is None or not known:
            kept[place] = item
    return list(kept.values())


def resolve_labels(
    labels: set[str], taxonomy: Taxonomy, mapping: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the code of each label; "" where it has none, None to leave it out.

    Raises
    ------
    UnknownClassError
        Naming every label that is not in the taxonomy.
    """
    codes: dict[str, str | None] = {}
    unknown: dict[str, str] = {}
    for label in sorted(labels):
        wanted = mapping.get(label, label)
        if not wanted:
            codes[label] = None if label in mapping else ""
            continue
        try:
            codes[label] = taxonomy.find(wanted).code
        except UnknownClassError:
            unknown[label] = label if wanted == label else f"{label} ({wanted})"
    if unknown:
        raise UnknownClassError(
            f"Classes {', '.join(unknown.values())} are not in taxonomy "
            f"'{taxonomy.name}', which holds {', '.join(taxonomy.codes)}. Nothing was "
            f"imported; map each with --map '{min(unknown)}=CODE', or leave it out: "
            f"--map '{min(unknown)}='."
        )
    return codes


def _locate(
    project: Project,
    smears: Mapping[str, Smear],
    objects: Sequence[ObjectRecord],
    codes: Mapping[str, str | None],
) -> Iterator[_Found]:
    """Find for each smear which cell every object is; -1 for none."""
    table = project.cells()
    by_smear: dict[int, list[ObjectRecord]] = {}
    for item in objects:
        by_smear.setdefault(smears[item.image].id, []).append(item)
    names = {int(s.id): s for s in smears.values()}
    for number, items in by_smear.items():
        boxes = np.array([o.box for o in items], np.float64)
        _demand_inside(boxes, items, names[number])
        here = np.flatnonzero(table.smears == number)
        match = match_boxes(boxes, table.boxes[here])
        cells = np.where(match >= 0, table.ids[here][match] if len(here) else -1, -1)
        labels = tuple(codes[o.label] or "" for o in items)
        yield _Found(names[number], boxes.astype(np.float32), labels, cells)


def _demand_inside(
    boxes: npt.NDArray[np.float64], items: Sequence[ObjectRecord], smear: Smear
) -> None:
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    inside = ((centres >= 0) & (centres <= (smear.width, smear.height))).all(axis=1)
    if not inside.all():
        stray = items[int(np.argmin(inside))]
        raise InputError(
            f"A box {list(stray.box)} of '{stray.image}' lies outside the smear, which "
            f"is {smear.width} x {smear.height} pixels. The boxes belong to another "
            "picture or size; nothing was imported."
        )


def match_boxes(
    boxes: npt.NDArray[np.floating], cells: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """Pair boxes with cells one to one, the largest overlap first.

    Parameters
    ----------
    boxes, cells : float[n, 4], float[m, 4]
        x, y, width, height.

    Returns
    -------
    int64[n]
        Position in ``cells``, or -1 where none overlaps by an IoU of at least 0.5.
    """
    pairs: list[tuple[float, int, int]] = []
    order = np.argsort(cells[:, 0], kind="stable")
    lefts = cells[order, 0]
    widest = float(cells[:, 2].max()) if len(cells) else 0.0
    by_x = np.argsort(boxes[:, 0], kind="stable")
    for start in range(0, len(boxes), _CHUNK):
        chunk = by_x[start : start + _CHUNK]
        low = boxes[chunk, 0].min() - widest
        high = (boxes[chunk, 0] + boxes[chunk, 2]).max()
        near = order[np.searchsorted(lefts, low) : np.searchsorted(lefts, high)]
        overlap = box_iou(boxes[chunk], cells[near])
        for i, j in np.argwhere(overlap >= MATCH_IOU):
            pairs.append((float(overlap[i, j]), int(chunk[i]), int(near[j])))
    match = np.full(len(boxes), -1, np.int64)
    taken: set[int] = set()
    for _, i, j in sorted(pairs, key=lambda p: (-p[0], p[1], p[2])):
        if match[i] < 0 and j not in taken:
            match[i] = j
            taken.add(j)
    return match


def _check_pictures(found: Sequence[_Found]) -> None:
    """Raise InputError now if a picture that is needed cannot be opened."""
    from napari_cytosynth.ingest import open_smear

    for part in found:
        if (part.cells < 0).any():
            open_smear(part.smear.uri).close()


def _add_missing(
    project: Project, part: _Found, author: Author, counts: Counter[str]
) -> None:
    """Add boxes that are no known cell, with their labels."""
    missing = np.flatnonzero(part.cells < 0)
    codes = [part.codes[i] for i in missing.tolist()]
    counts["matched"] += len(part.cells) - len(missing)
    counts["added"] += len(missing)
    if not len(missing):
        return
    from napari_cytosynth.ingest import cut_crops, open_smear

    calibration = project.calibration(part.smear.id)
    mpp = calibration.mpp if calibration else part.smear.mpp or FALLBACK_MPP
    boxes = part.boxes[missing]
    image = open_smear(part.smear.uri)
    try:
        crops = cut_crops(image, boxes, mpp)
    finally:
        image.close()
    found = _drawn(boxes, part.smear)
    project.add_cells(part.smear.id, found, crops, author=author, codes=codes)
    counts["labelled"] += sum(map(bool, codes))


def _drawn(boxes: npt.NDArray[np.float32], smear: Smear) -> Detections:
    """Return boxes that people drew as sure cells, outlined by the box itself."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    beyond = np.concatenate([low <= 0, high >= (smear.width, smear.height)], axis=1)
    edges = np.asarray(beyond.any(axis=1), bool)
    corners = np.stack(
        [
            low,
            np.stack([high[:, 0], low[:, 1]], axis=1),
            high,
            np.stack([low[:, 0], high[:, 1]], axis=1),
        ],
        axis=1,
    )
    n = len(boxes)
    scores, kinds = np.ones(n, np.float32), np.ones(n, np.uint8)
    return Detections(boxes, scores, edges, list(corners), kinds)


def _label(
    project: Project,
    found: Sequence[_Found],
    options: ImportOptions,
    counts: Counter[str],
) -> Iterator[Event]:
    """Yield the labels of cells that were known before, where theirs is another."""
    cells = [number for part in found for number in part.cells.tolist()]
    codes = [code for part in found for code in part.codes]
    for number, code in zip(cells, codes, strict=True):
        if number < 0 or not code:
            continue
        label = project.journal.label(CellId(number))
        if label is not None and label.code == code:
            counts["same"] += 1
        elif label is not None and not options.replace_labels:
            counts["kept"] += 1
        else:
            yield options.author.label(CellId(number), code)
