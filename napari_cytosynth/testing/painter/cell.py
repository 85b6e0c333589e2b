"""Paints one nucleated cell as optical density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from napari_cytosynth.testing.painter.dyes import Dye
from napari_cytosynth.testing.painter.looks import Granules, Look, Nucleus
from napari_cytosynth.testing.painter.noise import Field, clumps
from napari_cytosynth.testing.painter.shapes import (
    Grid,
    beads,
    both,
    cut,
    ellipse,
    grid,
    smooth,
    wobble,
)

EDGE_UM = 0.45
"""Width over which a membrane fades."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A painted object, to be laid on the slide.

    Parameters
    ----------
    density : float32[h, w, 3]
        Optical density, natural logarithm, of red, green and blue.
    cover : float32[h, w]
        0..1, how far the object hides what lies below.
    """

    density: npt.NDArray[np.float32]
    cover: Field


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a cell lies.

    Parameters
    ----------
    radius : float
        Micrometres.
    mpp : float
        Micrometres a pixel.
    offset : (float, float)
        Sub-pixel part of its centre.
    sides : sequence of (nx, ny, distance)
        Neighbours that press, see :func:`shapes.cut`.
    defocus : float
        Blur, micrometres.
    """

    radius: float
    mpp: float
    offset: tuple[float, float] = (0.0, 0.0)
    sides: Sequence[tuple[float, float, float]] = ()
    defocus: float = 0.0


def paint_cell(look: Look, place: Place, rng: np.random.Generator) -> Stamp:
    """Paint one cell of a look.

    Parameters
    ----------
    look : Look
        Its class.
    place : Place
        Size, scale, neighbours, focus.
    rng : numpy.random.Generator
        Chance.

    Returns
    -------
    Stamp
        Square, with the cell's centre in its middle.
    """
    g = grid(place.radius * 1.45 + 1.5 + 2 * place.defocus, place.mpp, place.offset)
    body = _body(g, look, place, rng)
    nucleus = both(_nucleus_level(g, look.nucleus, place.radius, rng), body - 0.35)
    cover = smooth(body, EDGE_UM)
    inside = smooth(nucleus, EDGE_UM)
    density = (
        _cytoplasm(g, look, (body, nucleus), rng)
        * (cover * (1 - 0.9 * inside))[..., None]
    )
    density += _chromatin(g, look.nucleus, nucleus, rng) * inside[..., None]
    for kind in look.granules:
        density += _granules(g, kind, (cover, inside), rng)
    return _focused(Stamp(density, cover), place)


def _focused(stamp: Stamp, place: Place) -> Stamp:
    if place.defocus <= 0:
        return stamp
    sigma = place.defocus / place.mpp
    density = gaussian_filter(stamp.density, (sigma, sigma, 0))
    return Stamp(density, gaussian_filter(stamp.cover, sigma))


def _body(g: Grid, look: Look, place: Place, rng: np.random.Generator) -> Field:
    """Return the level of the whole cell."""
    stretch = np.sqrt(1 + max(0.0, rng.normal(look.oval - 1, 0.05)))
    turned = g.turned(rng.uniform(0, np.pi))
    uneven = turned.warped(look.ragged, 6.0, rng).warped(0.25 * look.ragged, 2.2, rng)
    a, b = place.radius * stretch, place.radius / stretch
    level = ellipse(uneven, a, b, wobble(0.05 + 0.06 * look.ragged, 4, rng))
    return cut(g, level, place.sides)


def _nucleus_level(
    g: Grid, nucleus: Nucleus, radius: float, rng: np.random.Generator
) -> Field:
    share = rng.uniform(*nucleus.size)
    turned = g.turned(rng.uniform(0, 2 * np.pi))
    if nucleus.kind == "round":
        r = share * radius
        shift = nucleus.eccentric * rng.uniform(0.5, 1.0) * (radius - r)
        moved = turned.moved(shift, 0.0).warped(0.025 * r, 4.5, rng)
        return ellipse(moved, r * 1.04, r * 0.96, wobble(0.05, 3, rng))
    points, radii = _arc(nucleus, share * radius, radius, rng)
    return beads(turned.warped(0.10, 3.0, rng), points, radii)


