"""TIFF pictures: colours, bits, pyramids, pixel sizes, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.core.smear import SmearImage
from napari_cytosynth.ingest import cut_crops, open_smear
from napari_cytosynth.ingest.tiff import TiffReader
from napari_cytosynth.testing.contracts_ingest import ReaderContract, painted_pixels


class TestTiff(ReaderContract):
    def reader(self) -> SmearReader:
        return TiffReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb")
        return folder / "a.tif"


class TestTiledOmeTiff(ReaderContract):
    def reader(self) -> SmearReader:
        return TiffReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        path = folder / "a.ome.tif"
        options = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
        with tifffile.TiffWriter(path, ome=True) as writer:
            metadata = {
                "axes": "YXS",
                "PhysicalSizeX": 250.0,
                "PhysicalSizeXUnit": "nm",
                "PhysicalSizeY": 250.0,
                "PhysicalSizeYUnit": "nm",
            }
            writer.write(pixels, subifds=1, metadata=metadata, **options)
            writer.write(pixels[::2, ::2], subfiletype=1, **options)
        return path

    def test_pixel_size_and_pyramid(self, path: Path) -> None:
        image = self.opened(path)
        assert image.smear.mpp == pytest.approx(0.25)
        assert list(image.downsamples) == [1.0, 2.0]
        image.close()


def opened(path: Path, array: np.ndarray, **options: object) -> SmearImage:
    tifffile.imwrite(path, array, **options)
    return open_smear(path)


def test_tiff_resolution_tags(tmp_path: Path) -> None:
    pixels = painted_pixels()
    options = {"photometric": "rgb", "resolutionunit": "CENTIMETER"}
    image = opened(tmp_path / "a.tif", pixels, resolution=(40_000, 40_000), **options)
    assert image.smear.mpp == pytest.approx(0.25)
    image = opened(tmp_path / "b.tif", pixels, resolution=(28, 28), **options)
    assert image.smear.mpp is None  # 357 um: a screen's, not a microscope's


def test_imagej_pixel_size(tmp_path: Path) -> None:
    image = opened(
        tmp_path / "a.tif",
        painted_pixels(),
        imagej=True,
        resolution=(5.0, 5.0),
        metadata={"unit": "micron", "axes": "YXS"},
    )
    assert image.smear.mpp == pytest.approx(0.2)


def test_12_bit_in_16(tmp_path: Path) -> None:
    deep = painted_pixels().astype(np.uint16) * 16
    image = opened(tmp_path / "a.tif", deep, photometric="rgb")
    assert image.read(0, 0, 128, 96).max() >= 250
    assert any("12 bits in use" in note for note in image.notes)


def test_conversions_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="napari_cytosynth"):
        opened(tmp_path / "a.tif", painted_pixels()[..., 0])
    assert "a.tif: gray expanded to RGB" in caplog.text


def test_planar_and_channel_axes(tmp_path: Path) -> None:
    pixels = painted_pixels()
    planar = pixels.transpose(2, 0, 1)
    image = opened(
        tmp_path / "a.tif", planar, photometric="rgb", planarconfig="separate"
    )
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), pixels)
    image = opened(
        tmp_path / "b.ome.tif",
        planar,
        photometric="minisblack",
        metadata={"axes": "CYX"},
    )
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), pixels)


def test_alpha_is_not_inverted(tmp_path: Path) -> None:
    gray = np.full((10, 10, 2), 40, np.uint8)
    gray[..., 1] = 255
    image = opened(
        tmp_path / "w.tif",
        gray,
        photometric="miniswhite",
        planarconfig="contig",
        extrasamples=["unassalpha"],
    )
    assert (image.read(0, 0, 10, 10) == 255 - 40).all()


def test_colours_stored_as_ycbcr_are_those_of_rgb(tmp_path: Path) -> None:
    pixels = painted_pixels()
    stored = Image.fromarray(pixels).convert("YCbCr")
    mixed, wanted = np.asarray(stored), np.asarray(stored.convert("RGB"), int)
    for name, options in {
        "plain": {"photometric": "ycbcr"},
        "zipped": {"photometric": "ycbcr", "compression": "zlib", "tile": (32, 32)},
        # As Aperio's scanners write it: nothing but the compression tells.
        "aperio": {
            "photometric": "rgb",
            "compression": "APERIO_JP2000_YCBC",
            "tile": (32, 32),
        },
    }.items():
        image = opened(tmp_path / f"{name}.tif", mixed, **options)
        got = image.read(0, 0, 128, 96)
        assert np.abs(got - wanted).max() <= 1, name
        assert "YCbCr colours converted to RGB" in image.notes
    jpeg = opened(
        tmp_path / "jpeg.tif",
        pixels,
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": 95},
    )
    assert np.abs(jpeg.read(0, 0, 128, 96).astype(int) - pixels).mean() < 3


def test_four_inks_become_rgb(tmp_path: Path) -> None:
    pixels = painted_pixels()
    inks = np.asarray(Image.fromarray(pixels).convert("CMYK"))
    image = opened(tmp_path / "a.tif", inks, photometric="separated")
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), pixels)
    assert "CMYK colours converted to RGB" in image.notes


@pytest.mark.parametrize(
    ("kind", "dtype"), [("cielab", np.uint8), ("ycbcr", np.uint16)]
)
def test_colours_that_are_not_known_are_refused(
    tmp_path: Path, kind: str, dtype: type
) -> None:
    with pytest.raises(InputError, match=rf"a\.tif.*{kind.upper()}.*save it as RGB"):
        opened(tmp_path / "a.tif", painted_pixels().astype(dtype), photometric=kind)


@pytest.mark.parametrize("text", ["Aperio|MPP = 0.25.", "MPP=0.25|AppMag = 40"])
def test_pixel_size_in_a_vendors_text(tmp_path: Path, text: str) -> None:
    image = opened(
        tmp_path / "a.tif", painted_pixels(), photometric="rgb", description=text
    )
    assert image.smear.mpp == 0.25


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><OME><Pixels PhysicalSizeX="0.2"></OME>',
        '<?xml version="1.0"?><OME><Image><Pixels DimensionOrder="XYCZT" Type="uint8" '
        'SizeX="128" SizeY="96" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="wide">'
        "<TiffData/></Pixels></Image></OME>",
    ],
)
def test_a_broken_pixel_size_is_said_and_the_picture_is_read(
    tmp_path: Path, text: str
) -> None:
    image = opened(
        tmp_path / "a.tif",
        painted_pixels(),
        photometric="rgb",
        description=text,
        metadata=None,
        resolution=(40_000, 40_000),
        resolutionunit="CENTIMETER",
    )
    assert image.smear.mpp == pytest.approx(0.25)
    assert any("pixel size not read" in note for note in image.notes)
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), painted_pixels())


def test_float_pictures(tmp_path: Path) -> None:
    shares = painted_pixels().astype(np.float32) / 255
    image = opened(tmp_path / "a.tif", shares, photometric="rgb")
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), painted_pixels())
    shares[50, 60] = np.nan
    with pytest.raises(InputError, match=r"b\.tif.*not numbers"):
        opened(tmp_path / "b.tif", shares, photometric="rgb").read(0, 0, 128, 96)


def test_single_level_gets_coarser_levels(tmp_path: Path) -> None:
    pixels = np.tile(painted_pixels(), (12, 20, 1))
    image = opened(tmp_path / "a.tif", pixels, photometric="rgb", tile=(256, 256))
    assert list(image.downsamples) == [1.0, 2.0, 4.0]
    blocks = pixels.reshape(576, 2, 1280, 2, 3).astype(int).sum(axis=(1, 3))
    np.testing.assert_array_equal(np.asarray(image.levels[1]), (blocks + 2) // 4)
    window = np.asarray(image.levels[1])[100:130, 200:250]
    np.testing.assert_array_equal(image.read(200, 100, 50, 30, level=1), window)


@pytest.mark.parametrize(
    ("size", "factor"), [((997, 1201), 2), ((997, 1201), 4), ((900, 1203), 3)]
)
def test_a_level_of_rounded_size_is_not_stretched(
    tmp_path: Path, size: tuple[int, int], factor: int
) -> None:
    """What lies at the far end is found there, whichever level is read."""
    height, width = (n // factor for n in size)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    far = size[1] - 50.0 * factor, size[0] - 50.0 * factor
    dark = np.hypot(x - far[0], y - far[1]) < 12 * factor
    pixels = np.where(dark[..., None], np.uint8(30), np.uint8(230)).repeat(3, axis=2)
    cut = pixels[: height * factor, : width * factor]
    blocks = cut.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1, photometric="rgb", tile=(256, 256))
        small = blocks.astype(np.uint8)
        writer.write(small, subfiletype=1, photometric="rgb", tile=(256, 256))
    image = open_smear(path)
    assert image.downsamples[1] == factor
    box = [[far[0] - 5, far[1] - 5, 10, 10]]
    crop = 230.0 - cut_crops(image, box, 0.25 / factor)[0, ..., 0]
    row, column = np.mgrid[:96, :96] + 0.5
    centre = (crop * column).sum() / crop.sum(), (crop * row).sum() / crop.sum()
    assert centre == pytest.approx((48, 48), abs=0.1)


def test_truncated_tiled_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (512, 512, 3), np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(128, 128))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 5000])
    with pytest.raises(InputError, match=r"a\.tif.*truncated"):
        open_smear(path)


def test_damaged_tile_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.tile(painted_pixels(), (4, 4, 1)),
        photometric="rgb",
        tile=(64, 64),
        compression="zlib",
    )
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 40] = bytes(40)
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"a\.tif"):
        open_smear(path).read(0, 0, 64, 64)


def test_first_of_many_pages_is_said(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([painted_pixels()] * 3))
    image = open_smear(tmp_path / "a.tif")
    assert image.notes == ("one of 3 pictures taken",)
    image.close()


def test_tiff_that_declares_a_huge_strip(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, painted_pixels(), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tif.pages[0].tags[tag].overwrite(60_000)
    with pytest.raises(InputError, match=r"a\.tif"):
        open_smear(path)


def test_developer_rgba_tiff(developer_data: Path) -> None:
    path = min((developer_data / "classification" / "aml_lmu").glob("*.tiff"))
    image = open_smear(path)
    assert image.levels[0].shape == (400, 400, 3)
    assert "RGBA composited on white" in image.notes
