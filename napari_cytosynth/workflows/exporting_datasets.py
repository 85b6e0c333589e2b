"""A data set to give away: imagefolder, Croissant and a card, in one folder.

The folder holds the accepted synthetic cells, each with its provenance; real cells only
where that was asked for, under pseudonyms.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_cytosynth.core.errors import InputError, ProvenanceError
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.provenance import (
    Assessment,
    Provenance,
    Status,
    SyntheticCell,
)
from napari_cytosynth.core.pseudonyms import Pseudonyms
from napari_cytosynth.core.tasks import Progress, Task, run_to_end
from napari_cytosynth.formats.croissant import CONFORMS_TO, NAME, croissant
from napari_cytosynth.formats.dataset import About, Card, Part, Sample
from napari_cytosynth.formats.files import write_folder
from napari_cytosynth.formats.imagefolder import METADATA, imagefolder
from napari_cytosynth.workflows.data_card import notes_of, page
from napari_cytosynth.workflows.kept import accepted_cells
from napari_cytosynth.workflows.model_card import CARD_NAME, cards_of, is_card
from napari_cytosynth.workflows.reader_test import read_as
from napari_cytosynth.workflows.splitting import held_out_cells, splits_of

_README = "README.md"
_STEP = 200


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What an export of a data set wrote.

    Parameters
    ----------
    path : str
        Folder.
    synthetic, real : int
        Cells.
    classes, real_classes : mapping of code to int
        Synthetic and real cells of each.
    licence : str
        As it was named, or the address that says that there is none.
    """

    path: str
    synthetic: int
    real: int
    classes: dict[str, int]
    real_classes: dict[str, int]
    licence: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What goes into a data set.

    Parameters
    ----------
    about : About
        Name, licence, creator.
    real : bool
        Add the labelled real cells. Ask the user before: they are patients' cells.
        Synthetic cells whose generator learned one of the split ``test`` stay then.
    salt : bytes or None
        Makes the pseudonyms again; None: by chance, and forgotten.
    """

    about: About = field(default_factory=About)
    real: bool = False
    salt: bytes | None = None


def export_dataset(
    project: Project, folder: str | Path, options: DatasetOptions | None = None
) -> DatasetReport:
    """Write a data set and return when done; see :func:`exporting_dataset`."""
    return run_to_end(exporting_dataset(project, folder, options or DatasetOptions()))


def exporting_dataset(
    project: Project, folder: str | Path, options: DatasetOptions
) -> Task[DatasetReport]:
    """Write the accepted synthetic cells as a data set for others.

    Nothing is written before all is gathered.

    Parameters
    ----------
    project : Project
        Where they come from.
    folder : str or Path
        A new one, or one that an earlier export of a data set wrote.
    options : DatasetOptions
        What goes in.

    Returns
    -------
    DatasetReport
        Counts.

    Raises
    ------
    InputError
        If no synthetic cell was accepted yet.
    ProvenanceError
        If a cell does not say how it was made; nothing is written then.
    FormatError
        If the folder holds foreign files.
    StorageError
        If the disk refuses; what stood there before is left.
    """
    made = _made(project, options)
    names = Pseudonyms(options.salt)
    read = read_as(project)
    samples = [_painted(project, cell, names, read) for cell in made]
    if options.real:
        samples += yield from _real(project, names)
    yield Progress(len(samples), len(samples), "writing")
    card = _card(project, tuple(samples), options)
    target = Path(folder)
    known = _written(target)
    write_folder(target, _files(project, card), lambda _, name: name in known)
    return DatasetReport(
        str(target),
        len(made),
        len(samples) - len(made),
        card.counts(Part.SYNTHETIC),
        card.counts(Part.REAL),
        card.about.licence,
    )


def _made(project: Project, options: DatasetOptions) -> Sequence[SyntheticCell]:
    """Return the synthetic cells that go in; refuse none, and one without origin."""
    made = project.synthetic(status=Status.ACCEPTED)
    if options.real:
        made = accepted_cells(project, held_out_cells(project))
    if not made:
        raise InputError(
            "There is no data set to write: no synthetic cell was accepted yet. Fill a "
            "class, and accept cells in the tab Synthetic or by 'cytosynth review'."
        )
    _demand_origins(made)
    return made


def _demand_origins(cells: Sequence[SyntheticCell]) -> None:
    """Refuse the whole set where one cell does not say how it was made."""
    for cell in cells:
        if not isinstance(cell.provenance, Provenance):
            raise ProvenanceError(
                f"Synthetic cell {cell.id} does not say how it was made, so no data "
                "set was written. Every cell that leaves carries its provenance; "
                "reject this one, or restore the project from a backup."
            )


def _card(
    project: Project, samples: tuple[Sample, ...], options: DatasetOptions
) -> Card:
    about = options.about
    if not about.date:
        about = replace(about, date=datetime.now(UTC).date().isoformat())
    classes = {c.code: c.name for c in project.taxonomy}
    generators: dict[str, Provenance] = {}
    for sample in samples:
        if sample.cell is not None:
            made = sample.cell.provenance
            generators.setdefault(made.generator, made)
    caveat = splits_of(project).caveat if options.real else ""
    notes = notes_of(samples, classes, caveat)
    return Card(about, samples, classes, generators, notes)


def _files(project: Project, card: Card) -> dict[str, str | bytes]:
    """Return all that the folder holds, by name."""
    files = imagefolder(card)
    files[NAME] = croissant(card, files)
    files[_README] = page(card)
    for generator, said in cards_of(project, card.generators).items():
        files[CARD_NAME.format(generator)] = said
    return files


def _painted(
    project: Project,
    cell: SyntheticCell,
    names: Pseudonyms,
    read: Mapping[int, tuple[int, int]],
) -> Sample:
    made = cell.provenance
    taken, readers = read.get(int(cell.id), (0, 0))
    parents = [names.of("cell", number) for number in made.parents]
    return Sample(
        f"{int(cell.id):06d}",
        cell.pixels,
        Part.SYNTHETIC,
        "train",
        {
            "class": cell.code,
            "concept": project.taxonomy[cell.code].concept,
            "synthetic": True,
            "generator": made.generator,
            "weights": made.weights,
            "config": json.dumps(_config(made, names), ensure_ascii=False),
            "seed": str(made.seed),
            "parents": json.dumps(parents),
            "version": made.version,
            "time": made.time,
            "verified": cell.verified,
            "status": str(cell.status),
            "verdicts": json.dumps(
                [_verdict(a, names) for a in cell.assessments], ensure_ascii=False
            ),
            "reader": json.dumps({"called synthetic": taken, "of": readers}),
        },
        cell,
    )


def _config(made: Provenance, names: Pseudonyms) -> dict[str, Any]:
    """Return the settings of a run; the cell that it varied under its pseudonym."""
    told = dict(made.config)
    if isinstance(told.get("parent"), int):
        told["parent"] = names.of("cell", told["parent"])
    return told


def _verdict(said: Assessment, names: Pseudonyms) -> dict[str, Any]:
    told = asdict(said)
    if not math.isfinite(said.score):
        told["score"] = None
    if said.nearest is not None:
        near = names.of("cell", said.nearest)
        told["nearest"] = near
        told["reason"] = said.reason.replace(f"({said.nearest})", f"({near})")
    return told


def _real(project: Project, names: Pseudonyms) -> Task[list[Sample]]:
    """Return the labelled real cells, in the order of their pseudonyms."""
    table, labels = project.cells(), project.journal.labels()
    held_out = splits_of(project, table).audit
    groups = {int(s.id): s.group for s in project.smears()}
    rows = [r for r, n in enumerate(table.ids.tolist()) if CellId(n) in labels]
    found = []
    for start in range(0, len(rows), _STEP):
        yield Progress(start, len(rows), "gathering real cells")
        block = rows[start : start + _STEP]
        for row, crop in zip(block, project.crops(table.ids[block]), strict=True):
            number = int(table.ids[row])
            code = labels[CellId(number)].code
            columns: dict[str, str | int | bool] = {
                "class": code,
                "concept": project.taxonomy[code].concept,
                "synthetic": False,
                "group": names.of("group", groups[int(table.smears[row])]),
            }
            split = "test" if held_out[row] else "train"
            name = names.of("cell", number)
            found.append(Sample(name, crop, Part.REAL, split, columns))
    return sorted(found, key=lambda sample: sample.name)


def _written(folder: Path) -> frozenset[str]:
    """Return what an export wrote into a folder: its tables list the pictures."""
    try:
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if told["conformsTo"] != list(CONFORMS_TO):
            return frozenset()
        return frozenset({NAME, _README, *_listed(folder)})
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _listed(folder: Path) -> Iterator[str]:
    """Yield the tables of a data set, its cards, and the pictures that it names."""
    yield from filter(is_card, (path.name for path in folder.iterdir()))
    for table in folder.glob(f"*/*/{METADATA}"):
        place = table.parent.relative_to(folder).as_posix()
        yield f"{place}/{METADATA}"
        for line in table.read_text(encoding="utf-8").splitlines():
            yield f"{place}/{json.loads(line)['file_name']}"
