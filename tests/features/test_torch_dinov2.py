"""DINOv2 by transformers against a plain one that is written here."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_cytosynth.core.errors import InputError, MissingExtraError, WeightsError
from napari_cytosynth.core.protocols import Crops, Embedder, NeedsWeights
from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.features import dinobloom
from napari_cytosynth.features.dinobloom import DinoEmbedder, dinobloom_s, dinov2
from napari_cytosynth.features.dinobloom_files import LISTED, VARIANTS
from napari_cytosynth.testing.contracts_features import EmbedderContract

DIM, LAYERS, HEADS = 128, 3, 2
Tensors = dict[str, Tensor]
Grid = npt.NDArray[np.float64]


def hub_tensors(*, swiglu: bool = False, side: int = 37, seed: int = 0) -> Tensors:
    """Return a random checkpoint with the names of DINOv2's hub files."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float) -> Tensor:
        return torch.randn(shape, generator=draw) * scale

    made = {
        "cls_token": normal(1, 1, DIM, scale=0.5),
        "pos_embed": normal(1, 1 + side * side, DIM, scale=0.5),
        "mask_token": normal(1, DIM, scale=0.1),
        "patch_embed.proj.weight": normal(DIM, 3, 14, 14, scale=0.05),
        "patch_embed.proj.bias": normal(DIM, scale=0.1),
        "norm.weight": 1 + normal(DIM, scale=0.1),
        "norm.bias": normal(DIM, scale=0.1),
    }
    wide = (DIM * 4 * 2 // 3 + 7) // 8 * 8 if swiglu else DIM * 4
    first, second = ("w12", "w3") if swiglu else ("fc1", "fc2")
    for i in range(LAYERS):
        linear = {
            "attn.qkv": (3 * DIM, DIM),
            "attn.proj": (DIM, DIM),
            f"mlp.{first}": (2 * wide if swiglu else wide, DIM),
            f"mlp.{second}": (DIM, wide),
        }
        for name, (rows, columns) in linear.items():
            weight = normal(rows, columns, scale=1 / math.sqrt(columns))
            made[f"blocks.{i}.{name}.weight"] = weight
            made[f"blocks.{i}.{name}.bias"] = normal(rows, scale=0.1)
        for name in ("norm1", "norm2"):
            made[f"blocks.{i}.{name}.weight"] = 1 + normal(DIM, scale=0.2)
            made[f"blocks.{i}.{name}.bias"] = normal(DIM, scale=0.2)
        for name in ("ls1", "ls2"):
            made[f"blocks.{i}.{name}.gamma"] = normal(DIM, scale=0.7)
    return made


def reference(tensors: Tensors, crops: Crops) -> npt.NDArray[np.float64]:
    """Return the class token of a plain DINOv2, in double precision."""
    held = {k: v.double() for k, v in tensors.items()}
    pictures = torch.from_numpy(_normalised(crops))
    n = len(pictures)
    patches = pictures.reshape(n, 3, 16, 14, 16, 14).permute(0, 2, 4, 1, 3, 5)
    kernel = held["patch_embed.proj.weight"].reshape(DIM, -1)
    tokens = patches.reshape(n, 256, -1) @ kernel.T + held["patch_embed.proj.bias"]
    tokens = torch.cat([held["cls_token"].expand(n, 1, DIM), tokens], dim=1)
    tokens = tokens + _positions(held["pos_embed"])
    for i in range(LAYERS):
        block = {
            k.removeprefix(f"blocks.{i}."): v
            for k, v in held.items()
            if k.startswith(f"blocks.{i}.")
        }
        tokens = tokens + block["ls1.gamma"] * _attention(block, tokens)
        tokens = tokens + block["ls2.gamma"] * _feed_forward(block, tokens)
    answer: npt.NDArray[np.float64] = _norm(held, "norm", tokens)[:, 0].numpy()
    return answer


def _attention(block: Tensors, tokens: Tensor) -> Tensor:
    n, length, _ = tokens.shape
    mixed = _linear(block, "attn.qkv", _norm(block, "norm1", tokens))
    q, k, v = mixed.reshape(n, length, 3, HEADS, 64).permute(2, 0, 3, 1, 4)
    share = torch.softmax(q @ k.transpose(-1, -2) / 8.0, dim=-1)
    return _linear(block, "attn.proj", (share @ v).transpose(1, 2).reshape(n, -1, DIM))


def _feed_forward(block: Tensors, tokens: Tensor) -> Tensor:
    given = _norm(block, "norm2", tokens)
    if "mlp.w12.weight" in block:
        gate, value = _linear(block, "mlp.w12", given).chunk(2, dim=-1)
        return _linear(block, "mlp.w3", gate * torch.sigmoid(gate) * value)
    wide = _linear(block, "mlp.fc1", given)
    return _linear(block, "mlp.fc2", wide * (1 + torch.erf(wide / math.sqrt(2))) / 2)


def _linear(block: Tensors, name: str, x: Tensor) -> Tensor:
    return x @ block[f"{name}.weight"].T + block[f"{name}.bias"]


def _norm(block: Tensors, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    spread = torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-6)
    return centred / spread * block[f"{name}.weight"] + block[f"{name}.bias"]


def _normalised(crops: Crops) -> Grid:
    """Resize to 224 pixels by straight lines between centres, then ImageNet's scale."""
    at = np.clip((np.arange(224) + 0.5) * 96 / 224 - 0.5, 0, 95)
    low = np.minimum(at.astype(int), 94)
    matrix = np.zeros((224, 96))
    matrix[np.arange(224), low] = 1 - (at - low)
    matrix[np.arange(224), low + 1] = at - low
    rows = np.einsum("ay,nyxc->naxc", matrix, crops / 255.0)
    resized = np.einsum("naxc,bx->ncab", rows, matrix, optimize=True)
    mean = np.array([0.485, 0.456, 0.406])[:, None, None]
    return (resized - mean) / np.array([0.229, 0.224, 0.225])[:, None, None]


def _positions(given: Tensor) -> Tensor:
    """Sample a grid bicubically where DINOv2 does: by the factor (16 + 0.1) / side."""
    side = math.isqrt(given.shape[1] - 1)
    if side == 16:
        return given
    matrix = torch.from_numpy(_cubic(side))
    grid = given[0, 1:].reshape(side, side, DIM)
    sampled = torch.einsum("ay,yxd,bx->abd", matrix, grid, matrix)
    return torch.cat([given[:, :1], sampled.reshape(1, 256, DIM)], dim=1)


def _cubic(side: int) -> Grid:
    """Return float64[16, side]: Keys' kernel, a = -0.75, edges repeated."""
    matrix = np.zeros((16, side))
    for row in range(16):
        at = (row + 0.5) * side / 16.1 - 0.5
        for source in range(math.floor(at) - 1, math.floor(at) + 3):
            d = abs(at - source)
            near = 1.25 * d**3 - 2.25 * d**2 + 1
            far = -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
            matrix[row, min(max(source, 0), side - 1)] += near if d <= 1 else far
    return matrix


def as_training(hub: Tensors) -> object:
    heads = {
        "dino_head.mlp.0.weight": torch.ones(2, 2),
        "ibot_head.last": torch.ones(1),
    }
    return {"teacher": {**{f"backbone.{k}": v for k, v in hub.items()}, **heads}}


def as_chunked(hub: Tensors) -> object:
    """Return the training's layout where two blocks make a chunk."""
    named = {}
    for key, value in hub.items():
        head, _, rest = key.partition(".")
        if head == "blocks":
            number, _, name = rest.partition(".")
            key = f"blocks.{int(number) // 2}.{number}.{name}"
        named[f"backbone.{key}"] = value
    return {"teacher": named}


def as_hub(hub: Tensors) -> object:
    return dict(hub)


def as_timm(hub: Tensors) -> object:
    return {
        k.replace("mlp.w12.", "mlp.fc1.").replace("mlp.w3.", "mlp.fc2."): v
        for k, v in hub.items()
    }


def as_transformers(hub: Tensors) -> object:
    top = {
        "cls_token": "embeddings.cls_token",
        "mask_token": "embeddings.mask_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
        "norm.weight": "layernorm.weight",
        "norm.bias": "layernorm.bias",
    }
    named = {top[k]: v for k, v in hub.items() if k in top}
    for i in range(LAYERS):
        old, new = f"blocks.{i}.", f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            thirds = hub[f"{old}attn.qkv.{kind}"].chunk(3)
            for part, third in zip(("query", "key", "value"), thirds, strict=True):
                named[f"{new}attention.attention.{part}.{kind}"] = third.clone()
        for key, value in hub.items():
            if key.startswith(old) and ".qkv." not in key:
                name = key.removeprefix(old).replace(
                    "attn.proj", "attention.output.dense"
                )
                for i_ls in "12":
                    name = name.replace(f"ls{i_ls}.gamma", f"layer_scale{i_ls}.lambda1")
                name = name.replace("mlp.w12", "mlp.weights_in")
                named[new + name.replace("mlp.w3", "mlp.weights_out")] = value
    return named


def written(folder: Path, held: object, *, pickled: bool = False) -> str:
    """Write a checkpoint, and return the text after the colon of ``dinov2:``."""
    if pickled:
        path = folder / "model.pth"
        torch.save(held, path)
        return f"{path}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert isinstance(held, Mapping)
    path = folder / "model.safetensors"
    save_file({k: v.contiguous() for k, v in held.items()}, path)
    return str(path)


@pytest.fixture(scope="module")
def crops() -> Crops:
    return np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), np.uint8)


