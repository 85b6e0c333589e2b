"""A card for each generator: what it learned from, what it made, what it is not for.

After Mitchell et al. 2019, Model Cards for Model Reporting, arXiv 1810.03993.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import napari_cytosynth
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Carded, Weights
from napari_cytosynth.core.provenance import Status, SyntheticCell
from napari_cytosynth.core.registry import load, names
from napari_cytosynth.synthesis.gate import first_veto
from napari_cytosynth.workflows.fill_jobs import PREFIX

CARD_NAME = "model-card-{}.md"
"""File name of a generator's card."""

CARD_NOTICE = (
    "Research use only: not for diagnosis. What it makes are no real cells; they may "
    "train a classifier, and may never be counted, reported or measured on."
)
_PERSONAL = (
    "**These weights hold cells of this project's patients, or what was learned from "
    "them.** Whoever has them can paint cells that look like theirs: treat them as "
    "patients' data."
)


def is_card(name: str) -> bool:
    """Tell whether a file name is that of a card."""
    before, after = CARD_NAME.split("{}")
    return name.startswith(before) and name.endswith(after) and "/" not in name


def is_personal(weights: Weights) -> bool:
    """Tell whether weights hold what was learned from patients' cells.

    Their ``personal`` says so. Those that do not say count as personal, unless they
    hold no tensor at all.
    """
    return bool(weights.meta.get("personal", bool(weights.tensors)))


def fitted_generators(project: Project) -> dict[str, dict[str, Weights]]:
    """Return the weights that fills of this project fitted: generator, class, weights.

    Raises
    ------
    WeightsError
        If stored weights are damaged.
    """
    found: dict[str, dict[str, Weights]] = {}
    for job in project.jobs():
        if job.key.startswith(PREFIX):
            generator, code = str(job.data["generator"]), str(job.data["code"])
            weights = project.model(weights_name(generator, code))
            if weights is not None:
                own = found.setdefault(generator.partition(":")[0], {})
                own[_free_name(own, code, weights)] = weights
    return {g: dict(sorted(found[g].items())) for g in sorted(found)}


def _free_name(own: Mapping[str, Weights], code: str, weights: Weights) -> str:
    """Return the class, and the hash beside it where other weights have its name."""
    taken = code in own and own[code].sha256 != weights.sha256
    return f"{code}-{weights.sha256[:8]}" if taken else code


def weights_name(generator: str, code: str) -> str:
    """Return the name under which a project keeps weights."""
    return f"generator:{generator}:{code}"


def cards_of(project: Project, generators: Iterable[str]) -> dict[str, str]:
    """Return the card of each generator, as Markdown."""
    fitted, cells = fitted_generators(project), project.synthetic()
    return {
        key: "\n".join(
            _lines(
                key,
                fitted.get(key, {}),
                [c for c in cells if c.provenance.generator == key],
            )
        )
        + "\n"
        for key in sorted(set(generators))
    }


def _lines(
    generator: str,
    fitted: Mapping[str, Weights],
    cells: Sequence[SyntheticCell],
) -> Iterator[str]:
    version = napari_cytosynth.__version__
    yield from (f"# Generator `{generator}`", "", CARD_NOTICE, "")
    if any(map(is_personal, fitted.values())):
        yield from (_PERSONAL, "")
    yield f"Made with napari-cytosynth {version}."
    yield from ("", "## Weights it starts from", "")
    yield from _shipped(generator)
    yield from ("", "## What it learned from", "")
    yield from _learned(fitted)
    yield from ("", "## What it made", "")
    yield from _made(cells)


def _shipped(generator: str) -> Iterator[str]:
    maker = (
        load("generators", generator)() if generator in names("generators") else None
    )
    if not isinstance(maker, Carded):
        yield "None are shipped with it."
        return
    card = maker.card
    yield f"SHA-256 `{card['sha256']}`."
    for name, value in dict(card.get("source", {})).items():
        yield f"- {name}: {value}"
    for limit in card.get("limits", ()):
        yield f"- limit: {limit}"


def _learned(fitted: Mapping[str, Weights]) -> Iterator[str]:
    if not fitted:
        yield "No weights of it are kept in the project."
        return
    yield from markdown_table(
        (
            "for class",
            "SHA-256",
            "begun from",
            "real cells of each class",
            "tuned to",
            "holds data of patients",
        ),
        [
            (
                code,
                f"`{weights.sha256}`",
                f"`{base}`" if (base := weights.meta.get("base")) else "nothing",
                counted(weights.meta.get("counts", {})),
                ", ".join(_tuned_to(weights)) or "no class",
                "yes" if is_personal(weights) else "no",
            )
            for code, weights in fitted.items()
        ],
    )


def _tuned_to(weights: Weights) -> Sequence[str]:
    """Return the classes whose cells changed the weights; all, where they say none."""
    taught = [code for code, count in weights.meta.get("counts", {}).items() if count]
    return tuple(weights.meta.get("tuned", taught))


def _made(cells: Sequence[SyntheticCell]) -> Iterator[str]:
    if not cells:
        yield "Nothing yet."
        return
    by_class: dict[str, list[SyntheticCell]] = {}
    for cell in cells:
        by_class.setdefault(cell.code, []).append(cell)
    heads = ("class", "drawn", *map(str, Status), "refused by", "verified")
    yield from markdown_table(heads, [_fate(c, by_class[c]) for c in sorted(by_class)])
    yield ""
    yield (
        "Refused counts the first critic that objected. Not verified: too few real "
        "cells of the class were labelled to check them."
    )


def _fate(code: str, cells: Sequence[SyntheticCell]) -> tuple[Any, ...]:
    states = Counter(cell.status for cell in cells)
    dropped = [c for c in cells if c.status is Status.DROPPED]
    refused = Counter(veto.critic for c in dropped if (veto := first_veto(c)))
    verified = "yes" if all(c.verified for c in cells) else "no"
    return (
        code,
        len(cells),
        *(states[s] for s in Status),
        counted(refused) or "nobody",
        verified,
    )


def counted(counts: Mapping[str, int]) -> str:
    """Return counts as words: ``"BA 3, EO 5"``."""
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))


def markdown_table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
