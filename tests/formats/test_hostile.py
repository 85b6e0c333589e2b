"""Files made to hurt, and files made carelessly: refused, with the place named."""

import json
import os
from pathlib import Path

import pytest

from napari_cytosynth.core.errors import FormatError, StorageError
from napari_cytosynth.core.protocols import ImageRecord, ObjectRecord, Records
from napari_cytosynth.formats import files
from napari_cytosynth.formats.coco import Coco
from napari_cytosynth.formats.csv import Csv
from napari_cytosynth.formats.voc import Voc
from napari_cytosynth.formats.yolo import Yolo
from napari_cytosynth.testing.contracts_format import HOSTILE_NAMES, sample_records

HEADER = "image,x,y,width,height,label"

BILLION_LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<annotation><filename>&lol3;</filename></annotation>"""

FILE_READER = """<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<annotation><filename>&x;</filename></annotation>"""


def _voc(body: str, name: str = "a.png") -> str:
    size = "<size><width>9</width><height>9</height></size>"
    return f"<annotation><filename>{name}</filename>{size}{body}</annotation>"


def _voc_box(*corners: object) -> str:
    tags = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(f"<{t}>{c}</{t}>" for t, c in zip(tags, corners, strict=True))
    return f"<object><name>RBC</name><bndbox>{inner}</bndbox></object>"


def _coco(**changes: object) -> dict:
    document: dict = {
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
        ],
        "categories": [{"id": 1, "name": "NEU"}],
    }
    return {**document, **changes}


def _write(path: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [BILLION_LAUGHS, FILE_READER])
def test_xml_entities_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match="entities"):
        Voc().read(_write(tmp_path / "a.xml", text))


@pytest.mark.parametrize("name", [n for n in HOSTILE_NAMES if n])
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    image = {"id": 1, "file_name": name, "width": 9, "height": 9}
    for form, file, content in (
        (Voc(), "a.xml", _voc("", name)),
        (Coco(), "a.json", _coco(images=[image])),
        (Csv(), "a.csv", f'{HEADER}\n"{name}",1,2,3,4,x\n'),
    ):
        with pytest.raises(FormatError, match=r"refused.*stays inside"):
            form.read(_write(tmp_path / file, content))


def test_yolo_sizes_that_climb_out_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "images.csv", "file_name,width,height\n../x.png,9,9\n")
    _write(tmp_path / "x.txt", "0 0.5 0.5 1 1\n")
    with pytest.raises(FormatError, match=r"images.csv' line 2.*refused"):
        Yolo().read(tmp_path)


@pytest.mark.parametrize("value", ["abc", "", "nan", "inf", "1e999", "0x10", "1,5"])
def test_bad_numbers_are_named_with_their_line(tmp_path: Path, value: str) -> None:
    rows = f'{HEADER}\na.png,1,2,3,4,x\nb.png,1,"{value}",3,4,x\n'
    with pytest.raises(FormatError, match=r"line 3, y: .*not a number"):
        Csv().read(_write(tmp_path / "a.csv", rows))
    xml = _voc(_voc_box(1, 1, 5, 5) + _voc_box(1, value, 5, 5))
    with pytest.raises(FormatError, match=r"object 2, bndbox/ymin"):
        Voc().read(_write(tmp_path / "a.xml", xml))
    if value:
        _write(tmp_path / "images.csv", "file_name,width,height\na.png,9,9\n")
        _write(tmp_path / "a.txt", f"0 .5 .5 1 1\n0 .5 {value.replace(' ', '')} 1 1\n")
        with pytest.raises(FormatError, match="line 2"):
            Yolo().read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": 3}, "list of objects 'images'"),
        ({"annotations": [1]}, "list of objects 'annotations'"),
        ({"categories": [{"id": 1}]}, "category 1 lacks 'name'"),
        ({"images": [{"id": 1}]}, "image 1 lacks 'file_name'"),
        ({"images": [{"id": "x", "file_name": "a.png"}]}, "'x' is not a number"),
        ({"images": [{"id": 1.5, "file_name": "a.png"}]}, "no whole number"),
        ({"annotations": [{"image_id": 1, "category_id": 1}]}, "lacks 'bbox'"),
        (
            {"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}]},
            "names image 7",
        ),
        (
            {"annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1]}]},
            "not \\[x, y, width, height\\]",
        ),
        (
            {
                "annotations": [
                    {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, True]}
                ]
            },
            "not a number",
        ),
        (
            {
                "annotations": [
                    {
                        "image_id": 1,
                        "category_id": 1,
                        "bbox": [0, 0, 1, 1],
                        "segmentation": [[1, 2, 3]],
                    }
                ]
            },
            "3 numbers",
        ),
    ],
)
def test_broken_coco_is_refused(tmp_path: Path, changes: dict, says: str) -> None:
    path = _write(tmp_path / "a.json", _coco(**changes))
    with pytest.raises(FormatError, match=says):
        Coco().read(path)


def test_image_id_twice_is_refused(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": n, "width": 9, "height": 9} for n in "ab"]
    with pytest.raises(FormatError, match="stands twice"):
        Coco().read(_write(tmp_path / "a.json", _coco(images=images)))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": NaN}', "[]", '{"images": []}'])
def test_json_that_is_no_coco(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError):
        Coco().read(_write(tmp_path / "a.json", text))


def test_coco_boxes_without_area_are_reported(tmp_path: Path) -> None:
    flat = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4]}
    found = Coco().read(_write(tmp_path / "a.json", _coco(annotations=[flat])))
    assert found.objects == ()
    assert "no area" in found.notes[0]


def test_coco_masks_are_reported_and_boxes_kept(tmp_path: Path) -> None:
    entry = {**_coco()["annotations"][0], "segmentation": {"counts": "x", "size": [9]}}
    found = Coco().read(_write(tmp_path / "a.json", _coco(annotations=[entry])))
    assert found.objects[0].box == (1, 2, 3, 4)
    assert "run-length" in found.notes[0]


def test_voc_boxes_without_area_are_reported(tmp_path: Path) -> None:
    xml = _voc(_voc_box(4, 4, 4, 4) + _voc_box(1, 1, 5, 7) + _voc_box(5, 5, 1, 1))
    found = Voc().read(_write(tmp_path / "a.xml", xml))
    assert [o.box for o in found.objects] == [(0, 0, 5, 7)]
    assert len(found.notes) == 2
    assert "object 1" in found.notes[0]


def test_voc_ignores_foreign_folders(tmp_path: Path) -> None:
    body = "<folder>../..</folder><path>/home/pi/x/a.png</path>"
    found = Voc().read(_write(tmp_path / "a.xml", _voc(body)))
    assert found.images[0].file_name == "a.png"


def test_voc_needs_its_root(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="<html>"):
        Voc().read(_write(tmp_path / "a.xml", "<html/>"))


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-2", "@x", "\tx", "'quoted"])
def test_csv_text_never_runs_in_a_spreadsheet(tmp_path: Path, text: str) -> None:
    image = ImageRecord("a.png", 9, 9, 0.5, text)
    records = Records((image,), (ObjectRecord("a.png", (1, 2, 3, 4), text),), (text,))
    path = tmp_path / "a.csv"
    Csv().write(records, path)
    cells = path.read_text().splitlines()[1].split(",")
    assert cells[5].strip('"')[0] == "'"
    assert Csv().read(path).objects[0].label == text
    assert Csv().read(path).images[0].mpp_source == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks the columns image"),
        ("image;x;y;width;height\na;1,5;2;3;4\n", "columns by semicolons.*commas"),
        ("image\tx\ty\twidth\theight\n", "columns by tabs"),
        ("image,x,y\n", "lacks the columns width, height"),
        (f"{HEADER}\na.png,1,2,3\n", "line 2 has 4 cells"),
        (f"{HEADER}\na.png,1,2,0,4,x\n", "0 x 4"),
        (f"{HEADER}\na.png,1,2,-3,4,x\n", "-3 x 4"),
        (f'{HEADER}\n"a.png,1,2,3,4,x\n', "not CSV"),
        (f"{HEADER},edge\na.png,1,2,3,4,x,perhaps\n", "neither 0 nor 1"),
        (f"{HEADER},outline\na.png,1,2,3,4,x,1 2 3\n", "odd count"),
        (f"{HEADER}\n" + "x" * 200_000 + ",1,2,3,4,x\n", "not CSV"),
    ],
)
def test_broken_csv_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        Csv().read(_write(tmp_path / "a.csv", text))


def test_csv_from_a_spreadsheet(tmp_path: Path) -> None:
    text = "\ufeffLabel, X,y,width,height,IMAGE\r\nNEU,1,2,3,4,a.png\r\n,,,,,\r\n"
    (found,) = Csv().read(_write(tmp_path / "a.csv", text)).objects
    assert (found.image, found.box, found.label) == ("a.png", (1, 2, 3, 4), "NEU")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 0.5 0.5", "3 words"),
        ("0 0.5 0.5 0 1", "0 x 1"),
        ("2 0.5 0.5 1 1", "class 2 is not among the 2"),
        ("-1 0.5 0.5 1 1", "class -1"),
        ("0.5 0.5 0.5 1 1", "class 0.5"),
        ("0 0.1 0.1 0.2 0.1 0.3 0.1", "no area"),
    ],
)
def test_broken_yolo_is_refused(tmp_path: Path, line: str, says: str) -> None:
    _write(tmp_path / "data.yaml", "names: [WBC, RBC]")
    _write(tmp_path / "images.csv", "file_name,width,height\na.png,100,50\n")
    _write(tmp_path / "a.txt", f"0 0.5 0.5 1 1\n\n{line}\n")
    with pytest.raises(FormatError, match=says) as caught:
        Yolo().read(tmp_path)
    assert "line 3" in str(caught.value)


def test_yolo_polygons_become_outlines(tmp_path: Path) -> None:
    _write(tmp_path / "images.csv", "file_name,width,height\na.png,100,50\n")
    _write(tmp_path / "a.txt", "0 0.1 0.2 0.5 0.2 0.1 0.8\n")
    (found,) = Yolo().read(tmp_path).objects
    assert found.box == pytest.approx((10, 10, 40, 30))
    assert found.outline[0] == pytest.approx((10, 10))
    assert found.label == "0"


def test_yolo_without_the_picture_says_so(tmp_path: Path) -> None:
    _write(tmp_path / "a.txt", "0 0.5 0.5 1 1\n")
    with pytest.raises(FormatError, match="was not found"):
        Yolo().read(tmp_path)


@pytest.mark.parametrize(
    "text", ["names: {1: x}", "names: 3", "[1", "a: &x [*x]", "- 1", "{}"]
)
def test_broken_data_yaml_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "data.yaml", text)
    _write(tmp_path / "a.txt", "0 0.5 0.5 1 1\n")
    with pytest.raises(FormatError, match=r"data\.yaml"):
        Yolo().read(tmp_path)


def test_pictures_are_never_replaced_by_labels(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "smear.png").write_bytes(b"precious")
    for form in (Voc(), Yolo()):
        with pytest.raises(FormatError, match=r"holds 'smear\.png'"):
            form.write(sample_records(), folder)
    assert (folder / "smear.png").read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("form", "name", "text"),
    [
        (Voc(), "one.xml", "<annotation><filename>one.jpg</filename></annotation>"),
        (Yolo(), "labels/one.txt", "0 0.5 0.5 0.1 0.1\n"),
        (Yolo(), "data.yaml", "names: [mine]\n"),
    ],
)
def test_labels_of_another_tool_are_never_replaced(
    tmp_path: Path, form, name: str, text: str
) -> None:
    """They are in the very same format, and may be weeks of somebody's work."""
    theirs = tmp_path / "set" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text(text)
    with pytest.raises(FormatError, match="this program did not write"):
        form.write(sample_records(), tmp_path / "set")
    assert theirs.read_text() == text
    form.write(sample_records(), tmp_path / "ours")
    form.write(sample_records(), tmp_path / "ours")
    found = form.read(tmp_path / "ours")
    assert len(found.objects) == len(sample_records().objects)


