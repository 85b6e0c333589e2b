from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from napari_cytosynth.core.errors import WeightsError
from napari_cytosynth.core.shipped import read_card, read_checked


def test_a_card_is_what_its_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text('{"dim": 3, "licence": "CC BY 4.0"}', encoding="utf-8")
    assert read_card(path, "the net") == {"dim": 3, "licence": "CC BY 4.0"}


@pytest.mark.parametrize("held", [b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_damaged_card_is_named(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(held)
    with pytest.raises(WeightsError, match=r"card of the net, net\.json, .*again"):
        read_card(path, "the net")


def test_a_card_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"card of the net, net\.json, .*again"):
        read_card(tmp_path / "net.json", "the net")


def test_only_the_file_that_the_hash_names_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    wanted = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(WeightsError, match=r"weights of the net.*cannot be read"):
        read_checked(path, wanted, "the net")
    path.write_bytes(b"right")
    assert read_checked(path, wanted, "the net") == b"right"
    path.write_bytes(b"wrong")
    with pytest.raises(WeightsError, match="damaged or was exchanged"):
        read_checked(path, wanted, "the net")
