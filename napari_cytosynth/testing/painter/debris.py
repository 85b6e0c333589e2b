"""Paints what lies between cells: red cells, platelets, smudges, deposits, fat."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cytosynth.testing.painter.cell import EDGE_UM, Place, Stamp, splat
from napari_cytosynth.testing.painter.dyes import AZURE, HAEM, INK, POLY
from napari_cytosynth.testing.painter.noise import clumps
from napari_cytosynth.testing.painter.shapes import cut, ellipse, grid, smooth, wobble

RED_CELL_UM = (7.3, 0.5)
"""Mean and standard deviation of a red cell's diameter."""


def paint_red_cell(place: Place, rng: np.random.Generator) -> Stamp:
    """Paint a red cell: a soft disc with more or less central pallor."""
    g = grid(place.radius * 1.4 + 1.0 + 2 * place.defocus, place.mpp, place.offset)
    stretch = 1 + abs(rng.normal(0, 0.13))
    turned = g.turned(rng.uniform(0, np.pi)).warped(0.07, 5.0, rng)
    radii = place.radius * stretch**0.5, place.radius / stretch**0.5
    level = cut(g, ellipse(turned, *radii, wobble(0.045, 3, rng)), place.sides)
    cover = smooth(level, 0.6)
    pallor = float(np.clip(rng.normal(0.22, 0.22), 0, 0.75))
    middle = smooth(level - place.radius * rng.uniform(0.35, 0.5), place.radius * 0.5)
    young = rng.random() < 0.03
    dye = np.asarray(POLY if young else HAEM, np.float32) * rng.normal(1.0, 0.08)
    rim = 0.12 * np.exp(-np.square((level - 0.5) / 0.5))
    depth = cover * (1 - pallor * middle + rim + 0.02 * g.noise(2.0, rng))
    density = (depth[..., None] * dye).astype(np.float32)
    if place.defocus > 0:
        sigma = place.defocus / place.mpp
        density = gaussian_filter(density, (sigma, sigma, 0))
        cover = gaussian_filter(cover, sigma)
    return Stamp(density, cover)


def paint_platelet(place: Place, rng: np.random.Generator) -> Stamp:
    """Paint a platelet: a pale scrap with purple grains."""
    g = grid(place.radius * 1.6 + 0.6, place.mpp, place.offset)
    uneven = g.turned(rng.uniform(0, np.pi)).warped(0.16, 1.8, rng)
    stretch = rng.uniform(1.0, 1.6) ** 0.5
    radii = place.radius * stretch, place.radius / stretch
    level = ellipse(uneven, *radii, wobble(0.10, 3, rng))
    cover = smooth(level, 0.7)
    grains = smooth(level - 0.35 * place.radius, place.radius)
    depth = 0.22 * cover + grains * (0.32 + 0.22 * g.noise(0.9, rng))
    density = np.clip(depth, 0, None)[..., None] * np.asarray(AZURE, np.float32)
    return Stamp(density.astype(np.float32), 0.5 * cover)


def paint_smudge(place: Place, rng: np.random.Generator) -> Stamp:
    """Paint a smudge: a burst nucleus, smeared, without cytoplasm."""
    g = grid(place.radius * 1.9 + 1.0, place.mpp, place.offset)
    turned = g.turned(rng.uniform(0, np.pi))
    uneven = turned.warped(0.9, 7.0, rng).warped(0.35, 2.5, rng)
    stretch = rng.uniform(1.1, 1.6) ** 0.5
    radii = place.radius * stretch, place.radius / stretch
    level = ellipse(uneven, *radii, wobble(0.16, 4, rng))
    cover = smooth(level, 1.8)
    strands = 1 + 0.35 * clumps(g.noise(2.2, rng)) + 0.15 * g.noise(1.0, rng)
    depth = cover * np.clip(strands, 0.15, None) * rng.uniform(0.55, 0.8)
    density = depth[..., None] * np.array([0.62, 1.35, 0.42], np.float32)
    return Stamp(density.astype(np.float32), cover)


def paint_deposit(place: Place, rng: np.random.Generator) -> Stamp:
    """Paint precipitated stain: grains, black-purple, sharp, in a loose heap."""
    g = grid(place.radius * 1.8 + 1.0, place.mpp, place.offset)
    level = ellipse(g.warped(0.8, 5.0, rng), place.radius, place.radius, ())
    heap = smooth(level, 2.5)
    grains = rng.poisson(heap * 1.4 * place.mpp**2).astype(np.float32)
    spots = np.minimum(splat(grains, 0.55 / place.mpp), 1.8)
    spots += np.minimum(splat(np.minimum(grains, 1.0), 0.3 / place.mpp), 1.0)
    depth = 0.85 * spots + 0.12 * heap
    density = depth[..., None] * np.asarray(INK, np.float32)
    cover = np.clip(gaussian_filter(spots, 0.5 / place.mpp) * 2, 0, 1) * heap
    return Stamp(density.astype(np.float32), np.asarray(cover, np.float32))


def paint_fat(place: Place, rng: np.random.Generator) -> Stamp:
    """Paint the round hole that a droplet of fat leaves."""
    g = grid(place.radius * 1.3 + 1.0, place.mpp, place.offset)
    level = ellipse(
        g.warped(0.25, 6.0, rng), place.radius, place.radius, wobble(0.1, 3, rng)
    )
    cover = smooth(level, EDGE_UM * 1.5)
    rim = 0.10 * np.exp(-np.square((level + 0.4) / 0.5))
    density = rim[..., None] * np.array([0.8, 1.0, 0.6], np.float32)
    return Stamp(density.astype(np.float32), cover)
