"""How well attributes are told in words: how often, how rightly, and of which cells.

Part of ``cytosynth bench embed``. The plain peer knows the class of every cell, and
says what most training cells of it have: what a head adds is what it tells beyond that.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cytosynth.bench.pack import Pack, figure_files, pack_crop
from napari_cytosynth.bench.stains import common_scale
from napari_cytosynth.bench.truth import bccd
from napari_cytosynth.core.protocols import Crops, Vectors
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.core.taxonomy import Taxonomy
from napari_cytosynth.features.attribute_words import TOPICS, Phrase
from napari_cytosynth.features.attributes import AttributeReader, Reading
from napari_cytosynth.ingest import cut_crops, open_smear
from napari_cytosynth.metrics.scores import draw_counts, interval_of, weighted_scores
from napari_cytosynth.workflows.describe import class_of

BINS = 10
"""Bins of equal width of the expected calibration error."""

_REPEATS = 500
_FIELDS = 120
_A_FIELD = 2

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.str_]
Embed = Callable[[Crops], Vectors]


@dataclass(frozen=True, slots=True)
class Told:
    """Cells whose attributes people told.

    Parameters
    ----------
    pack : Pack
        The cells, and their classes.
    values : mapping of attribute to str[n]
        What was told.
    """

    pack: Pack
    values: Mapping[str, Codes]


def attribute_rows(
    data: Path, embed: Embed, pack: Pack, others: Mapping[str, Pack]
) -> Iterator[Row]:
    """Yield figures of the shipped attribute heads.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    embed : callable
        The encoder that the heads were fitted on.
    pack : Pack
        Cells of all classes.
    others : mapping of name to Pack
        Cells of other stains.
    """
    reader = AttributeReader()
    told = told_cells(data, reader)
    vectors = embed(told.pack.crops)
    for name in told.values:
        yield from _head(reader, name, vectors, told)
    yield from _words(reader.read(vectors), told)
    for dataset, cells in {"pack_pbc128": pack, **others}.items():
        readings = reader.read(embed(cells.crops))
        for code in np.unique(cells.codes).tolist():
            yield _spoken(dataset, code, _taken(readings, cells.codes == code))
        if dataset in others:
            yield from _plausible(reader, dataset, readings, cells.codes)
    for kind, crops in other_objects(data).items():
        yield _spoken("bccd", kind, reader.read(embed(crops)))


def told_cells(data: Path, reader: AttributeReader) -> Told:
    """Return the cells for figures whose attributes people told.

    Raises
    ------
    InputError
        If the pack is not there.
    """
    table = data / "classification" / "pbc_barcelona" / "wbcatt_attributes.csv"
    with table.open(newline="", encoding="utf-8") as lines:
        known = {row["img_name"]: row for row in csv.DictReader(lines)}
    cells = [(p, code) for p, code in figure_files(data) if p.name in known]
    pack = Pack(
        np.stack([pack_crop(path) for path, _ in cells]),
        np.array([code for _, code in cells]),
    )
    values = {
        name: np.array([known[path.name][name] for path, _ in cells])
        for name in reader.card["values"]
    }
    return Told(pack, values)


def other_objects(data: Path) -> dict[str, Crops]:
    """Return what is no white cell in BCCD, cut as if it were.

    Red cells, platelets, and random places beside the white cells ("elsewhere").
    """
    truths = list(bccd(data))[:_FIELDS]
    mpp = common_scale([truth.path for truth in truths])
    rng = np.random.default_rng(0)
    found: dict[str, list[Crops]] = {}
    for truth in truths:
        with closing(open_smear(truth.path)) as image:
            size = image.smear.width, image.smear.height
            boxes = {k: truth.boxes[k] for k in ("red cell", "platelet")}
            boxes["elsewhere"] = _beside(truth.boxes["white cell"], size, rng)
            for kind, places in boxes.items():
                if len(places):
                    cut = cut_crops(image, places[:_A_FIELD], mpp)
                    found.setdefault(kind, []).append(cut)
    return {kind: np.concatenate(crops) for kind, crops in found.items()}


def _beside(boxes: Floats, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return points, as boxes of no size, that lie in none of some boxes."""
    points = rng.uniform((0, 0), size, (20, 2))
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = (low[None] <= points[:, None]) & (points[:, None] <= high[None])
    free: Floats = points[~np.any(np.all(inside, axis=2), axis=1)]
    return np.column_stack([free, np.zeros_like(free)])


def _head(
    reader: AttributeReader, name: str, vectors: Vectors, told: Told
) -> Iterator[Row]:
    """Score one head on all cells, strange ones too, and the peer on the same."""
    values = list(reader.card["values"][name])
    truth = np.array([values.index(v) for v in told.values[name].tolist()])
    chances = reader.chances(vectors)[name].astype(np.float64)
    guesses = chances.argmax(axis=1)
    by_class = typical(reader, name)
    codes = told.pack.codes.tolist()
    peer = np.array([values.index(by_class[_concept(code)]) for code in codes])
    weights = _weights(len(truth))
    right = (guesses == truth).astype(float)
    scores, plain = (
        weighted_scores(truth, g, weights, len(values)) for g in (guesses, peer)
    )
    own = {"case": "attribute", "class": name}
    yield _row(scores.macro_f1, len(truth), **own, metric="macro-F1")
    told_right = np.nanmean(scores.recall, axis=1)
    yield _row(told_right, len(truth), **own, metric="balanced accuracy")
    yield _row(
        calibration_error(chances.max(axis=1), right, weights),
        len(truth),
        **own,
        metric="calibration error",
    )
    yield _row(
        plain.macro_f1,
        len(truth),
        **{**own, "peer": "class known"},
        metric="macro-F1",
    )


