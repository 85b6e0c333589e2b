"""What must be known of a data set before it is used: RAI sentences, and a page.

The page is the ``README.md`` that the Hugging Face hub shows, after Pushkarna et al.
2022, Data Cards, doi 10.1145/3531146.3533231. Nothing here names the project, its
readers, its pictures or the folders where they lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import yaml

import napari_cytosynth
from napari_cytosynth.formats.dataset import NO_LICENCE, Card, Part, Sample
from napari_cytosynth.formats.imagefolder import header
from napari_cytosynth.workflows.model_card import counted, markdown_table

Notes = dict[str, tuple[str, ...]]

_TITLES = {
    "dataCollection": "How it came to be",
    "dataAnnotationProtocol": "How it was labelled and judged",
    "dataUseCases": "What it is for",
    "dataLimitations": "Limits",
    "dataBiases": "Biases",
    "personalSensitiveInformation": "Persons",
    "dataSocialImpact": "What it may do",
    "dataReleaseMaintenancePlan": "Upkeep",
}


def notes_of(
    samples: tuple[Sample, ...], classes: Mapping[str, str], caveat: str
) -> Notes:
    """Return sentences by property of the RAI vocabulary, and ``description``.

    Parameters
    ----------
    samples : tuple of Sample
        All cells.
    classes : mapping of code to name
        Of the taxonomy.
    caveat : str
        How the real cells were split, where that was not by patient or slide.
    """
    made = [s for s in samples if s.part is Part.SYNTHETIC]
    real = [s for s in samples if s.part is Part.REAL]
    parents = sum(s.columns["parents"] != "[]" for s in made)
    return {
        "description": _description(made, real, classes),
        **_collection(made, real),
        **_labelling(made, real),
        **_uses(made, real, parents, caveat),
    }


def _description(
    made: list[Sample], real: list[Sample], classes: Mapping[str, str]
) -> tuple[str, ...]:
    named = sorted({str(s.columns["class"]) for s in (*made, *real)})
    kinds = f"{len(made)} synthetic cells"
    if real:
        kinds += f" and {len(real)} real ones, each in a part of its own"
    return (
        f"Pictures of blood and marrow cells, 96 x 96 pixels over 24 x 24 micrometres: "
        f"{kinds}.",
        f"Classes: {', '.join(f'{code} ({classes[code]})' for code in named)}.",
        f"Synthetic cells were painted by a generator and accepted in "
        f"napari-cytosynth; each says how it was made. {_verified(made)}",
        "They may train a classifier. They may never be counted, reported or measured "
        "on.",
        "Research use only: not for diagnosis.",
    )


def _collection(made: list[Sample], real: list[Sample]) -> Notes:
    generators = Counter(str(s.columns["generator"]) for s in made)
    steps = [
        "Every cell is shown at 0.25 micrometres a pixel, whatever the scanner.",
        "Synthetic cells that a critic refused, or a reader, were left out.",
    ]
    collected = f"Synthetic cells, by generator: {counted(generators)}."
    raw = "Synthetic cells have no source picture."
    kinds = ["Others"]
    if real:
        collected += (
            " Real cells were found on scanned smears and cut out; those are given "
            "that a reader labelled."
        )
        steps.append(
            "Real cells were encoded anew, pixels only; names are keyed hashes whose "
            "key was thrown away, and cells are listed in the order of these names."
        )
        raw += " The smears that the real cells come from are not part of the data set."
        kinds.append("Direct measurement")
    return {
        "dataCollection": (collected,),
        "dataCollectionType": tuple(kinds),
        "dataCollectionRawData": (raw,),
        "dataCollectionMissingData": (
            "Age, sex, disease, stain protocol and scanner are not known of any cell.",
        ),
        "dataPreprocessingProtocol": tuple(steps),
    }


def _labelling(made: list[Sample], real: list[Sample]) -> Notes:
    said = (
        "A synthetic cell has the class that it was asked for. Critics that never saw "
        "the generator judged it, with number and reason, or abstained; after that it "
        "was accepted, by a reader or by who ran the program in a reader's place."
    )
    if real:
        said += " A real cell has the class that a reader gave it last."
    return {
        "dataAnnotationProtocol": (said,),
        "dataAnnotationPlatform": (f"napari-cytosynth {napari_cytosynth.__version__}",),
        "dataAnnotationAnalysis": (_verified(made),),
        "annotationsPerItem": ("1, the verdict or label that holds.",),
        "annotatorDemographics": ("Not recorded.",),
        "machineAnnotationTools": ("The critics named in the column verdicts.",),
    }


def _verified(made: list[Sample]) -> str:
    """Say how many cells the critics could check."""
    unverified = sum(not s.columns["verified"] for s in made)
    if not unverified:
        return "All of them passed the critics."
    return (
        f"{len(made) - unverified} of {len(made)} passed the critics; {unverified} "
        "are marked as not verified: too few real cells of their class were labelled "
        "to check them."
    )


def _uses(made: list[Sample], real: list[Sample], parents: int, caveat: str) -> Notes:
    personal = [
        f"{parents} of {len(made)} synthetic cells name, by pseudonym, real cells that "
        "they were tuned on or varied from. They may look like these: treat such cells "
        "as data of the patients.",
    ]
    limits = [
        "A synthetic cell shows what its generator holds for a cell of that class: no "
        "patient has it, and no rate, count or size may be read from it.",
        "Whether synthetic cells help a classifier is not shown by this data set; "
        "measure it on real cells.",
    ]
    biases = ["The shares of the classes are chosen: they tell of no population."]
    if real:
        groups = len({s.columns["group"] for s in real})
        personal.append(
            f"{len(real)} pictures of cells of patients, under pseudonyms of {groups} "
            "patients or slides. No name, date, file name or tag of the source is kept."
        )
        limits.append(
            caveat.capitalize() + "."
            if caveat
            else "Patients or slides of the split test are in no other split."
        )
        biases.append("Real cells were mostly chosen for labelling by a model.")
    return {
        "dataUseCases": (
            "Training: synthetic cells, beside real ones.",
            "Testing and validation: never on synthetic cells.",
        ),
        "dataLimitations": tuple(limits),
        "dataBiases": tuple(biases),
        "personalSensitiveInformation": tuple(personal),
        "dataSocialImpact": (
            "Meant to train on classes that are rare; misuse as real cells would feign "
            "findings. Every synthetic picture says in itself that it is one.",
        ),
        "dataReleaseMaintenancePlan": (
            "Exported once; a new export of the project is another data set.",
        ),
    }


def page(card: Card) -> str:
    """Return the data card: ``README.md`` with its YAML, as Markdown."""
    front = yaml.safe_dump(dict(header(card)), sort_keys=False, allow_unicode=True)
    return "\n".join(("---", front + "---", "", *_lines(card))) + "\n"


def _lines(card: Card) -> Iterator[str]:
    about = card.about
    yield from (f"# {about.name}", "", " ".join(card.notes["description"]), "")
    yield f"Published {about.date} by {about.creator}. Licence: {_licence(card)}."
    yield from ("", "## Cells", "")
    rows = [
        (part, split, code, name, n)
        for part in card.parts
        for split in card.splits(part)
        for code, n in card.counts(part, split).items()
        for name in (card.classes[code],)
    ]
    yield from markdown_table(("part", "split", "class", "name", "cells"), rows)
    yield from ("", "Pictures: `PART/SPLIT/*.png`; what is known of each cell:")
    yield "`metadata.jsonl` beside them. The same in JSON-LD: `croissant.json`."
    for key, title in _TITLES.items():
        yield from ("", f"## {title}", "")
        yield from (f"- {sentence}" for sentence in card.notes[key])
    yield from ("", "## Generators", "")
    yield from markdown_table(
        ("generator", "weights, SHA-256", "made with napari-cytosynth"),
        [(g, f"`{p.weights}`", p.version) for g, p in card.generators.items()],
    )


def _licence(card: Card) -> str:
    if card.about.licence == NO_LICENCE:
        return f"none was given, so others may not use it ({NO_LICENCE})"
    return card.about.licence