@pytest.mark.parametrize(
    ("form", "name"),
    [(Csv(), "l.csv"), (Coco(), "l.json"), (Voc(), "l"), (Yolo(), "l")],
)
def test_failed_write_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form, name: str
) -> None:
    records = sample_records()
    form.write(records, tmp_path / name)
    before = form.read(tmp_path / name)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match="No space left"):
            form.write(Records(records.images, (), ()), tmp_path / name)
    assert form.read(tmp_path / name) == before
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_huge_files_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FormatError, match="larger than"):
        files.read_text(_write(tmp_path / "a.csv", "x" * 100), limit=99)


def test_kinds_of_object_are_categories_1_2_3(tmp_path: Path) -> None:
    image = ImageRecord("a.png", 9, 9, 0.1, "red cells")
    objects = (ObjectRecord("a.png", (1, 1, 3, 3), "platelet", 0.5),)
    Coco().write(Records((image,), objects), tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["categories"] == [
        {"id": 1, "name": "nucleated cell"},
        {"id": 2, "name": "red cell"},
        {"id": 3, "name": "platelet"},
    ]
    (entry,) = document["annotations"]
    assert entry["category_id"] == 3
    assert entry["score"] == 0.5
    assert entry["edge"] is False
    assert document["images"][0]["mpp"] == 0.1
    assert document["images"][0]["mpp_source"] == "red cells"