@pytest.mark.parametrize("swiglu", [False, True], ids=["mlp", "swiglu"])
@pytest.mark.parametrize(
    ("layout", "pickled"),
    [
        (as_training, True),
        (as_chunked, True),
        (as_hub, True),
        (as_hub, False),
        (as_timm, False),
        (as_transformers, False),
    ],
)
def test_each_layout_gives_what_a_plain_transformer_gives(
    tmp_path: Path,
    crops: Crops,
    layout: Callable[[Tensors], object],
    pickled: bool,
    swiglu: bool,
) -> None:
    hub = hub_tensors(swiglu=swiglu)
    made = dinov2(written(tmp_path, layout(hub), pickled=pickled))
    run_to_end(made.prepare())
    wanted = reference(hub, crops)
    assert wanted.std(axis=0).mean() > 0.01, "the crops must tell apart"
    np.testing.assert_allclose(made.embed(crops), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [16, 20])
def test_position_embeddings_of_other_grids(
    tmp_path: Path, crops: Crops, side: int
) -> None:
    hub = hub_tensors(side=side)
    made = dinov2(written(tmp_path, hub))
    np.testing.assert_allclose(
        made.embed(crops), reference(hub, crops), rtol=0, atol=1e-5
    )


def test_half_precision_weights_on_disk_are_read(tmp_path: Path, crops: Crops) -> None:
    hub = {k: v.half() for k, v in hub_tensors().items()}
    made = dinov2(written(tmp_path, hub))
    np.testing.assert_allclose(
        made.embed(crops), reference(hub, crops), rtol=0, atol=1e-5
    )


