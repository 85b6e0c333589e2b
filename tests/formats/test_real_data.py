"""The developers' data sets, as they came."""

from collections import Counter
from pathlib import Path

import pytest

from napari_cytosynth.formats.voc import Voc
from napari_cytosynth.formats.yolo import Yolo

pytestmark = pytest.mark.data


def test_bccd_voc(developer_data: Path) -> None:
    found = Voc().read(developer_data / "detection" / "bccd" / "Annotations")
    counts = Counter(o.label for o in found.objects)
    assert len(found.images) == 292
    # Two of the 3350 red cells have no area.
    assert counts == {"RBC": 3348, "WBC": 301, "Platelets": 292}
    assert len(found.notes) == 2
    assert all("no area" in note for note in found.notes)


def test_txl_yolo(developer_data: Path) -> None:
    found = Yolo().read(developer_data / "detection" / "txl_pbc")
    counts = Counter(o.label for o in found.objects)
    assert counts == {"RBC": 4101, "WBC": 259, "Platelets": 190}
    assert found.classes == ("WBC", "RBC", "Platelets")
    assert len(found.images) == 250


def test_yolo_with_pictures_elsewhere(developer_data: Path) -> None:
    bccd = developer_data / "detection" / "bccd"
    found = Yolo(bccd / "JPEGImages").read(bccd / "txl_relabels")
    assert {(i.width, i.height) for i in found.images} == {(640, 480)}
    assert set(found.classes) == {"0", "1", "2"}
