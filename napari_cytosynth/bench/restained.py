"""How near a smear comes to the colours of another one, shown in that one's stain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab

from napari_cytosynth.bench.flawed import HELD_OUT, Picture, hash_of
from napari_cytosynth.core.smear import Calibration
from napari_cytosynth.ingest import calibrate, open_smear
from napari_cytosynth.ingest.normalise import StainLook, StainMap
from napari_cytosynth.ingest.stain import nuclear_dye, optical_density

SETS = {
    "bccd": ("detection/bccd/JPEGImages", "*.jpg"),
    "txl_pbc": ("detection/txl_pbc", "*.jpg"),
    "segpc": ("bone_marrow/segpc_myeloma/images", "*.jpg"),
    "pig_wbc": ("detection/pig_wbc", "*.jpg"),
}
"""Sets that are shown in the stain of one another: folder and pattern."""

_PARTS = ("glass", "red cells", "nuclei")
_FEW = 200  # pixels of a part from which its colour is told

Lab = npt.NDArray[np.float64]
_Seen = tuple[Picture, StainLook, Lab, list[npt.NDArray[np.bool_]]]


def stain_rows(data: Path, pictures: int) -> Iterator[dict[str, Any]]:
    """Yield the colour distance to the reference before and after.

    Parameters
    ----------
    data : Path
        Folder of the developer data.
    pictures : int
        Of each set, held-out ones; each is shown in the stain of the first of every
        other set.

    Yields
    ------
    dict
        Rows: CIELAB distance of the median colours of glass, red cells and nuclei.
    """
    seen = {name: list(_seen(data, name, pictures)) for name in SETS}
    for name, own in seen.items():
        targets = [others[0] for other, others in seen.items() if other != name]
        pairs = [(one, target) for one in own for target in targets]
        for part, title in enumerate(_PARTS):
            found = np.array([_distances(*pair, part) for pair in pairs])
            found = found[np.isfinite(found).all(axis=1)]
            for metric, values in zip(("before", "after"), found.T, strict=True):
                yield _row(f"stain of {title}", name, metric, values)


def _row(
    case: str, dataset: str, metric: str, values: npt.NDArray[np.float64]
) -> dict[str, Any]:
    low, middle, high = np.percentile(values, (2.5, 50, 97.5))
    return {
        "case": case,
        "peer": "stain",
        "dataset": dataset,
        "metric": f"distance {metric}",
        "unit": "CIELAB",
        "value": float(middle),
        "low": float(low),
        "high": float(high),
        "n": len(values),
    }


def _seen(data: Path, name: str, pictures: int) -> Iterator[_Seen]:
    folder, pattern = SETS[name]
    paths = [
        p for p in sorted((data / folder).rglob(pattern)) if hash_of(p) in HELD_OUT
    ]
    for path in paths[:: max(len(paths) // pictures, 1)][:pictures]:
        image = open_smear(path)
        calibration = calibrate(image)
        pixels = np.asarray(image.levels[0][:])
        parts = _parts(pixels, calibration)
        look = StainLook.of(image, calibration)
        image.close()
        yield pixels, look, _colours(pixels, parts), parts


def _parts(pixels: Picture, calibration: Calibration) -> list[npt.NDArray[np.bool_]]:
    """Mark glass, red cells and nuclei, as the calibration tells them apart."""
    density = optical_density(pixels, calibration.background)
    dye = nuclear_dye(density, calibration.stain_vectors)
    levels, dark = calibration.thresholds, pixels.max(axis=2) < 60
    nuclei = (dye > levels["nucleus"]) & ~dark
    pale = dye < levels["cytoplasm"]
    red = pale & (density[..., 1] > levels["red"]) & ~dark
    return [pale & (np.abs(density).max(axis=2) < 0.05), red, nuclei]


def _colours(
    pixels: Picture, parts: Sequence[npt.NDArray[np.bool_]]
) -> npt.NDArray[np.float64]:
    """Return the median CIELAB colour of each part; NaN where there is hardly any."""
    found = np.full((len(parts), 3), np.nan)
    for row, part in enumerate(parts):
        if np.count_nonzero(part) >= _FEW:
            found[row] = np.median(rgb2lab(pixels[part]), axis=0)
    return found


def _distances(one: _Seen, target: _Seen, part: int) -> tuple[float, float]:
    pixels, look, before, parts = one
    _, wanted, colours, _ = target
    shown = StainMap.between(look, wanted).apply(pixels)
    after = _colours(shown, parts)
    return (
        float(np.linalg.norm(before[part] - colours[part])),
        float(np.linalg.norm(after[part] - colours[part])),
    )