class TestDinoV2(EmbedderContract):
    @pytest.fixture(autouse=True)
    def _checkpoint(self, tmp_path: Path) -> None:
        self.weights = written(tmp_path, hub_tensors())

    def make(self) -> Embedder:
        return dinov2(self.weights)


def without(hub: Tensors, key: str) -> Tensors:
    return {k: v for k, v in hub.items() if k != key}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t | {"register_tokens": torch.ones(1, 4, DIM)}, "registers"),
        (lambda t: t | {"reg_token": torch.ones(1, 4, DIM)}, "registers"),
        (
            lambda t: t | {"head.weight": torch.ones(2, DIM)},
            r"understood: head\.weight",
        ),
        (lambda t: without(t, "blocks.1.ls1.gamma"), "Missing: .*layer_scale1"),
        (
            lambda t: without(t, "blocks.2.attn.qkv.weight"),
            "Missing: .*2.attention.attention",
        ),
        (
            lambda t: t | {"patch_embed.proj.weight": torch.ones(DIM, 3, 16, 16)},
            "ViT/14",
        ),
        (lambda t: t | {"pos_embed": torch.ones(1, 1 + 12, DIM)}, "square"),
        (lambda t: t | {"pos_embed": torch.ones(5)}, r"pos_embed.*\(5,\).*number of 3"),
        (lambda t: t | {"pos_embed": torch.ones(1, 0, DIM)}, r"\(1, 0, 128\)"),
        (lambda t: t | {"patch_embed.proj.weight": torch.ones(())}, "number of 4"),
        (lambda t: t | {"blocks.0.attn.qkv.weight": torch.ones(())}, "number of 2"),
        (lambda t: t | {"blocks.0.mlp.fc2.weight": torch.ones(3)}, "number of 2"),
        (lambda t: t | {"blocks.0.norm1.weight": torch.ones(3, 3)}, "number of 1"),
        (lambda t: t | {"blocks.0.mlp.fc2.bias": torch.ones(3)}, "do not fit"),
        (lambda t: {"something": torch.ones(3)}, "Not understood: something"),
    ],
)
def test_refuses_what_is_another_network(
    tmp_path: Path, change: Callable[[Tensors], Tensors], told: str
) -> None:
    made = dinov2(written(tmp_path, change(hub_tensors())))
    with pytest.raises(WeightsError, match=told):
        run_to_end(made.prepare())


