"""Croissant 1.1: what a data set holds and how it is read, in JSON-LD.

Specification https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html, with
the vocabulary for responsible use (RAI) 1.0,
https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html, and PROV-O for how
the cells were made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from napari_cytosynth.formats.dataset import Card, Part
from napari_cytosynth.formats.imagefolder import metadata_path

NAME = "croissant.json"

CONFORMS_TO = (
    "http://mlcommons.org/croissant/1.1",
    "http://mlcommons.org/croissant/RAI/1.0",
)

MANY = frozenset(
    {
        *("dataCollectionType", "dataPreprocessingProtocol", "dataAnnotationPlatform"),
        *("dataAnnotationAnalysis", "dataReleaseMaintenancePlan", "dataBiases"),
        *("personalSensitiveInformation", "dataLimitations", "dataUseCases"),
        *("annotatorDemographics", "machineAnnotationTools"),
    }
)
"""Properties of the RAI vocabulary that may have several values; others have one."""

COLUMNS = {
    "file_name": "Picture, in the folder of the table.",
    "image": "The cell: 96 x 96 pixels, RGB, 0.25 micrometres a pixel.",
    "class": "Class that the cell was made for, or that a reader gave it.",
    "concept": "Identifier of the class across taxonomies.",
    "synthetic": "True for a painted cell, false for a real one.",
    "generator": "What painted the cell.",
    "weights": "SHA-256 of the generator's weights.",
    "config": "Settings of the run, JSON.",
    "seed": "Seed that makes the cell again.",
    "parents": "Names of the real cells that it was tuned on or varied from, JSON.",
    "version": "Version of napari-cytosynth that made it.",
    "time": "When it was made, ISO 8601, UTC.",
    "verified": "False where real cells were too few to check it.",
    "status": "The reader's verdict; only accepted cells leave a project.",
    "verdicts": "What each critic said: number, verdict and reason, JSON.",
    "reader": "How often it was called synthetic in blinded tests, of how often, JSON.",
    "group": "Pseudonym of the patient or slide.",
}
"""What each column of a table says."""

_PLAIN = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn"),
    *("equivalentProperty", "excludes", "extract", "field", "fileProperty"),
    *("fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
    *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references"),
    *("regex", "readLines", "repeated", "replace", "samplingRate", "sdVersion"),
    *("separator", "source", "subField", "transform", "unArchive", "value"),
)

_TYPES = {bool: "sc:Boolean", int: "sc:Integer", str: "sc:Text"}


def croissant(card: Card, files: Mapping[str, str | bytes]) -> str:
    """Return the description of a data set.

    Parameters
    ----------
    card : Card
        What it says.
    files : mapping of name to text or bytes
        The tables of an ``imagefolder``, whose hashes are named.

    Returns
    -------
    str
        JSON-LD.
    """
    about = card.about
    tables = {
        name: _sha256(files[name])
        for part in card.parts
        for split in card.splits(part)
        if (name := metadata_path(part, split))
    }
    told: dict[str, Any] = {
        "@context": context(),
        "@type": "sc:Dataset",
        "name": about.name,
        "conformsTo": list(CONFORMS_TO),
        "description": " ".join(card.notes["description"]),
        "license": about.licence,
        "creator": {"@type": "Organization", "name": about.creator},
        "datePublished": about.date,
        "url": about.url or f"urn:sha256:{_sha256(''.join(tables.values()))}",
        "version": "1.0.0",
        "citeAs": f"{about.creator} ({about.date[:4]}). {about.name}. Data set.",
        "keywords": ["haematology", "blood cells", *map(str, card.parts)],
        "isLiveDataset": False,
        "prov:wasGeneratedBy": _activities(card),
        **_responsible(card.notes),
        "distribution": _distribution(card, tables),
        "recordSet": [
            _classes(card),
            *(
                records
                for part in card.parts
                for split in card.splits(part)
                for records in (_table(card, part, split), _cells(card, part, split))
            ),
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def context() -> dict[str, Any]:
    """Return the context that the specification recommends, and PROV-O's prefix."""
    told: dict[str, Any] = {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "prov": "http://www.w3.org/ns/prov#",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "name": {"@container": "@language"},
        "description": {"@container": "@language"},
    }
    return told | {name: f"cr:{name}" for name in _PLAIN}


