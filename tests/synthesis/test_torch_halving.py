"""A batch that does not fit is halved, and nothing is lost or made twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from napari_cytosynth.core.errors import Cancelled, MemoryShortError
from napari_cytosynth.synthesis._torch.halving import Halving, is_out_of_memory


class Narrow(nn.Module):
    """A linear layer that has memory for so many rows only."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.room, self.sizes = room, list[int]()

    def forward(self, rows: Tensor) -> Tensor:
        self.sizes.append(len(rows))
        if len(rows) > self.room:
            raise torch.OutOfMemoryError(f"CUDA out of memory for {len(rows)} rows")
        out: Tensor = self.layer(rows)
        return out


def rows(count: int) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def test_batches_halve_until_they_fit_and_stay_so() -> None:
    net, data, halving = Narrow(3), rows(21), Halving(16, "testing")
    parts = list(halving.parts(0, 21, lambda a, b: [net(data[a:b])]))
    assert torch.allclose(torch.cat(parts), net.layer(data))
    assert net.sizes == [16, 8, 4, *[2] * 10, 1]
    assert halving.size == 2
    assert len(list(halving.parts(4, 6, lambda a, b: [net(data[a:b])]))) == 1
    assert net.sizes[-1] == 2


def test_signs_of_life_pass_and_a_batch_is_begun_anew() -> None:
    net, data, halving = Narrow(2), rows(4), Halving(4, "testing")

    def made(first: int, end: int) -> Iterator[Tensor | None]:
        yield None
        yield net(data[first:end])

    said = list(halving.parts(0, 4, made))
    assert [s is None for s in said] == [True, True, False, True, False]
    whole = torch.cat([s for s in said if s is not None])
    assert torch.allclose(whole, net.layer(data))


def test_a_last_batch_that_is_short_halves_from_its_own_size() -> None:
    net, data, halving = Narrow(2), rows(3), Halving(64, "testing")
    list(halving.parts(0, 3, lambda a, b: [net(data[a:b])]))
    assert net.sizes == [3, 1, 1, 1]


def test_a_training_step_is_taken_again_in_smaller_parts() -> None:
    net, data, halving = Narrow(2), rows(8), Halving(8, "testing")

    def step(size: int) -> None:
        net.zero_grad()
        for part in torch.split(data, size):
            (net(part).sum() / len(data)).backward()

    halving.attempt(step)
    found = net.layer.weight.grad
    assert found is not None
    assert torch.allclose(found, data.mean(0).expand(2, 3))
    assert halving.size == 2


def test_what_does_not_fit_alone_is_said() -> None:
    net, data = Narrow(0), rows(4)
    with pytest.raises(MemoryShortError, match=r"testing, even one .*CUDA out of"):
        list(Halving(4, "testing").parts(0, 4, lambda a, b: [net(data[a:b])]))
    assert net.sizes == [4, 2, 1]
    with pytest.raises(MemoryError, match="smaller model"):
        Halving(2, "testing").attempt(lambda size: net(data[:size]))


def test_a_want_of_memory_without_words_is_said_too() -> None:
    def fails(size: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryShortError, match=r"\(MemoryError\)"):
        Halving(1, "testing").attempt(fails)


@pytest.mark.parametrize("error", [RuntimeError("shape"), ValueError(), Cancelled()])
def test_other_errors_pass_at_once(error: Exception) -> None:
    tried: list[int] = []

    def fails(size: int) -> list[Tensor]:
        tried.append(size)
        raise error

    with pytest.raises(type(error)) as caught:
        Halving(8, "testing").attempt(fails)
    assert caught.value is error
    with pytest.raises(type(error)):
        list(Halving(8, "testing").parts(0, 9, lambda a, b: fails(b - a)))
    assert tried == [8, 8]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `create`"),
        MemoryError(),
    ],
)
def test_want_of_memory_is_known_by_its_many_names(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_the_memory_of_a_failed_batch_is_let_go() -> None:
    import weakref

    kept: list[weakref.ref[Tensor]] = []

    def step(size: int) -> bool:
        if not kept:
            held = torch.zeros(size, 1000)
            kept.append(weakref.ref(held))
            raise torch.OutOfMemoryError
        return kept[0]() is None

    assert Halving(8, "testing").attempt(step)