@pytest.mark.parametrize(
    "held", [[1, 2], {"teacher": 3}, {"epoch": 4, "a": torch.ones(1)}, {}]
)
def test_refuses_what_is_no_table_of_tensors(tmp_path: Path, held: object) -> None:
    with pytest.raises(WeightsError, match="no plain table"):
        run_to_end(dinov2(written(tmp_path, held, pickled=True)).prepare())


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 broken", b"\x10\0\0\0\0\0\0\0{broken", b"text"]
)
def test_damaged_files_are_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(WeightsError, match="damaged"):
        run_to_end(dinov2(f"{path}#sha256={digest}").prepare())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    made = dinov2(str(tmp_path / "absent.safetensors"))
    assert not made.at_hand
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        _ = made.key
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        run_to_end(made.prepare())


class Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def test_a_pickle_is_not_opened_unless_its_hash_is_known(tmp_path: Path) -> None:
    named = written(tmp_path, as_training(hub_tensors()), pickled=True)
    bare = named.partition("#")[0]
    with pytest.raises(WeightsError, match="--sha256"):
        run_to_end(dinov2(bare).prepare())
    with pytest.raises(WeightsError, match="SHA-256"):
        run_to_end(dinov2(f"{bare}#sha256={'0' * 64}").prepare())
    run_to_end(dinov2(named).prepare())


def test_a_harmful_pickle_does_nothing_even_with_its_hash(tmp_path: Path) -> None:
    path, target = tmp_path / "harm.pth", tmp_path / "done"
    path.write_bytes(pickle.dumps({"teacher": Harmful(target)}, protocol=2))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="damaged or of another"):
        run_to_end(dinov2(f"{path}#sha256={digest}").prepare())
    assert not target.exists()


def test_another_file_is_no_dinobloom(tmp_path: Path) -> None:
    made = dinobloom_s(written(tmp_path, hub_tensors()))
    with pytest.raises(WeightsError, match="dinov2:PATH"):
        run_to_end(made.prepare())


def test_a_broken_file_in_the_place_of_weights_is_not_called_a_pickle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CYTOSYNTH_WEIGHTS", str(tmp_path))
    (tmp_path / "dinobloom-s.safetensors").write_bytes(b"half of a download" * 99)
    with pytest.raises(WeightsError, match="Remove it to have it fetched") as said:
        run_to_end(dinobloom_s().prepare())
    assert "pickle" not in str(said.value)


def test_a_file_of_another_size_is_no_dinobloom(tmp_path: Path) -> None:
    path = written(tmp_path, hub_tensors())
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    made = dinobloom_s(f"{path}#sha256={digest}")
    with pytest.raises(WeightsError, match="128 numbers"):
        run_to_end(made.prepare())