def _responsible(notes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        f"rai:{name}": list(said) if name in MANY else " ".join(said)
        for name, said in notes.items()
        if name != "description"
    }


def _activities(card: Card) -> list[dict[str, Any]]:
    return [
        {
            "@type": "prov:Activity",
            "prov:label": f"Cells made by the generator {key}",
            "prov:wasAssociatedWith": {
                "@type": "prov:SoftwareAgent",
                "prov:label": f"napari-cytosynth {made.version}",
                "prov:value": f"weights sha256:{made.weights}",
            },
        }
        for key, made in card.generators.items()
    ]


def _distribution(card: Card, tables: Mapping[str, str]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": "application/jsonlines",
            "sha256": digest,
        }
        for name, digest in tables.items()
    ]
    told += [
        {
            "@type": "cr:FileSet",
            "@id": _pictures(part, split),
            "name": _pictures(part, split),
            "encodingFormat": "image/png",
            "includes": f"{part}/{split}/*.png",
        }
        for part in card.parts
        for split in card.splits(part)
    ]
    return told


def _pictures(part: Part, split: str) -> str:
    return f"{part}-{split}-pictures"


def _classes(card: Card) -> dict[str, Any]:
    """Describe the classes as an enumeration that labels refer to."""
    fields = {"code": "Code of the class.", "name": "Name of the class."}
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/code"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"classes/{name}",
                "name": name,
                "description": said,
                "dataType": "sc:Text",
            }
            for name, said in fields.items()
        ],
        "data": [
            {"classes/code": code, "classes/name": name}
            for code, name in card.classes.items()
        ],
    }


def _table(card: Card, part: Part, split: str) -> dict[str, Any]:
    """Describe the rows of a table, as they stand in its file."""
    name = f"{part}-{split}-table"
    source = {"fileObject": {"@id": metadata_path(part, split)}}
    fields = [
        {**_field(name, column, kind), "source": {**source, "extract": _column(column)}}
        for column, kind in _columns(card, part).items()
    ]
    return _record_set(name, fields, f"Rows of {metadata_path(part, split)}.")


def _cells(card: Card, part: Part, split: str) -> dict[str, Any]:
    """Describe the cells: each picture, joined with its row."""
    name, pictures = f"{part}-{split}", {"@id": _pictures(part, split)}
    joined: dict[str, Any] = {
        **_field(name, "file_name", "sc:Text"),
        "source": {"fileSet": pictures, "extract": {"fileProperty": "filename"}},
        "references": {"field": {"@id": f"{name}-table/file_name"}},
    }
    image = {
        **_field(name, "image", "sc:ImageObject"),
        "source": {"fileSet": pictures, "extract": {"fileProperty": "content"}},
    }
    fields = [joined, image]
    for column, kind in _columns(card, part).items():
        if column != "file_name":
            source = {"field": {"@id": f"{name}-table/{column}"}}
            fields.append({**_field(name, column, kind), "source": source})
    fields[2]["references"] = {"field": {"@id": "classes/code"}}
    kind = f"{part} cells that may {split}".capitalize()
    return _record_set(name, fields, f"{kind}: picture, class and origin of each.")


def _columns(card: Card, part: Part) -> dict[str, str]:
    """Return the type of each column."""
    first = card.of(part)[0]
    kinds = {name: _TYPES[type(value)] for name, value in first.columns.items()}
    return {"file_name": "sc:Text", **kinds}


def _column(name: str) -> dict[str, str]:
    return {"column": name}


def _field(records: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{name}",
        "name": name,
        "description": COLUMNS[name],
        "dataType": ["sc:Text", "cr:Label"] if name == "class" else kind,
    }


def _record_set(name: str, fields: list[dict[str, Any]], said: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": said,
        "key": {"@id": f"{name}/file_name"},
        "field": fields,
    }


def _sha256(said: str | bytes) -> str:
    data = said.encode() if isinstance(said, str) else said
    return hashlib.sha256(data).hexdigest()
