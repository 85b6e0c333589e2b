"""What the source says of itself appears in no exported byte.

Strings are planted wherever a picture, its folder or the project can say something: in
names, TIFF tags, EXIF, ICC profiles, PNG text, OME-XML, OME-Zarr attributes, JPEG
comments, patients' names, readers' names and remarks.
"""

from __future__ import annotations

import io
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from napari_cytosynth.cli import main
from napari_cytosynth.core.journal import Author
from napari_cytosynth.core.provenance import Status
from napari_cytosynth.core.registry import names
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import create_project
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.workflows.detect import add_cell, add_smear
from napari_cytosynth.workflows.embed import embed_cells
from napari_cytosynth.workflows.fill_jobs import Ask
from napari_cytosynth.workflows.review import judge
from napari_cytosynth.workflows.synthesize import fill
from tests.ingest.test_omezarr import write_omezarr
from tests.workflows.canaries import found_in, views_of

FILE = "KanarieDatei"
"""Planted in the names of pictures: label files name the picture that they are of."""

READER = "KanarieLeserin Güneş"
"""Planted as the reader's name: label files tell who labelled."""

HIDDEN = {
    *("KanarieOrdner", "KanarieProjekt", "KanariePatient Müller", "KanarieBemerkung"),
    *("KanarieText", "KanarieZipText", "KanarieIText", "KanarieExif", "KanarieIcc"),
    *("KanarieJpegKommentar", "KanarieXmp", "KanarieArtist", "KanarieBeschreibung"),
    *("KanarieHost", "KanarieDokument", "KanariePrivatTag", "KanarieOmeXml"),
    *("KanarieZarrAttribut", "KanarieZarrName"),
}
"""Planted everywhere else."""


def field(seed: int) -> np.ndarray:
    """A cell on glass, uint8[200, 200, 3]."""
    rng = np.random.default_rng(seed)
    picture = np.full((200, 200, 3), (232, 226, 230), np.float64)
    y, x = np.mgrid[:200, :200]
    away = np.hypot(x - 100, y - 100)
    picture[away < 30] = (190, 160, 200)
    picture[away < 20] = (90, 40, 130)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def exif(word: str) -> bytes:
    told = Image.Exif()
    told[0x013B], told[0x010E], told[0x9286] = word, word, word.encode("utf-16-le")
    return told.tobytes()


def profile() -> bytes:
    """An ICC profile whose description, of the same length, is a canary."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for encoding in ("utf-16-be", "ascii"):
        old, new = "sRGB built-in".encode(encoding), "KanarieIcc   ".encode(encoding)
        data = data.replace(old, new)
    assert "KanarieIcc".encode("utf-16-be") in data or b"KanarieIcc" in data
    return data


def write_png(path: Path, pixels: np.ndarray) -> Path:
    info = PngInfo()
    info.add_text("Comment", "KanarieText")
    info.add_text("Source", "KanarieZipText", zip=True)
    info.add_itxt("Title", "KanarieIText", "de", "Titel")
    Image.fromarray(pixels).save(
        path, pnginfo=info, exif=exif("KanarieExif"), icc_profile=profile()
    )
    return path


def write_jpeg(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(
        path,
        quality=95,
        comment=b"KanarieJpegKommentar",
        exif=exif("KanarieExif"),
        icc_profile=profile(),
        xmp=b"<x:xmpmeta>KanarieXmp</x:xmpmeta>",
    )
    return path


def write_tiff(path: Path, pixels: np.ndarray) -> Path:
    tags = [(315, "KanarieArtist"), (316, "KanarieHost"), (269, "KanarieDokument")]
    extra = [(code, "s", 0, word, True) for code, word in tags]
    extra.append((65000, "s", 0, "KanariePrivatTag", True))
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression="zlib",
        description="KanarieBeschreibung",
        metadata=None,
        extratags=extra,
    )
    return path


def write_ometiff(path: Path, pixels: np.ndarray) -> Path:
    told = {"axes": "YXS", "Name": "KanarieOmeXml", "Description": "KanarieOmeXml"}
    tifffile.imwrite(path, pixels, photometric="rgb", ome=True, metadata=told)
    return path


def write_zarr(path: Path, pixels: np.ndarray) -> Path:
    write_omezarr(path, pixels)
    group = zarr.open_group(path, mode="r+")
    group.attrs["patient"] = "KanarieZarrAttribut"
    ome = dict(group.attrs["ome"])
    ome["multiscales"] = [{**ome["multiscales"][0], "name": "KanarieZarrName"}]
    group.attrs["ome"] = ome
    return path


SOURCES: dict[str, Callable[[Path, np.ndarray], Path]] = {
    f"{FILE}1.png": write_png,
    f"{FILE}2.jpg": write_jpeg,
    f"{FILE}3.tif": write_tiff,
    f"{FILE}4.ome.tif": write_ometiff,
    f"{FILE}5.ome.zarr": write_zarr,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smears") / "KanarieOrdner"
    folder.mkdir()
    for seed, (name, write) in enumerate(SOURCES.items()):
        write(folder / name, field(seed))
    return folder


@pytest.fixture(scope="module")
def project(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled cells of all these pictures, remarks on them, and what fills made."""
    path = tmp_path_factory.mktemp("projects") / "KanarieProjekt.cytosynth"
    made, author = create_project(path, built_in("pbc11")), Author(READER)
    for number, name in enumerate(SOURCES):
        patient = f"KanariePatient Müller {number}"
        smear = add_smear(made, sources / name, group=patient, mpp=0.25)
        cell = add_cell(made, smear.id, 100, 100, author)
        made.record(author.label(cell, ("BA", "EO")[number % 2]))
        made.record(author.comment(cell, "KanarieBemerkung"))
    compute = FakeCompute()
    run_to_end(embed_cells(made, compute))
    run_to_end(fill(made, compute, Ask("BA", 4)))
    for cell in made.add_synthetic(tiny_synthetic(made.taxonomy, "EO", 2)):
        judge(made, cell, True, author)
    for cell in made.synthetic("BA", Status.PROPOSED):
        judge(made, cell, True, author)
    made.close()
    return path


