"""OME-Zarr pictures: axes, scales, damage, and what a stranger's metadata may do."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import SmearReader
from napari_cytosynth.ingest import fingerprint, open_smear
from napari_cytosynth.ingest.omezarr import OmeZarrReader
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


def test_fingerprint_of_zarr(tmp_path: Path) -> None:
    pixels = painted_pixels()
    first = write_omezarr(tmp_path / "a.zarr", pixels)
    second = write_omezarr(tmp_path / "b.zarr", pixels)
    assert fingerprint(first) == fingerprint(second)
    third = write_omezarr(tmp_path / "c.zarr", 255 - pixels)
    assert fingerprint(first) != fingerprint(third)
