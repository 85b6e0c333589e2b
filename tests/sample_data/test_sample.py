import json
from collections import Counter

import numpy as np
import pytest
import zarr
from skimage.draw import polygon2mask

from napari_cytosynth.core.geometry import box_iou
from napari_cytosynth.core.registry import load
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.ingest import calibrate, detect_cells, open_smear
from napari_cytosynth.testing.painter import FieldSpec, paint_field
from napari_cytosynth.testing.painter.make_sample import SEED, SPEC, make_sample
from napari_cytosynth.workflows.sample import sample_smear_path, sample_truth


def test_sample_is_small_and_few_files():
    files = [p for p in sample_smear_path().parent.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 8_000_000
    assert len(files) < 20


def test_sample_is_a_multiscale_ome_zarr_in_micrometres():
    group = zarr.open_group(sample_smear_path(), mode="r")
    multiscale = group.attrs["ome"]["multiscales"][0]
    assert group.attrs["ome"]["version"] == "0.5"
    assert [a["name"] for a in multiscale["axes"]] == ["c", "y", "x"]
    assert multiscale["axes"][1]["unit"] == "micrometer"
    for level, dataset in enumerate(multiscale["datasets"]):
        scale = dataset["coordinateTransformations"][0]["scale"]
        assert scale == [1.0, 0.25 * 2**level, 0.25 * 2**level]
        assert group[dataset["path"]].shape == (3, 2048 >> level, 2560 >> level)


def test_levels_show_the_same_picture():
    group = zarr.open_group(sample_smear_path(), mode="r")
    fine = group["0"][:, 512:1024, 512:1024].reshape(3, 128, 4, 128, 4).mean((2, 4))
    assert np.abs(group["2"][:, 128:256, 128:256] - fine).mean() < 3


def test_truth_holds_enough_cells_of_enough_classes():
    truth = sample_truth()
    taxonomy = built_in("marrow21")
    nucleated = [o for o in truth.objects if o.attributes["nucleated"] == "true"]
    counts = Counter(o.label for o in nucleated)
    assert truth.classes == tuple(kind.code for kind in taxonomy.classes)
    assert len(nucleated) >= 300
    assert len(counts) >= 8
    assert 1 <= counts["BAS"] < counts["EOS"] < counts["NGS"]
    assert 1 <= counts["PLM"] < counts["LYT"]
    for record in truth.objects:
        assert taxonomy[record.label].concept == record.attributes["concept"]


def test_truth_lies_on_the_cells():
    group = zarr.open_group(sample_smear_path(), mode="r")
    green = group["0"][1].astype(float)
    glass = np.median(green)
    for record in sample_truth().objects[::9]:
        x, y, width, height = (int(v) for v in record.box)
        part = green[y : y + height, x : x + width]
        outline = np.array(record.outline)[:, ::-1] - (y + 0.5, x + 0.5)
        inside = part[polygon2mask(part.shape, outline)]
        assert inside.mean() < glass - 25, record


def test_sample_opens_as_a_smear():
    image = open_smear(sample_smear_path())
    smear = image.smear
    assert (smear.width, smear.height, smear.mpp) == (2560, 2048, 0.25)
    assert list(image.downsamples) == [1.0, 2.0, 4.0, 8.0]
    assert image.read(100, 100, 64, 32).shape == (32, 64, 3)
    image.close()


def test_classic_detector_finds_the_painted_cells():
    image = open_smear(sample_smear_path())
    calibration = calibrate(image)
    found = run_to_end(detect_cells(image, load("detectors", "classic")(), calibration))
    cells = [o for o in sample_truth().objects if o.attributes["nucleated"] == "true"]
    overlap = box_iou(np.array([o.box for o in cells]), found.boxes)
    recall = (overlap.max(axis=1) >= 0.5).mean()
    precision = (overlap.max(axis=0) >= 0.5).mean()
    assert calibration.mpp == pytest.approx(0.25)
    assert recall > 0.85
    assert precision > 0.85
    image.close()


def test_the_script_writes_the_same_again(tmp_path):
    spec = FieldSpec(300, 300, cells=8)
    make_sample(tmp_path / "a", spec, seed=3)
    make_sample(tmp_path / "b", spec, seed=3)
    first = {p.relative_to(tmp_path / "a"): p for p in (tmp_path / "a").rglob("*.*")}
    for name, path in first.items():
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    truth = json.loads((tmp_path / "a" / "marrow_truth.json").read_text("utf-8"))
    assert truth["licenses"][0]["name"] == "CC0 1.0"


@pytest.mark.slow
def test_the_script_paints_the_sample_that_is_committed():
    painted = paint_field(SPEC, np.random.default_rng(SEED))
    group = zarr.open_group(sample_smear_path(), mode="r")
    committed = np.moveaxis(group["0"][:], 0, 2).astype(float)
    # Other versions of the libraries may round otherwise, so nearly is enough.
    assert np.abs(committed - painted.pixels).mean() < 2
    truth = sample_truth().objects
    assert [c.concept for c in painted.cells] == [
        o.attributes["concept"] for o in truth
    ]
