"""What a project gives away: labelled real cells, and synthetic ones if asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_cytosynth.core.cells import CROP_PIXELS, CROP_UM
from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Format, ImageRecord, ObjectRecord, Records
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.quality import words
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.smear import Smear
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.formats.files import write_folder
from napari_cytosynth.formats.painted import PICTURES, is_painted, painted
from napari_cytosynth.workflows.model_card import CARD_NAME, cards_of, is_card
from napari_cytosynth.workflows.pairing import smear_names
from napari_cytosynth.workflows.quality import flaws_by_cell

_PROVENANCE = "provenance.json"
_STEP = 200


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    Parameters
    ----------
    path : str
        File or folder of the labels.
    pictures : int
        Smears, those without labels too.
    cells : int
        Real cells.
    synthetic : int
        Synthetic cells, each flagged; 0 unless they were asked for.
    synthetic_pictures : str
        Folder of their pictures and provenance; empty where none was written.
    """

    path: str
    pictures: int
    cells: int
    synthetic: int = 0
    synthetic_pictures: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return asdict(self)


def export_labels(
    project: Project,
    path: str | Path,
    format: str | Format,  # noqa: A002 - the word of the command line and the docs
    *,
    include_synthetic: bool = False,
    unlabelled: bool = False,
    pictures: str = PICTURES[0],
) -> ExportReport:
    """Write the current labels and return when done; see :func:`exporting`."""
    options = ExportOptions(include_synthetic, unlabelled, pictures)
    return run_to_end(exporting(project, path, format, options))


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported.

    Parameters
    ----------
    include_synthetic : bool
        Add accepted synthetic cells, flagged: their pictures and provenance go to a
        folder ``NAME_synthetic`` beside the labels, with a card for each generator.
    unlabelled : bool
        Write cells without a label too.
    pictures : str
        ``"png"`` or ``"tiff"``: how synthetic cells are written.
    """

    include_synthetic: bool = False
    unlabelled: bool = False
    pictures: str = PICTURES[0]


def exporting(
    project: Project,
    path: str | Path,
    format: str | Format,  # noqa: A002
    options: ExportOptions,
) -> Task[ExportReport]:
    """Write the current labels of real cells.

    Nothing is written before all is gathered: cancelled until then, it leaves what
    stood there.

    Parameters
    ----------
    project : Project
        Where they come from.
    path : str or Path
        File (COCO, CSV) or folder (VOC, YOLO); an older one is replaced.
    format : str or Format
        ``"voc"``, ``"coco"``, ``"yolo"``, ``"csv"``, another's name, or a format.
    options : ExportOptions
        Which cells.

    Returns
    -------
    ExportReport
        Counts.

    Raises
    ------
    FormatError
        If the format cannot hold it, or a folder holds foreign files.
    StorageError
        If the disk refuses; what stood there before is left.
    """
    target = Path(path)
    writer: Format = load("formats", format)() if isinstance(format, str) else format
    names = smear_names(project.smears())
    images = [_image(project, s, names[int(s.id)]) for s in project.smears()]
    objects = yield from _cells(project, names, options.unlabelled)
    wanted = options.include_synthetic
    made = project.synthetic(status=Status.ACCEPTED) if wanted else ()
    yield Progress(len(objects), len(objects), f"writing {target.name}")
    folder = target.with_name(f"{target.stem}_synthetic")
    if made:
        _write_pictures(project, folder, made, options.pictures)
    extra_images, extra_objects = _synthetic_records(
        folder.name, made, options.pictures
    )
    records = Records(
        (*images, *extra_images), (*objects, *extra_objects), project.taxonomy.codes
    )
    writer.write(records, target)
    beside = str(folder) if made else ""
    return ExportReport(str(target), len(images), len(objects), len(made), beside)


def _image(project: Project, smear: Smear, name: str) -> ImageRecord:
    calibration = project.calibration(smear.id)
    if calibration is None:
        return ImageRecord(name, smear.width, smear.height, smear.mpp)
    mpp, source = calibration.mpp, str(calibration.mpp_source)
    return ImageRecord(name, smear.width, smear.height, mpp, source)


def _cells(
    project: Project, names: dict[int, str], unlabelled: bool
) -> Task[list[ObjectRecord]]:
    table, labels = project.cells(), project.journal.labels()
    flaws = flaws_by_cell(project, table).tolist()
    concepts = {c.code: c.concept for c in project.taxonomy}
    objects: list[ObjectRecord] = []
    for row, number in enumerate(table.ids.tolist()):
        if row % _STEP == 0:
            yield Progress(row, len(table), "gathering cells")
        cell = CellId(number)
        label = labels.get(cell)
        if label is None and not unlabelled:
            continue
        x, y, width, height = table.boxes[row].tolist()
        said = {} if label is None else _said(label.annotator, concepts[label.code])
        objects.append(
            ObjectRecord(
                names[int(table.smears[row])],
                (x, y, width, height),
                "" if label is None else label.code,
                float(table.scores[row]),
                tuple((px, py) for px, py in project.outline(cell).tolist()),
                bool(table.edges[row]),
                attributes={"cell": str(number), **said, **_flagged(flaws[row])},
            )
        )
    return objects


def _flagged(flaws: int) -> dict[str, str]:
    """Say what is wrong with a cell's picture, where something is."""
    return {"quality": words(flaws)} if flaws else {}


