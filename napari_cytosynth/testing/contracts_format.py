"""What every annotation format must do. Inherit and say what the format can hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cytosynth.core.errors import FormatError, InputError, StorageError
from napari_cytosynth.core.protocols import (
    Format,
    ImageRecord,
    ObjectRecord,
    Records,
)

HOSTILE_NAMES = (
    "../secret.png",
    "a/../../b.png",
    "/etc/passwd",
    "C:\\Windows\\x.png",
    "..\\x.png",
    "\\\\server\\share\\x.png",
    "",
)
"""File names that climb out of the folder, or name no file."""


def sample_records() -> Records:
    """Return two pictures with three cells, and one without any."""
    images = (
        ImageRecord("a.png", 640, 480, 0.25, "user"),
        ImageRecord("sub/b.png", 1000, 2000, 0.1, "metadata"),
        ImageRecord("empty.png", 32, 16),
    )
    triangle = ((10.0, 20.0), (40.0, 20.0), (10.0, 60.0))
    objects = (
        ObjectRecord("a.png", (10, 20, 30, 40), "NEU", 0.75, triangle, edge=True),
        ObjectRecord("sub/b.png", (0, 0, 1000, 2000), "LYM"),
        ObjectRecord("sub/b.png", (7, 8, 9, 10), "ä = ö"),
    )
    return Records(images, objects, ("LYM", "NEU", "ä = ö"))


class FormatContract:
    """Tests of a :class:`~napari_cytosynth.core.protocols.Format`.

    Attributes
    ----------
    suffix : str
        Ending of what it writes; empty for a folder.
    tolerance : float
        Largest error of a coordinate after a round trip, pixels.
    keeps : frozenset of str
        What else survives: ``"score" "edge" "outline" "synthetic" "mpp" "classes"``.
    """

    suffix = ""
    tolerance = 1e-9
    keeps: frozenset[str] = frozenset()

    def make(self) -> Format:
        """Return the format."""
        raise NotImplementedError

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """Return where to write."""
        return tmp_path / f"labels{self.suffix}"

    def round_trip(self, records: Records, target: Path) -> Records:
        """Write and read back."""
        form = self.make()
        form.write(records, target)
        return form.read(target)

    def test_fulfils_the_protocol(self) -> None:
        form = self.make()
        assert isinstance(form, Format)
        assert form.key == form.key.lower()

    def test_round_trip(self, target: Path) -> None:
        records = sample_records()
        found = self.round_trip(records, target)
        assert {i.file_name for i in found.images} == {
            i.file_name for i in records.images
        }
        self.assert_same_objects(found, records)
        if "classes" in self.keeps:
            assert found.classes == records.classes
        if "mpp" in self.keeps:
            assert set(found.images) == set(records.images)

    def assert_same_objects(self, found: Records, records: Records) -> None:
        """Compare objects, in any order, by what the format keeps."""
        assert len(found.objects) == len(records.objects)
        now = sorted(found.objects, key=_place)
        was = sorted(records.objects, key=_place)
        for a, b in zip(now, was, strict=True):
            assert (a.image, a.label) == (b.image, b.label)
            np.testing.assert_allclose(a.box, b.box, atol=self.tolerance)
            for name in ("score", "edge", "synthetic"):
                if name in self.keeps:
                    assert getattr(a, name) == getattr(b, name)
            if "outline" in self.keeps:
                assert a.outline == b.outline

    def test_unlabelled_objects_come_back_unlabelled(self, target: Path) -> None:
        image = ImageRecord("a.png", 100, 100)
        found = self.round_trip(
            Records((image,), (ObjectRecord("a.png", (1, 2, 30, 40)),)), target
        )
        assert [o.label for o in found.objects] == [""]
        assert found.classes == ()

    def test_synthetic_objects_stay_flagged(self, target: Path) -> None:
        images = (ImageRecord("a.png", 96, 96), ImageRecord("s/1.png", 96, 96))
        objects = (
            ObjectRecord("a.png", (1, 2, 30, 40), "BA"),
            ObjectRecord("s/1.png", (0, 0, 96, 96), "BA", synthetic=True),
        )
        found = self.round_trip(Records(images, objects, ("BA",)), target)
        flags = {o.image: o.synthetic for o in found.objects}
        assert flags == {"a.png": False, "s/1.png": True}

    def test_nothing_comes_back_as_nothing(self, target: Path) -> None:
        records = Records((ImageRecord("a.png", 10, 10),), ())
        found = self.round_trip(records, target)
        assert [i.file_name for i in found.images] == ["a.png"]
        assert found.objects == ()

    def test_writing_replaces(self, target: Path) -> None:
        records = sample_records()
        self.round_trip(records, target)
        fewer = Records(records.images[:1], records.objects[:1], records.classes)
        found = self.round_trip(fewer, target)
        assert [i.file_name for i in found.images] == ["a.png"]
        assert len(found.objects) == 1
        assert [p.name for p in target.parent.iterdir()] == [target.name]

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_hostile_names_are_not_written(self, name: str, target: Path) -> None:
        image = ImageRecord(name, 10, 10)
        records = Records((image,), (ObjectRecord(name, (1, 1, 5, 5), "x"),), ("x",))
        with pytest.raises(FormatError, match="refused"):
            self.make().write(records, target)
        assert list(target.parent.iterdir()) == []

    def test_writing_below_a_file_is_a_storage_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        target = tmp_path / "file" / f"labels{self.suffix}"
        with pytest.raises((StorageError, FormatError)):
            self.make().write(sample_records(), target)
        assert (tmp_path / "file").read_text() == "x"

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="nothing"):
            self.make().read(tmp_path / f"nothing{self.suffix}")

    @pytest.mark.parametrize("junk", [b"", b"\x00\xff\xfe", b"%PDF-1.4", b"<<<<"])
    def test_junk_is_refused(self, junk: bytes, tmp_path: Path) -> None:
        path = self.place_junk(tmp_path, junk)
        with pytest.raises(InputError) as caught:
            self.make().read(path)
        assert str(tmp_path) in str(caught.value)

    def place_junk(self, folder: Path, junk: bytes) -> Path:
        """Put junk where the format expects its file; return what to read."""
        path = folder / f"junk{self.suffix}"
        path.write_bytes(junk)
        return path

    def test_unknown_picture_of_an_object(self, target: Path) -> None:
        stray = replace(sample_records().objects[0], image="other.png")
        records = replace(sample_records(), objects=(stray,))
        try:
            found = self.round_trip(records, target)
        except FormatError as error:
            assert "other.png" in str(error)  # noqa: PT017 - either is right
        else:
            assert "other.png" in {i.file_name for i in found.images}


def _place(found: ObjectRecord) -> tuple[str, float]:
    return found.image, round(found.box[0])