def _words(readings: Sequence[Reading | None], told: Told) -> Iterator[Row]:
    """Yield how often a phrase of each topic is said, and how often it is true."""
    for topic in TOPICS:
        found = [_said(reading, topic.noun) for reading in readings]
        right = [p is not None and _is_true(p, told, i) for i, p in enumerate(found)]
        yield from _shares("words", topic.noun, [p is not None for p in found], right)
    taxonomy = built_in("pbc11")
    named = [class_of(r, taxonomy) if r is not None else "" for r in readings]
    right = list(np.array(named) == told.pack.codes)
    yield from _shares("words", "class named", [bool(n) for n in named], right)


def _said(reading: Reading | None, noun: str) -> Phrase | None:
    said = () if reading is None else reading.phrases
    return next((phrase for phrase in said if phrase.noun == noun), None)


def _is_true(phrase: Phrase, told: Told, row: int) -> bool:
    return all(told.values[name][row] in values for name, values in phrase.said)


def _shares(
    case: str, name: str, said: Sequence[bool], right: Sequence[bool]
) -> Iterator[Row]:
    spoken, true = np.array(said, float), np.array(right, float)
    weights = _weights(len(spoken))
    own = {"case": case, "class": name}
    yield _row(weights @ spoken / len(spoken), len(spoken), **own, metric="told")
    with np.errstate(invalid="ignore"):
        share = (weights @ (spoken * true)) / (weights @ spoken)
    yield _row(share, int(spoken.sum()), **own, metric="true of those told")


def _spoken(dataset: str, code: str, readings: Sequence[Reading | None]) -> Row:
    """Return of how many cells anything is said."""
    said = np.array([r is not None and bool(r.phrases) for r in readings], float)
    share = _weights(len(said)) @ said / len(said)
    own = {"case": "anything told", "class": code, "dataset": dataset}
    return _row(share, len(said), **own, metric="told")


def _plausible(
    reader: AttributeReader,
    dataset: str,
    readings: Sequence[Reading | None],
    codes: Codes,
) -> Iterator[Row]:
    """Yield how often the granules told are those that the class has as a rule."""
    usual = typical(reader, "granule_type")
    taxonomy = built_in("blood5")
    pairs = [
        (_granules(reading), usual[_concept(code, taxonomy)])
        for reading, code in zip(readings, codes.tolist(), strict=True)
        if _concept(code, taxonomy) in usual
    ]
    right = np.array([wanted in said for said, wanted in pairs if said], float)
    if not len(right):
        return
    share = _weights(len(right)) @ right / len(right)
    own = {"case": "words", "class": "granules", "dataset": dataset}
    yield _row(share, len(right), **own, metric="fit the class")


def _granules(reading: Reading | None) -> tuple[str, ...]:
    phrase = _said(reading, "granules")
    return () if phrase is None else dict(phrase.said).get("granule_type", ())


def typical(reader: AttributeReader, name: str) -> dict[str, str]:
    """Return the commonest value of an attribute by concept, of the training cells.

    Kinds of neutrophil stand both for themselves and together.
    """
    values, concepts, table = reader.training_cells()
    column = table[:, list(values).index(name)]
    kinds = np.array(concepts)
    whole = np.array([concept.partition(".")[0] for concept in concepts])
    found = {}
    for names in (whole, kinds):
        for kind in np.unique(names).tolist():
            counts = np.bincount(column[names == kind], minlength=len(values[name]))
            found[kind] = values[name][int(counts.argmax())]
    return found


def _concept(code: str, taxonomy: Taxonomy | None = None) -> str:
    """Return the concept of a code or name; the text itself where there is none."""
    own = taxonomy or built_in("pbc11")
    words = (c for c in own if code.lower() in (c.code.lower(), c.concept))
    return next((c.concept for c in words), code)


def calibration_error(confidence: Floats, right: Floats, weights: Floats) -> Floats:
    """Return the expected calibration error under each row of weights.

    Guo et al. (2017), arXiv 1706.04599: the mean gap between confidence and share of
    hits over :data:`BINS` bins of equal width, by the cells in each.

    Parameters
    ----------
    confidence, right : float64[n]
        Probability of the guess, and 1 where it was right.
    weights : float64[resamples, n]
        How often each cell was drawn.
    """
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    members = (bins[:, None] == np.arange(BINS)).astype(float)
    gaps = np.abs((weights * (confidence - right)) @ members)
    total: Floats = gaps.sum(axis=1) / weights.sum(axis=1)
    return total


def _taken(
    readings: Sequence[Reading | None], rows: npt.NDArray[np.bool_]
) -> list[Reading | None]:
    return [readings[i] for i in np.flatnonzero(rows).tolist()]


def _weights(n: int) -> Floats:
    return draw_counts(n, _REPEATS, np.random.default_rng(n))


def _row(values: Floats, n: int, **about: Any) -> Row:
    interval = interval_of(values, n)
    return {
        "peer": "ours",
        "dataset": "pack_pbc128",
        "embedder": "starter",
        "unit": "share",
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "n": n,
        **about,
    }
