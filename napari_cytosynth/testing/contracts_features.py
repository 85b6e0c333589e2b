"""What every embedder promises; inherit, and give :meth:`EmbedderContract.make`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from napari_cytosynth.core.cells import CROP_PIXELS
from napari_cytosynth.core.protocols import Crops, Embedder
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.testing.tiny import tiny_crops

_EDGE_CASES = ("white", "black", "one grey", "noise", "dot in a corner")


class EmbedderContract(ABC):
    """Tests for an :class:`~napari_cytosynth.core.protocols.Embedder`.

    Attributes
    ----------
    invariant : bool
        True if a quarter turn or a flip leaves the vector as it was.
    told_apart : float
        Share of painted classes that must be recognised, 0..1. Paint differs mostly in
        hue: an embedder that looks past stain may ask for less.
    """

    invariant = False
    told_apart = 0.7

    @abstractmethod
    def make(self) -> Embedder:
        """Return a fresh embedder."""

    def crops(self) -> Crops:
        """Return painted cells of all classes: uint8[n, 96, 96, 3]."""
        taxonomy = built_in("pbc11")
        codes = list(taxonomy.cell_codes) * 2
        return tiny_crops(taxonomy, codes, np.random.default_rng(0))

    def test_is_an_embedder(self) -> None:
        """It has what the protocol names."""
        made = self.make()
        assert isinstance(made, Embedder)
        assert made.key
        assert made.dim > 0

    def test_shape_and_type(self) -> None:
        """One finite float32 row of ``dim`` numbers a crop."""
        made, crops = self.make(), self.crops()
        vectors = made.embed(crops)
        assert vectors.shape == (len(crops), made.dim)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()

    def test_no_crops(self) -> None:
        """No crops give no rows, and still ``dim`` columns."""
        made = self.make()
        assert made.embed(self.crops()[:0]).shape == (0, made.dim)

    def test_any_pixels_give_finite_numbers(self) -> None:
        """Blank, black, flat and noisy crops are no reason to fail."""
        assert np.isfinite(self.make().embed(_odd_crops())).all()

    def test_same_crop_same_vector(self) -> None:
        """Two embedders agree, and neither writes to its input."""
        crops = self.crops()
        before = crops.copy()
        np.testing.assert_array_equal(
            self.make().embed(crops), self.make().embed(crops)
        )
        np.testing.assert_array_equal(crops, before)

    def test_batch_does_not_matter(self) -> None:
        """A crop's vector does not depend on the crops beside it."""
        made, crops = self.make(), self.crops()
        alone = np.concatenate([made.embed(crops[i : i + 1]) for i in range(4)])
        np.testing.assert_allclose(alone, made.embed(crops)[:4], rtol=1e-3, atol=1e-4)

    def test_key_is_a_fingerprint(self) -> None:
        """The key is the same in every process, and no path or time."""
        assert self.make().key == self.make().key
        assert not set(self.make().key) & set("/\\ \n")

    def test_classes_differ(self) -> None:
        """Cells of one class lie nearer to each other than to others."""
        vectors = self.make().embed(self.crops()).astype(np.float64)
        spread = vectors.std(axis=0)
        scaled = vectors / np.where(spread > 1e-9, spread, np.inf)
        half = len(scaled) // 2
        gaps = np.linalg.norm(scaled[:half, None] - scaled[None, half:], axis=2)
        assert (gaps.argmin(axis=1) == np.arange(half)).mean() > self.told_apart

    def test_turned_and_flipped(self) -> None:
        """Where it says so, a quarter turn or a flip changes nothing."""
        if not self.invariant:
            return
        made, crops = self.make(), self.crops()
        straight = made.embed(crops)
        scale = straight.std(axis=0) + 1e-6
        for other in (np.rot90(crops, axes=(1, 2)), crops[:, ::-1], crops[:, :, ::-1]):
            moved = made.embed(np.ascontiguousarray(other))
            assert (np.abs(moved - straight) / scale).max() < 0.02


def _odd_crops() -> Crops:
    shape = (len(_EDGE_CASES), CROP_PIXELS, CROP_PIXELS, 3)
    crops = np.full(shape, 255, np.uint8)
    crops[1] = 0
    crops[2] = 128
    crops[3] = np.random.default_rng(0).integers(0, 256, shape[1:], np.uint8)
    crops[4, :3, :3] = 20
    return crops
