"""Pictures of any kind, and finding them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.ingest import fingerprint, open_smear
from napari_cytosynth.ingest.opening import find_pictures
from napari_cytosynth.ingest.raster import RasterReader
from napari_cytosynth.testing.contracts_ingest import ReaderContract, painted_pixels
from tests.ingest.test_omezarr import write_omezarr
from tests.ingest.test_tiff import opened


class TestPng(ReaderContract):
    def reader(self) -> SmearReader:
        return RasterReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        Image.fromarray(pixels).save(folder / "a.png")
        return folder / "a.png"


class TestJpeg(ReaderContract):
    tolerance = 8

    def reader(self) -> SmearReader:
        return RasterReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        Image.fromarray(pixels).save(folder / "a.jpg", quality=95, subsampling=0)
        return folder / "a.jpg"


class TestBmp(ReaderContract):
    def reader(self) -> SmearReader:
        return RasterReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        Image.fromarray(pixels).save(folder / "a.bmp")
        return folder / "a.bmp"


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_is_scaled_and_said(tmp_path: Path, suffix: str) -> None:
    deep = painted_pixels().astype(np.uint16) * 257
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        import imagecodecs

        path.write_bytes(imagecodecs.png_encode(deep))
    else:
        tifffile.imwrite(path, deep, photometric="rgb")
    image = open_smear(path)
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), painted_pixels())
    assert any("16-bit scaled to 8-bit" in note for note in image.notes)


def test_rgba_is_composited_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((10, 10, 4), np.uint8)
    rgba[:, :5, 3] = 255
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        if name.endswith("png"):
            Image.fromarray(rgba).save(path)
        else:
            tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
        image = open_smear(path)
        got = image.read(0, 0, 10, 10)
        assert (got[:, :5] == 0).all()
        assert (got[:, 5:] == 255).all()
        assert "RGBA composited on white" in image.notes


def test_palette_and_min_is_white(tmp_path: Path) -> None:
    Image.fromarray(painted_pixels()).quantize(16).save(tmp_path / "p.png")
    assert open_smear(tmp_path / "p.png").read(0, 0, 4, 4).shape == (4, 4, 3)
    gray = painted_pixels()[..., 0]
    image = opened(tmp_path / "w.tif", gray, photometric="miniswhite")
    np.testing.assert_array_equal(image.read(0, 0, 128, 96)[..., 0], 255 - gray)


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 5000)])
def test_a_line_of_pixels_is_a_picture(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.fromarray(np.full((*shape, 3), 7, np.uint8)).save(tmp_path / "a.png")
    image = open_smear(tmp_path / "a.png")
    for level in image.levels:
        assert np.asarray(level).shape == level.shape
        assert (np.asarray(level) == 7).all()


def test_one_pixel(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "a.tif"):
        path = tmp_path / name
        Image.fromarray(np.full((1, 1, 3), 7, np.uint8)).save(path)
        image = open_smear(path)
        assert image.smear.width == image.smear.height == 1
        assert (image.read(0, 0, 1, 1) == 7).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a"])
def test_not_an_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("This is no picture.\n")
    with pytest.raises(InputError, match="not a picture"):
        open_smear(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.png.*not there"):
        open_smear(tmp_path / "nowhere.png")


def test_empty_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="is empty: 0 bytes"):
        open_smear(tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder without a Zarr"):
        open_smear(tmp_path / "folder")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (200, 300, 3), np.uint8)
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=name):
        open_smear(path).read(0, 0, 300, 200)


def test_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(painted_pixels()).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"too large for its format: [\d,]+ pixels\."):
        open_smear(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(InputError, match="too large"):
        open_smear(tmp_path / "a.png")


def test_remote_address() -> None:
    with pytest.raises(InputError, match="remote"):
        open_smear("https://example.org/a.zarr")


def test_file_url(tmp_path: Path) -> None:
    path = tmp_path / "a b.png"
    Image.fromarray(painted_pixels()).save(path)
    assert open_smear(path.as_uri()).smear.uri == str(path)


def test_fingerprint_follows_content_not_place(tmp_path: Path) -> None:
    pixels = painted_pixels()
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(pixels).save(first)
    second.write_bytes(first.read_bytes())
    assert fingerprint(first) == fingerprint(second)
    pixels[3, 4] += 1
    Image.fromarray(pixels).save(second)
    assert fingerprint(first) != fingerprint(second)


def test_fingerprint_of_large_file_reads_little(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    first = fingerprint(path)
    with path.open("r+b") as file:
        file.seek(25 << 20)
        file.write(b"other")
    assert fingerprint(path) != first


def test_find_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    Image.fromarray(painted_pixels()).save(tmp_path / "deep" / "b.png")
    Image.fromarray(painted_pixels()).save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("hello")
    write_omezarr(tmp_path / "c.zarr", painted_pixels())
    found = [p.relative_to(tmp_path).as_posix() for p in find_pictures(tmp_path)]
    assert found == ["a.jpg", "c.zarr", "deep/b.png"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no picture"):
        find_pictures(tmp_path / "none")
