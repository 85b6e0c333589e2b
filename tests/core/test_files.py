"""Files are refused where they would do harm, and the system's refusals teach."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_cytosynth.core.errors import StorageError
from napari_cytosynth.core.files import (
    demand_ours,
    demand_place,
    is_text,
    is_zip,
    refusal,
)


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "where you may write"),
        (errno.EACCES, "where you may write"),
        (errno.EISDIR, "choose another name"),
        (errno.EIO, "Check the disk"),
    ],
)
def test_the_way_out_fits_the_cause(number: int, way: str) -> None:
    said = str(refusal(Path("o.json"), OSError(number, os.strerror(number))))
    assert way in said
    assert ("space" in said) == (number == errno.ENOSPC)


def test_only_a_file_of_the_same_kind_is_replaced(tmp_path: Path) -> None:
    picture, text, empty = (tmp_path / name for name in ("p.png", "t.json", "e"))
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    text.write_text("{}")
    empty.touch()
    for ours in (text, empty, tmp_path / "free"):
        demand_ours(ours, is_text)
    for ours in (empty, tmp_path / "free"):
        demand_ours(ours, is_zip)
    for foreign, kind in ((picture, is_text), (picture, is_zip), (text, is_zip)):
        with pytest.raises(StorageError, match="is not replaced"):
            demand_ours(foreign, kind)


def test_a_place_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    demand_place(tmp_path / "a" / "b" / "o.json", is_text)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path, tmp_path / "file" / "o.json"):
        with pytest.raises(StorageError, match="choose another name"):
            demand_place(place, is_text)
