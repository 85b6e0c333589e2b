from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.protocols import Batch, Request
from napari_cytosynth.core.provenance import Assessment, Status, SyntheticCell
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.testing.contracts_generator import tiny_labelled
from napari_cytosynth.testing.tiny import tiny_synthetic
from napari_cytosynth.worker import wire

DTYPES = st.sampled_from(["u1", "i4", "i8", "f2", "f4", "f8", "?"])


@given(hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)))
def test_any_array_travels(array: npt.NDArray[np.generic]) -> None:
    (frame,) = wire.FrameReader().feed(wire.Frame({}, {"a": array}).encode())
    assert frame.arrays["a"].dtype == array.dtype
    np.testing.assert_array_equal(frame.arrays["a"], array)


def test_views_travel() -> None:
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {"t": whole.T, "s": whole[::2, ::-3], "f": np.asfortranarray(whole)}
    frame = wire.read_frame(wire.Frame({}, views).encode())
    for name, view in views.items():
        np.testing.assert_array_equal(frame.arrays[name], view)


@given(st.lists(st.integers(1, 40), max_size=30))
def test_frames_are_found_however_they_are_cut(sizes: list[int]) -> None:
    sent = [{"n": i} for i in range(5)]
    stream = b"".join(wire.Frame(d, {"x": np.ones(3)}).encode() for d in sent)
    reader, found, at = wire.FrameReader(), [], 0
    for size in [*sizes, len(stream)]:
        found += [f.data for f in reader.feed(stream[at : at + size])]
        at += size
    assert found == sent


def test_a_frame_that_is_too_large() -> None:
    with pytest.raises(InputError, match="at most 100 may be sent"):
        list(wire.FrameReader(100).feed(wire.Frame({}, {"x": np.ones(99)}).encode()))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\0" * 12 + b"x", b"\x04" + b"\0" * 15, b"\0" * 12]
)
def test_what_is_no_frame(body: bytes) -> None:
    with pytest.raises(InputError):
        wire.read_frame(body)


def test_a_frame_holds_an_object() -> None:
    body = wire.Frame([1]).encode()  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no JSON object"):
        wire.read_frame(body)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_request_travels_with_its_taxonomy(name: str) -> None:
    taxonomy = built_in(name)
    ask = Request(
        taxonomy.codes[0], 7, 3, taxonomy, 5, {"steps": 8, "deep": {"a": [1]}}
    )
    data = wire.read_frame(wire.Frame(wire.request_to_json(ask)).encode()).data
    assert wire.request_from_json(data) == ask


def test_synthetic_cells_travel_whole() -> None:
    told = Assessment("copy", 1.5, passed=False, reason="Too near.")
    cells = tuple(c.judged(told) for c in tiny_synthetic(built_in("pbc11"), "MO", 3))
    frame = wire.read_frame(wire.batch_frame(Batch(cells, 12)).encode())
    found = wire.batch_of(frame)
    assert found.start == 12
    for a, b in zip(cells, found.items, strict=True):
        assert isinstance(b, SyntheticCell)
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert (a.code, a.provenance) == (b.code, b.provenance)
        assert b.assessments == (told,)
        assert b.status is Status.PROPOSED


def test_labelled_cells_travel() -> None:
    cells = tiny_labelled(dim=5, embedder="e:1")
    found = wire.cells_of(wire.read_frame(wire.cells_to_frame(cells, {}).encode()))
    assert (found.codes, found.embedder) == (cells.codes, cells.embedder)
    for name in ("ids", "crops", "vectors", "groups"):
        np.testing.assert_array_equal(getattr(found, name), getattr(cells, name))
