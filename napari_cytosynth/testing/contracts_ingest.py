"""What every smear reader and every detector must do. Inherit and give ``make``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.protocols import Detector, SmearReader
from napari_cytosynth.core.smear import Calibration, MppSource, SmearImage


def digest_of(path: Path) -> str:
    """Return a hash of a file, or of all files below a folder, times left out."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode())
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def painted_pixels(height: int = 96, width: int = 128) -> npt.NDArray[np.uint8]:
    """Return uint8[height, width, 3] in which every place has its own colour."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(
        np.uint8
    )


class ReaderContract:
    """Tests of a :class:`~napari_cytosynth.core.protocols.SmearReader`.

    Subclasses implement :meth:`reader` and :meth:`write`; where a format loses colour,
    they set ``tolerance``.
    """

    tolerance = 0

    def reader(self) -> SmearReader:
        """Return the reader under test."""
        raise NotImplementedError

    def write(self, folder: Path, pixels: npt.NDArray[np.uint8]) -> Path:
        """Write ``pixels`` in the reader's format and return where."""
        raise NotImplementedError

    @pytest.fixture
    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return what is in the file."""
        return painted_pixels()

    @pytest.fixture
    def path(self, tmp_path: Path, pixels: npt.NDArray[np.uint8]) -> Path:
        """Return where the file is."""
        return self.write(tmp_path, pixels)

    def opened(self, path: Path) -> SmearImage:
        """Open the file with the reader under test."""
        return self.reader().open(str(path))

    def test_knows_its_own_files(self, path: Path) -> None:
        assert self.reader().can_read(str(path))

    def test_refuses_text_whatever_its_name(self, path: Path, tmp_path: Path) -> None:
        text = tmp_path / ("text" + (path.suffix or ".png"))
        text.write_text("This is no picture.")
        assert not self.reader().can_read(str(text))

    def test_missing_file_is_not_its_own(self, tmp_path: Path) -> None:
        assert not self.reader().can_read(str(tmp_path / "missing.png"))

    def test_pixels_come_back(self, path: Path, pixels: npt.NDArray[np.uint8]) -> None:
        image = self.opened(path)
        height, width = pixels.shape[:2]
        got = image.read(0, 0, width, height)
        assert got.dtype == np.uint8
        assert np.abs(got.astype(int) - pixels).mean() <= self.tolerance
        assert (image.smear.width, image.smear.height) == (width, height)
        image.close()

    def test_white_outside(self, path: Path, pixels: npt.NDArray[np.uint8]) -> None:
        image = self.opened(path)
        height, width = pixels.shape[:2]
        got = image.read(-3, -2, width + 7, height + 5)
        assert got.shape == (height + 5, width + 7, 3)
        assert (got[:2] == 255).all()
        assert (got[:, :3] == 255).all()
        assert (got[height + 2 :] == 255).all()
        np.testing.assert_array_equal(
            got[2 : height + 2, 3 : width + 3], image.read(0, 0, width, height)
        )
        image.close()

    def test_slices_like_an_array(self, path: Path) -> None:
        image = self.opened(path)
        whole = np.asarray(image.levels[0])
        assert whole.shape == image.levels[0].shape
        np.testing.assert_array_equal(image.levels[0][5:9, 3:11], whole[5:9, 3:11])
        np.testing.assert_array_equal(image.levels[0][7], whole[7])
        np.testing.assert_array_equal(image.levels[0][..., 1], whole[..., 1])
        image.close()

    def test_levels_are_finest_first(self, path: Path) -> None:
        image = self.opened(path)
        assert image.downsamples[0] == 1.0
        assert list(image.downsamples) == sorted(image.downsamples)
        for level, downsample in zip(image.levels, image.downsamples, strict=True):
            assert level.shape[1] == pytest.approx(
                image.smear.width / downsample, abs=1
            )
        image.close()

    def test_never_writes(self, path: Path) -> None:
        before = digest_of(path)
        image = self.opened(path)
        np.asarray(image.levels[-1])
        image.close()
        image.close()
        assert digest_of(path) == before


class DetectorContract:
    """Tests of a :class:`~napari_cytosynth.core.protocols.Detector`.

    Subclasses implement :meth:`make`.
    """

    def make(self) -> Detector:
        """Return the detector under test."""
        raise NotImplementedError

    @pytest.fixture
    def calibration(self) -> Calibration:
        """Return the calibration of the tiles below."""
        return Calibration(
            mpp=0.4,
            mpp_source=MppSource.USER,
            background=(240.0, 235.0, 230.0),
            stain_vectors=((0.45, 0.87, 0.18), (0.30, 0.72, 0.62)),
            thresholds={"level": 0.8, "nucleus": 0.36, "cytoplasm": 0.06, "red": 0.06},
            confidence=1.0,
        )

    def detected(
        self, tile: npt.NDArray[np.uint8], calibration: Calibration
    ) -> Detections:
        """Run the detector under test."""
        return self.make().detect(tile, calibration)

    def test_nothing_on_glass(self, calibration: Calibration) -> None:
        glass = np.full((120, 150, 3), (240, 235, 230), np.uint8)
        assert len(self.detected(glass, calibration)) == 0

    @pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 3)])
    def test_tiny_tiles(self, shape: tuple[int, int], calibration: Calibration) -> None:
        tile = np.full((*shape, 3), (90, 40, 130), np.uint8)
        assert len(self.detected(tile, calibration)) <= 1

    def test_boxes_lie_in_the_tile(self, calibration: Calibration) -> None:
        tile = disc_tile()
        found = self.detected(tile, calibration)
        assert len(found) >= 1
        assert (found.boxes[:, :2] >= 0).all()
        assert (found.boxes[:, 0] + found.boxes[:, 2] <= tile.shape[1]).all()
        assert (found.boxes[:, 1] + found.boxes[:, 3] <= tile.shape[0]).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()

    def test_outlines_fill_their_boxes(self, calibration: Calibration) -> None:
        found = self.detected(disc_tile(), calibration)
        for outline, (x, y, width, height) in zip(
            found.outlines, found.boxes, strict=True
        ):
            assert len(outline) >= 3
            np.testing.assert_allclose(outline.min(axis=0), [x, y], atol=1)
            np.testing.assert_allclose(
                outline.max(axis=0), [x + width, y + height], atol=1
            )

    def test_same_tile_same_cells(self, calibration: Calibration) -> None:
        first = self.detected(disc_tile(), calibration)
        second = self.detected(disc_tile(), calibration)
        np.testing.assert_array_equal(first.boxes, second.boxes)
        np.testing.assert_array_equal(first.scores, second.scores)

    def test_tile_is_left_alone(self, calibration: Calibration) -> None:
        tile = disc_tile()
        before = tile.copy()
        self.detected(tile, calibration)
        np.testing.assert_array_equal(tile, before)


def disc_tile() -> npt.NDArray[np.uint8]:
    """Return uint8[140, 160, 3]: two round cells of 10 um at 0.4 um a pixel."""
    tile = np.full((140, 160, 3), (240, 235, 230), np.uint8)
    y, x = np.mgrid[:140, :160]
    for cy, cx in ((50, 40), (95, 115)):
        away = np.hypot(y - cy, x - cx)
        tile[away < 13] = (185, 165, 205)
        tile[away < 9] = (90, 40, 150)
    return tile
