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
    sweep_partials,
    write_durably,
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


def test_what_a_killed_write_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    place, token = tmp_path / "report[1].html", "0123456789abcdef" * 2
    write_durably(place, b"whole")
    left, folder = (
        tmp_path / f"report[1].html.{name}.partial" for name in (token, token[:8])
    )
    left.write_bytes(b"half")
    folder.mkdir()
    (folder / "1.png").write_bytes(b"half")
    others = [
        tmp_path / f"{name}.partial"
        for name in (
            f"report1.html.{token}",  # of another file
            f"report[1].html.{token[:8]}.old",  # perhaps the only copy
            "report[1].html.mine",
        )
    ]
    for other in others:
        other.write_bytes(b"kept")
    sweep_partials(place)
    assert left.is_file(), "another process may be at work"
    for path in (left, folder, folder / "1.png"):
        os.utime(path, (1.0, 1.0))
    sweep_partials(place)
    assert sorted(tmp_path.iterdir()) == sorted([place, *others])
    assert place.read_bytes() == b"whole"


def test_a_folder_that_still_grows_is_nobodys_to_sweep(tmp_path: Path) -> None:
    folder = tmp_path / "out.01234567.partial"
    folder.mkdir()
    (folder / "new.png").write_bytes(b"just now")
    os.utime(folder, (1.0, 1.0))
    sweep_partials(tmp_path / "out")
    assert (folder / "new.png").is_file()
    sweep_partials(tmp_path / "out", older=-60)
    assert not folder.exists()
