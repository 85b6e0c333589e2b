from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.core.smear import SmearImage
from napari_cytosynth.ingest import fingerprint, open_smear
from napari_cytosynth.ingest.omezarr import OmeZarrReader
from napari_cytosynth.ingest.opening import find_pictures
from napari_cytosynth.ingest.raster import RasterReader
from napari_cytosynth.ingest.tiff import TiffReader
from napari_cytosynth.testing.contracts_ingest import ReaderContract, painted_pixels


def write_omezarr(
    path: Path,
    pixels: np.ndarray,
    *,
    axes: str = "cyx",
    version: str = "0.5",
    um: float | None = 0.25,
    unit: str = "micrometer",
) -> Path:
    """Write an OME-Zarr of two levels."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    levels = [pixels, pixels[::2, ::2]]
    datasets = []
    for number, level in enumerate(levels):
        order = {"y": 0, "x": 1, "c": 2}
        data = level.transpose([order[a] for a in axes if a in order])
        shape = tuple(
            data.shape[[a for a in axes if a in order].index(a)] if a in order else 1
            for a in axes
        )
        data = data.reshape(shape)
        group.create_array(
            str(number), data=data, chunks=tuple(min(s, 64) for s in data.shape)
        )
        scale = [(um or 1.0) * 2**number if a in "yx" else 1.0 for a in axes]
        datasets.append(
            {
                "path": str(number),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        )
    kinds = {"t": "time", "c": "channel"}
    described = []
    for a in axes:
        axis = {"name": a, "type": kinds.get(a, "space")}
        if a in "zyx" and um is not None:
            axis["unit"] = unit
        described.append(axis)
    multiscales = [{"axes": described, "datasets": datasets}]
    if version == "0.4":
        group.attrs["multiscales"] = [{**multiscales[0], "version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    return path


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


class TestOmeZarr04(ReaderContract):
    def reader(self) -> SmearReader:
        return OmeZarrReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        return write_omezarr(folder / "a.zarr", pixels, axes="tczyx", version="0.4")


class TestOmeZarr05(ReaderContract):
    def reader(self) -> SmearReader:
        return OmeZarrReader()

    def write(self, folder: Path, pixels: np.ndarray) -> Path:
        return write_omezarr(folder / "a.ome.zarr", pixels)


def opened(path: Path, array: np.ndarray, **options: object) -> SmearImage:
    tifffile.imwrite(path, array, **options)
    return open_smear(path)


@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_omezarr_axes_and_pixel_size(tmp_path: Path, axes: str, version: str) -> None:
    pixels = painted_pixels()
    path = write_omezarr(
        tmp_path / "a.zarr",
        pixels,
        axes=axes,
        version=version,
        um=250,
        unit="nanometer",
    )
    image = open_smear(path)
    assert image.smear.mpp == pytest.approx(0.25)
    assert list(image.downsamples) == [1.0, 2.0]
    np.testing.assert_array_equal(image.read(0, 0, 128, 96), pixels)
    np.testing.assert_array_equal(
        image.read(3, 5, 9, 7, level=1), pixels[10:24:2, 6:24:2]
    )


def test_omezarr_without_unit_has_no_pixel_size(tmp_path: Path) -> None:
    path = write_omezarr(tmp_path / "a.zarr", painted_pixels(), um=None)
    assert open_smear(path).smear.mpp is None


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


def test_conversions_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="napari_cytosynth"):
        opened(tmp_path / "a.tif", painted_pixels()[..., 0])
    assert "a.tif: gray expanded to RGB" in caplog.text


def test_12_bit_in_16(tmp_path: Path) -> None:
    deep = painted_pixels().astype(np.uint16) * 16
    image = opened(tmp_path / "a.tif", deep, photometric="rgb")
    assert image.read(0, 0, 128, 96).max() >= 250
    assert any("12 bits in use" in note for note in image.notes)


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


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 5000)])
def test_a_line_of_pixels_is_a_picture(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.fromarray(np.full((*shape, 3), 7, np.uint8)).save(tmp_path / "a.png")
    image = open_smear(tmp_path / "a.png")
    for level in image.levels:
        assert np.asarray(level).shape == level.shape
        assert (np.asarray(level) == 7).all()


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


def test_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(painted_pixels()).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"too large for its format: [\d,]+ pixels\."):
        open_smear(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(InputError, match="too large"):
        open_smear(tmp_path / "a.png")


def test_tiff_that_declares_a_huge_strip(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, painted_pixels(), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tif.pages[0].tags[tag].overwrite(60_000)
    with pytest.raises(InputError, match=r"a\.tif"):
        open_smear(path)


def test_zarr_without_picture(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(InputError, match="no Zarr group"):
        open_smear(tmp_path / "empty.zarr")
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    with pytest.raises(InputError, match="without a picture"):
        open_smear(tmp_path / "group.zarr")
    zarr.create_array(tmp_path / "bare.zarr", data=painted_pixels())
    with pytest.raises(InputError, match="bare array"):
        open_smear(tmp_path / "bare.zarr")


class Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize(
    "change",
    [
        {
            "dtype": "|O",
            "filters": [{"id": "vlen-utf8"}],
            "compressor": {"id": "pickle", "protocol": 5},
        },
        {"filters": [{"id": "pickle", "protocol": 5}], "compressor": None},
        {"dtype": "|O", "filters": [{"id": "vlen-utf8"}], "compressor": None},
    ],
)
def test_a_zarr_picture_cannot_run_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    # As older releases of it do; they have no such switch.
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True)
    path, target = tmp_path / "a.zarr", tmp_path / "done"
    write_omezarr(path, painted_pixels(), version="0.4")
    for level in (path / "0", path / "1"):
        described = json.loads((level / ".zarray").read_text())
        (level / ".zarray").write_text(json.dumps(described | change))
        for chunk in (p for p in level.iterdir() if p.name[0] != "."):
            chunk.write_bytes(pickle.dumps(Harmful(target)))
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_smear(path)
    assert not target.exists()


def test_zarr_with_missing_level(tmp_path: Path) -> None:
    path = write_omezarr(tmp_path / "a.zarr", painted_pixels())
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = "nowhere"
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_smear(path)


def test_zarr_with_damaged_chunk(tmp_path: Path) -> None:
    path = write_omezarr(tmp_path / "a.zarr", painted_pixels())
    chunk = max(p for p in (path / "0" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:5])
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_smear(path).read(0, 0, 128, 96)


def test_zarr_without_pixels(tmp_path: Path) -> None:
    path = write_omezarr(tmp_path / "a.zarr", painted_pixels()[:0])
    with pytest.raises(InputError, match="no pixels"):
        open_smear(path)


@pytest.mark.parametrize(
    "change",
    [
        {"axes": 5},
        {"axes": [{"type": "space"}] * 3},
        {"datasets": ["0"]},
        {"datasets": [{"path": "0", "coordinateTransformations": ["scale"]}]},
        {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale"}]}]},
        {
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}],
                }
            ]
        },
    ],
)
def test_zarr_with_metadata_of_another_form(
    tmp_path: Path, change: dict[str, object]
) -> None:
    path = write_omezarr(tmp_path / "a.zarr", painted_pixels())
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["ome"]["multiscales"][0] |= change
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_smear(path)
    metadata["attributes"]["ome"]["multiscales"] = "none"
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"a\.zarr"):
        open_smear(path)


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


def test_fingerprint_of_zarr(tmp_path: Path) -> None:
    pixels = painted_pixels()
    first = write_omezarr(tmp_path / "a.zarr", pixels)
    second = write_omezarr(tmp_path / "b.zarr", pixels)
    assert fingerprint(first) == fingerprint(second)
    third = write_omezarr(tmp_path / "c.zarr", 255 - pixels)
    assert fingerprint(first) != fingerprint(third)


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


def test_developer_rgba_tiff(developer_data: Path) -> None:
    path = min((developer_data / "classification" / "aml_lmu").glob("*.tiff"))
    image = open_smear(path)
    assert image.levels[0].shape == (400, 400, 3)
    assert "RGBA composited on white" in image.notes