def _arc(
    nucleus: Nucleus, thick: float, radius: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return centres float[k, 2] and radii float[k] of a bent, pinched sausage."""
    span = np.deg2rad(rng.uniform(*nucleus.span))
    lobes = int(rng.integers(nucleus.lobes[0], nucleus.lobes[1] + 1))
    t = np.linspace(0, 1, 9 * lobes + 8)
    bend = (radius - thick) * rng.uniform(0.62, 0.78)
    sway = 0.5 * rng.normal(size=2)
    angle = span * (t - 0.5)
    r = bend * (1 + 0.22 * np.sin(2 * np.pi * (t + sway[0])) * sway[1])
    points = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
    points -= points.mean(axis=0) * (1 - nucleus.eccentric * 0.5)
    return points, thick * _thickness(t, lobes, nucleus.pinch, rng)


def _thickness(
    t: npt.NDArray[np.float64], lobes: int, pinch: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return the relative thickness along the sausage, ends rounded."""
    ends = np.sqrt(np.clip(1 - np.abs(2 * t - 1) ** 6, 0.25, 1))
    if lobes == 1:
        swell = 0.10 * np.sin(2 * np.pi * (t * 1.3 + rng.uniform()))
        return np.asarray(ends * (1 + swell), np.float64)
    borders = np.arange(1, lobes) / lobes + rng.uniform(-0.25, 0.25, lobes - 1) / lobes
    near = np.abs(t[:, None] - borders[None]).min(axis=1) * lobes
    near = np.clip((near - 0.11) / 0.39, 0, 1)
    lobed = np.maximum(pinch, np.clip(1 - (1 - near) ** 2, 0, 1) ** 0.6)
    lobed *= (3.5 / lobes) ** 0.35  # fewer lobes hold as much chromatin
    return np.asarray(ends * lobed, np.float64)


def _chromatin(
    g: Grid, nucleus: Nucleus, level: Field, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return the density of chromatin, as if the nucleus filled the canvas."""
    coarse = clumps(g.noise(1.25 * nucleus.clump_um, rng), 0.9)
    pattern = 0.8 * nucleus.contrast * coarse + 0.045 * g.noise(0.9, rng)
    flecks = np.clip(g.noise(2.0 * nucleus.clump_um, rng) - 1.2, 0, 1)
    pattern -= 1.5 * nucleus.contrast * flecks
    pattern += 0.07 * g.noise(4.0, rng)
    if nucleus.spokes:
        pattern += _spokes(g, level, rng)
    membrane = 0.14 * np.exp(-np.square((level - 0.35) / 0.35))
    depth = np.float32(nucleus.density) * (1 + pattern + membrane)
    hue = 1 + 0.035 * g.noise(2.5, rng)[..., None] * np.array([1, 0, -1], np.float32)
    density = depth[..., None] * np.asarray(nucleus.dye, np.float32) * hue
    return _with_nucleoli(g, nucleus, (level, density), rng)


def _spokes(g: Grid, level: Field, rng: np.random.Generator) -> Field:
    """Return clumps set around the nuclear membrane like the numbers of a clock."""
    weight = np.clip(level, 0, None)
    total = float(weight.sum()) + 1e-6
    cx, cy = float((g.x * weight).sum()) / total, float((g.y * weight).sum()) / total
    angle = np.arctan2(g.y - cy, g.x - cx)
    waves = np.cos(int(rng.integers(6, 9)) * angle + rng.uniform(0, 6.28))
    return np.asarray(0.2 * waves * np.exp(-np.clip(level, 0, None) / 1.6), np.float32)


def _with_nucleoli(
    g: Grid,
    nucleus: Nucleus,
    painted: tuple[Field, npt.NDArray[np.float32]],
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    level, density = painted
    deep = np.argwhere(level > 0.9)
    count = int(rng.integers(nucleus.nucleoli[0], nucleus.nucleoli[1] + 1))
    blue = np.array([0.72, 0.62, 0.55], np.float32)
    for row, column in deep[rng.integers(0, len(deep), count)] if len(deep) else ():
        size = rng.uniform(0.7, 1.3)
        near = np.hypot(g.x - g.x[row, column], g.y - g.y[row, column])
        spot = smooth(np.float32(size) - near, 0.7)[..., None]
        ring = 0.16 * np.exp(-np.square((near - size - 0.2) / 0.35))[..., None]
        density = density * (1 - spot * (1 - blue)) * (1 + ring)
    return density


def _cytoplasm(
    g: Grid, look: Look, levels: tuple[Field, Field], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    body, nucleus = levels
    depth = 1 + look.mottle * (0.7 * g.noise(2.4, rng) + 0.5 * g.noise(1.0, rng))
    depth += look.rim * np.exp(-np.clip(body, 0, None) / 0.9)
    if look.hof:
        depth *= 1 - look.hof * _hof(g, nucleus)
    for _ in range(int(rng.integers(look.vacuoles[0], look.vacuoles[1] + 1))):
        depth *= 1 - 0.85 * _vacuole(g, body, rng)
    return np.asarray(depth[..., None] * np.asarray(look.dye, np.float32), np.float32)


def _hof(g: Grid, nucleus: Field) -> Field:
    """Return the pale zone: beside the nucleus, towards the cell's middle."""
    weight = smooth(nucleus, EDGE_UM)
    total = float(weight.sum()) + 1e-6
    cx, cy = float((g.x * weight).sum()) / total, float((g.y * weight).sum()) / total
    reach = float(np.clip(nucleus.max(), 1.0, None))
    size = float(np.hypot(cx, cy)) + 1e-6
    hx, hy = cx - cx / size * reach * 1.15, cy - cy / size * reach * 1.15
    spread = 0.75 * reach
    distance = np.square(g.x - np.float32(hx)) + np.square(g.y - np.float32(hy))
    return np.asarray(np.exp(-distance / np.float32(2 * spread**2)), np.float32)


def _vacuole(g: Grid, body: Field, rng: np.random.Generator) -> Field:
    inside = np.argwhere(body > 0.8)
    if not len(inside):
        return np.zeros(g.shape, np.float32)
    row, column = inside[rng.integers(len(inside))]
    near = np.hypot(g.x - g.x[row, column], g.y - g.y[row, column])
    return smooth(np.float32(rng.uniform(0.35, 0.8)) - near, 0.4)


def _granules(
    g: Grid, kind: Granules, covers: tuple[Field, Field], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return the density of one kind of granule, spread over cytoplasm and nucleus."""
    cover, inside = covers
    chance = cover * (1 - inside * (1 - kind.over_nucleus)) * kind.density * g.mpp**2
    chance *= np.clip(1 + 0.35 * g.noise(3.0, rng), 0, 2)
    hits = rng.poisson(chance).astype(np.float32)
    hits *= rng.uniform(0.5, 1.4, g.shape).astype(np.float32)
    spots = splat(hits, kind.radius / g.mpp)
    if kind.refractile:
        spots = np.clip(
            1.25 * spots - 0.75 * splat(hits, 0.45 * kind.radius / g.mpp), 0, 2
        )
    return _tinted(np.minimum(spots, 1.6) * cover, kind.dye)


def splat(hits: Field, radius_px: float) -> Field:
    """Turn counts a pixel into soft dots of unit height and a radius in pixels."""
    sigma = max(0.75 * radius_px, 0.45)
    return np.asarray(gaussian_filter(hits, sigma) * (2 * np.pi * sigma**2), np.float32)


def _tinted(depth: Field, dye: Dye) -> npt.NDArray[np.float32]:
    return np.asarray(depth[..., None] * np.asarray(dye, np.float32), np.float32)