def test_all_canaries_are_in_the_sources(sources: Path, project: Path) -> None:
    there = {word for _, word in found_in(sources.parent, HIDDEN)}
    inside = {word for _, word in found_in(project.parent, [*HIDDEN, READER])}
    assert there | inside == {*HIDDEN, READER}


def exported(project: Path, out: Path, *options: str) -> Path:
    out.mkdir()
    assert main(["export", str(project), str(out / "given"), *options]) == 0
    assert any(path.is_file() for path in out.rglob("*"))
    return out


@pytest.mark.parametrize("more", [(), ("--real", "--yes")])
def test_no_canary_leaves_in_a_data_set(
    project: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    out = exported(project, tmp_path / "out", "--format", "croissant", *more)
    assert len(list(out.rglob("real/*/*.png"))) == (5 if more else 0)
    assert len(list(out.rglob("synthetic/train/*.png"))) >= 2
    assert found_in(out, [*HIDDEN, FILE, READER]) == set()


@pytest.mark.parametrize("name", names("formats"))
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_label_files_hold_the_names_of_pictures_and_readers_and_no_other_canary(
    project: Path, tmp_path: Path, name: str, kind: str
) -> None:
    options = ("--format", name, "--include-synthetic", "--pictures", kind)
    out = exported(project, tmp_path / "out", *options)
    assert list(out.rglob(f"*.{kind}"))
    assert {word for _, word in found_in(out, [*HIDDEN, FILE])} == {FILE}


def test_no_canary_leaves_in_generators(project: Path, tmp_path: Path) -> None:
    out = exported(project, tmp_path / "out", "--models", "--include-adapter", "--yes")
    assert list(out.rglob("*.safetensors"))
    assert found_in(out, [*HIDDEN, FILE, READER]) == set()


def test_no_canary_leaves_in_a_report(project: Path, tmp_path: Path) -> None:
    own, out = tmp_path / "KanarieProjekt.cytosynth", tmp_path / "out"
    shutil.copytree(project, own)
    out.mkdir()
    options = ("--embedder", "morphology", "--out", str(out / "report.html"))
    assert main(["evaluate", str(own), *options]) == 0
    assert (out / "report.html").is_file()
    assert found_in(out, [*HIDDEN, FILE, READER]) == set()


def hidden_ways() -> dict[str, bytes]:
    """A canary as each kind of file may hide it."""
    word = "KanarieÖ"
    pixels = np.zeros((4, 16, 3), np.uint8)
    flat = pixels.reshape(-1)
    flat[: len(word.encode())] = np.frombuffer(word.encode(), np.uint8)
    ways = {
        "plain": word.encode(),
        "utf16": word.encode("utf-16-le"),
        "big": b"x" + word.encode("utf-16-be"),
        "latin": word.encode("latin-1"),
        "upper": word.upper().encode(),
        "zlib": b"head" + zlib.compress(word.encode()),
        "escaped.json": json.dumps({"a": [word]}).encode(),
        "nested.jsonl": json.dumps({"a": json.dumps({"b": word})}).encode() + b"\n",
    }
    assert word.encode() not in ways["nested.jsonl"]
    for kind in ("png", "tiff"):
        data = io.BytesIO()
        Image.fromarray(pixels).save(
            data, kind, **({"compression": "tiff_lzw"} if kind == "tiff" else {})
        )
        ways[f"pixels.{kind}"] = data.getvalue()
    return ways


@pytest.mark.parametrize("way", hidden_ways())
def test_the_search_finds_what_is_hidden(tmp_path: Path, way: str) -> None:
    (tmp_path / way).write_bytes(hidden_ways()[way])
    assert found_in(tmp_path, ["KanarieÖ"]) == {(way, "KanarieÖ")}
    assert found_in(tmp_path, ["KanarieÄ"]) == set()


def test_the_search_finds_names(tmp_path: Path) -> None:
    (tmp_path / "KanarieName").mkdir()
    assert found_in(tmp_path, ["KanarieName"]) == {("KanarieName", "KanarieName")}
    assert list(views_of(b"")) == [b""]