def _said(annotator: str, concept: str) -> dict[str, str]:
    return {"annotator": annotator, "concept": concept}


def _synthetic_records(
    folder: str, cells: Sequence[SyntheticCell], kind: str
) -> tuple[list[ImageRecord], list[ObjectRecord]]:
    side = float(CROP_PIXELS)
    images, objects = [], []
    for cell in cells:
        name = f"{folder}/{_picture_name(cell, kind)}"
        mpp = CROP_UM / CROP_PIXELS
        images.append(ImageRecord(name, CROP_PIXELS, CROP_PIXELS, mpp, "synthetic"))
        said = {"cell": f"synthetic {cell.id}", "generator": cell.provenance.generator}
        box = (0.0, 0.0, side, side)
        objects.append(
            ObjectRecord(name, box, cell.code, synthetic=True, attributes=said)
        )
    return images, objects


def _picture_name(cell: SyntheticCell, kind: str) -> str:
    return f"{int(cell.id):06d}.{kind}"


def _write_pictures(
    project: Project, folder: Path, cells: Sequence[SyntheticCell], kind: str
) -> None:
    """Write pictures that say in themselves that they are synthetic, and how made."""
    origins = {}
    files: dict[str, str | bytes] = {}
    for cell in cells:
        origin = {
            "class": cell.code,
            "verified": cell.verified,
            "assessments": [asdict(a) for a in cell.assessments],
            **cell.provenance.to_json(),
        }
        name = _picture_name(cell, kind)
        origins[name], files[name] = origin, painted(cell, origin, kind)
    files[_PROVENANCE] = json.dumps(origins, indent=1, ensure_ascii=False) + "\n"
    generators = {cell.provenance.generator for cell in cells}
    for generator, card in cards_of(project, generators).items():
        files[CARD_NAME.format(generator)] = card
    write_folder(folder, files, _ours)


def _ours(folder: Path, name: str) -> bool:
    """Tell whether an export wrote a file: its folder says where its cells are from."""
    stem, _, kind = name.rpartition(".")
    ours = (kind in PICTURES and stem.isdigit()) or is_card(name)
    return name == _PROVENANCE or (ours and (folder / _PROVENANCE).is_file())


def refuse_painted(picture: Path) -> None:
    """Refuse a picture of a synthetic cell that an export wrote.

    Raises
    ------
    InputError
        Naming it.
    """
    if is_painted(picture):
        raise InputError(
            f"'{picture}' is a synthetic cell that an export wrote. Only real cells "
            "are labelled, counted and measured on; give the picture of a real smear."
        )
