"""Fills any project with a few painted cells, quickly, for tests of other rooms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.core.cells import CROP_PIXELS, Detections
from napari_cytosynth.core.ids import CellId
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import Crops
from napari_cytosynth.core.provenance import Provenance, SyntheticCell
from napari_cytosynth.core.smear import Calibration, MppSource, Smear
from napari_cytosynth.core.taxonomy import Taxonomy

_SIDE = 2000
_CELL = 48.0
_Picture = npt.NDArray[np.float64]


def tiny_project(
    project: Project, *, smears: int = 1, cells_per_smear: int = 10, seed: int = 0
) -> dict[CellId, str]:
    """Add smears with painted cells, calibration included.

    The classes are the cell classes of the project's taxonomy, in turn; each has its
    own size, lobes and colours, so that any classifier can learn them. Every smear is
    its own group: five or more are split by group.

    Parameters
    ----------
    project : Project
        Filled in place; no labels, embeddings or models are added.
    smears, cells_per_smear : int
        How many, >= 1.
    seed : int
        Makes the same pictures again.

    Returns
    -------
    dict of cell id to class code
        The truth, to label by.
    """
    rng = np.random.default_rng(seed)
    truth: dict[CellId, str] = {}
    for number in range(len(project.smears()) + 1, len(project.smears()) + smears + 1):
        smear = project.add_smear(tiny_smear(number))
        project.set_calibration(smear.id, tiny_calibration())
        codes = _codes(project.taxonomy, len(truth), cells_per_smear)
        crops = tiny_crops(project.taxonomy, codes, rng)
        ids = project.add_cells(smear.id, tiny_detections(cells_per_smear, rng), crops)
        truth.update(zip((CellId(i) for i in ids.tolist()), codes, strict=True))
    return truth


def tiny_smear(number: int = 1) -> Smear:
    """Return the record of a smear that has no file."""
    return Smear(
        uri=f"tiny-{number}.png",
        width=_SIDE,
        height=_SIDE,
        mpp=0.25,
        group=f"patient-{number}",
        fingerprint=f"tiny-{number}",
        stain="May-Gruenwald-Giemsa",
    )


def tiny_calibration() -> Calibration:
    """Return a plausible calibration."""
    return Calibration(
        mpp=0.25,
        mpp_source=MppSource.METADATA,
        background=(235.0, 225.0, 230.0),
        stain_vectors=((0.65, 0.70, 0.29), (0.07, 0.99, 0.11)),
        thresholds={"nucleus": 0.4},
        confidence=0.9,
    )


def tiny_detections(n: int, rng: np.random.Generator) -> Detections:
    """Return ``n`` detections on a jittered grid, outlined by octagons."""
    grid = np.arange(n)
    corners = np.stack([grid % 25, grid // 25 % 25], axis=1) * 70.0 + 60
    boxes = np.empty((n, 4), np.float32)
    boxes[:, :2] = corners + rng.uniform(0, 8, (n, 2))
    boxes[:, 2:] = _CELL + rng.uniform(-6, 6, (n, 2))
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) / 2 + 0.5
    outlines = [(circle * b[2:] + b[:2]).astype(np.float32) for b in boxes]
    scores = rng.uniform(0.5, 1, n).astype(np.float32)
    return Detections(boxes, scores, np.zeros(n, bool), outlines, np.ones(n, np.uint8))


def tiny_crops(taxonomy: Taxonomy, codes: list[str], rng: np.random.Generator) -> Crops:
    """Paint one cell for each code: uint8[n, 96, 96, 3]."""
    crops = np.empty((len(codes), CROP_PIXELS, CROP_PIXELS, 3), np.uint8)
    for i, code in enumerate(codes):
        crops[i] = _paint(taxonomy.index(code), rng)
    return crops


def tiny_synthetic(
    taxonomy: Taxonomy, code: str, n: int, *, seed: int = 0
) -> tuple[SyntheticCell, ...]:
    """Paint synthetic cells of a class, with provenance, not yet stored."""
    crops = tiny_crops(taxonomy, [code] * n, np.random.default_rng(seed))
    return tuple(
        SyntheticCell(
            pixels,
            code,
            Provenance(
                generator="tiny",
                weights="0" * 64,
                config={"steps": 1},
                seed=seed + i,
                parents=(),
                version="0",
                time="2026-01-01T00:00:00.000+00:00",
            ),
        )
        for i, pixels in enumerate(crops)
    )


def _codes(taxonomy: Taxonomy, start: int, n: int) -> list[str]:
    codes = taxonomy.cell_codes
    return [codes[(start + i) % len(codes)] for i in range(n)]


def _paint(kind: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw background, cytoplasm and lobes; ``kind`` decides sizes and colours."""
    look = np.random.default_rng(kind + 1)
    cytoplasm = look.uniform((150, 140, 170), (235, 205, 235))
    nucleus = look.uniform((60, 20, 90), (130, 80, 170))
    radius = look.uniform(20, 32)
    lobes = int(look.integers(1, 5))
    picture = np.full((CROP_PIXELS, CROP_PIXELS, 3), (235.0, 225.0, 230.0))
    centre = CROP_PIXELS / 2 + rng.uniform(-2, 2, 2)
    _disc(picture, centre, radius * rng.uniform(0.94, 1.06), cytoplasm)
    size = radius * (0.72 if lobes == 1 else 0.36)
    turn = rng.uniform(0, 2 * np.pi)
    for i in range(lobes):
        angle = turn + i * 1.3
        offset = np.array([np.cos(angle), np.sin(angle)]) * radius * 0.45 * (lobes > 1)
        _disc(picture, centre + offset, size * rng.uniform(0.9, 1.1), nucleus)
    noisy = picture + rng.normal(0, 4, picture.shape) + rng.normal(0, 3, 3)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _disc(
    picture: _Picture,
    centre: npt.NDArray[np.float64],
    radius: float,
    colour: npt.NDArray[np.float64],
) -> None:
    y, x = np.mgrid[:CROP_PIXELS, :CROP_PIXELS]
    distance = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1])
    cover = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    picture *= 1 - cover
    picture += cover * colour