def test_published_weights_have_a_fingerprint_before_they_are_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CYTOSYNTH_WEIGHTS", str(tmp_path))
    made = dinobloom_s()
    assert isinstance(made, Embedder)
    assert isinstance(made, NeedsWeights)
    assert made.key.startswith("dinobloom-s-")
    assert (made.dim, made.at_hand) == (384, False)
    assert made.path == tmp_path / "dinobloom-s.safetensors"
    with pytest.raises(WeightsError, match="fetches"):
        made.embed(np.zeros((1, 96, 96, 3), np.uint8))


def test_weights_and_preparation_make_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = dinov2(written(tmp_path, hub_tensors())).key
    other = tmp_path / "other"
    other.mkdir()
    same = dinov2(written(other, hub_tensors())).key
    assert first == same, "the path is no part of it"
    assert dinov2(written(other, hub_tensors(seed=1))).key != first
    monkeypatch.setitem(dinobloom.PREPARATION, "resize", "bicubic")
    assert dinov2(str(tmp_path / "model.safetensors")).key != first


def test_an_exchanged_file_is_loaded_anew(tmp_path: Path, crops: Crops) -> None:
    made = dinov2(written(tmp_path, hub_tensors()))
    before = made.embed(crops)
    written(tmp_path, hub_tensors(seed=1))
    np.testing.assert_allclose(
        made.embed(crops), reference(hub_tensors(seed=1), crops), rtol=0, atol=1e-5
    )
    assert np.abs(made.embed(crops) - before).max() > 0.1


def test_without_transformers_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = dinov2(written(tmp_path, hub_tensors()))
    monkeypatch.setattr(dinobloom, "find_spec", lambda name: None)
    assert not made.at_hand
    with pytest.raises(MissingExtraError, match=r"\[foundation\]"):
        run_to_end(made.prepare())


def test_dinov2_wants_a_file() -> None:
    made = dinov2()
    assert not made.at_hand
    with pytest.raises(InputError, match="dinov2:PATH"):
        _ = made.key
    with pytest.raises(InputError, match="no SHA-256"):
        dinov2("model.pth#sha256=abc")
    with pytest.raises(InputError, match="--weights"):
        dinov2("#sha256=" + "0" * 64)


def test_every_listed_file_is_pinned() -> None:
    pinned = [v.published for v in VARIANTS.values()]
    assert len({p.file for p in pinned}) == len(pinned)
    assert all(p.url.startswith("https://") for p in pinned)
    assert all(len(h) == 64 and set(h) <= set("0123456789abcdef") for h in LISTED)
    assert len(LISTED) == sum(1 + len(v.others) for v in VARIANTS.values())


def test_nothing_is_printed_while_loading(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_to_end(dinov2(written(tmp_path, hub_tensors())).prepare())
    assert capfd.readouterr() == ("", "")


def test_refuses_other_shapes(tmp_path: Path) -> None:
    made: DinoEmbedder = dinov2(written(tmp_path, hub_tensors()))
    with pytest.raises(InputError, match=r"0\.25 um"):
        made.embed(np.zeros((2, 64, 64, 3), np.uint8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("swiglu", [False, True], ids=["mlp", "swiglu"])
def test_half_precision_on_a_gpu_is_near(
    tmp_path: Path, crops: Crops, swiglu: bool
) -> None:
    hub = hub_tensors(swiglu=swiglu)
    made = dinov2(written(tmp_path, hub))
    wanted = reference(hub, crops)
    found = made.embed(crops)
    assert np.abs(found - wanted).max() < 0.03
    assert np.abs(found - wanted).max() > 0, "half precision was not used"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_what_half_precision_cannot_hold_runs_in_single(
    tmp_path: Path, crops: Crops
) -> None:
    hub = hub_tensors()
    for i in range(LAYERS):
        hub[f"blocks.{i}.mlp.fc2.bias"] = torch.full((DIM,), 2e5)
    found = dinov2(written(tmp_path, hub)).embed(crops)
    np.testing.assert_allclose(found, reference(hub, crops), rtol=0, atol=2e-2)
