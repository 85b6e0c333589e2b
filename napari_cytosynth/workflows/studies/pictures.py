"""The study of ratios with a small ResNet, trained from scratch on pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_cytosynth.core.protocols import Compute, Crops
from napari_cytosynth.core.training import balanced
from napari_cytosynth.evidence.deals import Deal
from napari_cytosynth.evidence.jury import Jury, with_gains
from napari_cytosynth.evidence.study import Floats, Key
from napari_cytosynth.synthesis.gate import DRAWS_PER_SLOT
from napari_cytosynth.workflows.studies.painting import Painter, gate_for, pictures_of
from napari_cytosynth.workflows.studies.plan import (
    REFUSALS,
    RESNET_RATIOS,
    Material,
    Outcome,
    Run,
)
from napari_cytosynth.workflows.studies.ratio import (
    ALONE,
    BASE,
    PASSED,
    REAL,
    SYNTHETIC,
    first_of,
    has_more,
    passed,
)

PRETRAINED = "synthetic, then real"

DUPLICATES = "duplicates"


def run(given: Run) -> Outcome:
    """Train a network of each case and score it on real test cells."""
    from napari_cytosynth.evidence._torch.small_resnet import SmallResNet

    drawn, material, compute = given.drawn, given.material, given.compute
    jury = Jury(drawn, material.taxonomy)
    made, reasons = _painted(drawn, material, compute)
    found: dict[Key, Floats] = {}
    for case, ratio, crops, codes, weights in _cases(drawn, made):
        network = SmallResNet(drawn.classes, seed=drawn.seed).fit(crops, codes, weights)
        found |= jury.judge(case, ratio, network.chances(drawn.test.crops))
        if case == SYNTHETIC:
            found[case, ratio, PASSED, ""] = passed(drawn, ratio, codes)
    if len(set(made[1])) > 1:
        train = drawn.train
        network = SmallResNet(drawn.classes, seed=drawn.seed)
        network.fit(made[0], made[1], balanced(made[1]))
        network.fit(train.crops, train.codes, balanced(train.codes))
        found |= jury.judge(PRETRAINED, "", network.chances(drawn.test.crops))
    return Outcome(with_gains(found, BASE), reasons)


def _cases(
    drawn: Deal, made: tuple[Crops, tuple[str, ...]]
) -> Iterator[tuple[str, str, Crops, tuple[str, ...], Floats]]:
    train = drawn.train
    few = {code: train.count(code) for code in drawn.rare}
    yield ALONE, "", train.crops, train.codes, np.ones(len(train))
    yield BASE, "", train.crops, train.codes, balanced(train.codes)
    most = max(train.codes.count(code) for code in drawn.classes)
    extra = [
        row
        for code, n in few.items()
        for row in np.resize(_rows(train.codes, code), most - n).tolist()
    ]
    yield DUPLICATES, "", *_joined(drawn, train.crops, train.codes, extra)
    for ratio in RESNET_RATIOS:
        wanted = {code: round(ratio * n) for code, n in few.items()}
        label = f"{ratio:g}"
        rows = first_of(made[1], wanted)
        yield SYNTHETIC, label, *_joined(drawn, *made, rows)
        if not has_more(drawn, wanted):
            continue
        rows = first_of(drawn.more.codes, wanted)
        yield REAL, label, *_joined(drawn, drawn.more.crops, drawn.more.codes, rows)


def _rows(codes: tuple[str, ...], code: str) -> list[int]:
    return [row for row, own in enumerate(codes) if own == code]


def _joined(
    drawn: Deal, crops: Crops, codes: tuple[str, ...], rows: list[int]
) -> tuple[Crops, tuple[str, ...], Floats]:
    """Return the training cells and further pictures, all classes weighing the same."""
    everything = (*drawn.train.codes, *(codes[row] for row in rows))
    together = np.concatenate([drawn.train.crops, crops[rows]])
    return together, everything, balanced(everything)


def _painted(
    drawn: Deal, material: Material, compute: Compute
) -> tuple[tuple[Crops, tuple[str, ...]], tuple[str, ...]]:
    """Paint rare cells until enough passed, or the budget of a fill is spent.

    Returns
    -------
    (crops, codes), reasons
        The reasons are of classes that the generator refused.
    """
    painter = Painter(drawn.train, material.taxonomy, compute, drawn.seed)
    gate = gate_for(drawn.train, material.embedder, drawn.seed)
    crops: list[Crops] = [drawn.train.crops[:0]]
    codes: list[str] = []
    reasons: list[str] = []
    for code in drawn.rare:
        count = round(RESNET_RATIOS[-1] * drawn.train.count(code))
        passed = []
        try:
            for cell in painter.judged(code, count * DRAWS_PER_SLOT, gate):
                passed += [cell] if cell.passed else []
                if len(passed) == count:
                    break
        except REFUSALS as error:
            reasons.append(f"painted cells of {code}: {error}")
        crops.append(pictures_of(passed))
        codes += [code] * len(passed)
    return (np.concatenate(crops), tuple(codes)), tuple(reasons)
