"""Finding the Stable Diffusion that a LoRA starts from, and what it needs to run.

Nothing is downloaded from here: a base has a licence that a person must accept. The
message says how to fetch it once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from napari_cytosynth.core.errors import InputError, MissingExtraError, WeightsError
from napari_cytosynth.core.tasks import Progress, Task
from napari_cytosynth.synthesis.lora_options import BASE_VARIABLE, DEFAULT_BASE

PARTS = ("unet", "vae", "text_encoder")
"""Folders of a base that hold weights."""

_FILES = (
    "*.json",
    "*.txt",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)

SMALL_BYTES = 300 * 2**20
"""Weights up to here run on a CPU."""

_CHUNK = 16 * 2**20
_PACKAGES = ("transformers", "peft", "accelerate")
_TRAIN_FLOP = 6.4e12
_DRAW_FLOP = 3.2e12
"""Of one picture of 512 pixels and one step, Stable Diffusion 1.5: a forward pass takes
about 1.6e12, training four times that (with checkpointing), a guided step twice."""

_GPU_FLOPS, _CPU_FLOPS = 5e13, 1e11
"""Operations a second that a data-centre GPU and four CPU cores are taken to reach."""


def demand_extra() -> None:
    """Raise MissingExtraError unless the packages of the extra ``lora`` are there."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise MissingExtraError(
            f"The lora generator needs {', '.join(missing)}, not installed here: pip "
            "install 'napari-cytosynth[lora]' where the worker runs. The 'latent' "
            "generator needs nothing more."
        )


def find_base(name: str) -> Path:
    """Return the folder of a base: a folder as it is, an id from the hub's cache.

    Raises
    ------
    WeightsError
        If it is not on this machine, or a part of it is missing; the message says how
        to get it.
    """
    here = Path(name).expanduser()
    folder = here if here.is_dir() else cached(name)
    if folder is None:
        raise WeightsError(
            f"The base '{name}' is not on this machine, neither as a folder nor in the "
            f"Hugging Face cache. {_way_out(name)}"
        )
    missing = [part for part in PARTS if not _weights_in(folder / part)]
    if not (folder / "model_index.json").is_file() or missing:
        lacks = ", ".join(missing) or "model_index.json"
        raise WeightsError(
            f"The base '{name}' in '{folder}' is not whole: no safetensors weights of "
            f"{lacks}. {_way_out(name)}"
        )
    return folder


def is_id(name: str) -> bool:
    """Tell whether a name looks like an id on the hub rather than a folder."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name) is not None


def told_name(name: str) -> str:
    """Return an id as it is, and of a path its last part: where it lies is nobody's."""
    return name if is_id(name) else Path(name).name


def base_bytes(folder: Path) -> int:
    """Return the size of a base's weights, of those that would be loaded."""
    return sum(p.stat().st_size for part in PARTS for p in _weights_in(folder / part))


def fingerprint(folder: Path) -> Task[str]:
    """Return the SHA-256 of a base: of names and contents of its weights."""
    total = base_bytes(folder)
    whole, done = hashlib.sha256(), 0
    for part in PARTS:
        for path in _weights_in(folder / part):
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    done += len(chunk)
                    yield Progress(done, total, "checking the base")
            whole.update(f"{part}/{path.name}:{digest.hexdigest()};".encode())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with a base.

    Parameters
    ----------
    train_steps, train_batch : int
        Steps of a training and pictures a step; 0 where nothing is trained.
    pictures, draw_steps : int
        Draws and steps of each.
    """

    train_steps: int = 0
    train_batch: int = 0
    pictures: int = 0
    draw_steps: int = 0

    @property
    def operations(self) -> float:
        """Floating-point operations, by arithmetic, for Stable Diffusion 1.5."""
        train = _TRAIN_FLOP * self.train_steps * self.train_batch
        return train + _DRAW_FLOP * self.pictures * self.draw_steps


def refuse_cpu(name: str, size: int | None, work: Work) -> None:
    """Raise if a base is too large for a CPU, with what it would need.

    Parameters
    ----------
    name : str
        The base.
    size : int or None
        Bytes of its weights; None where it is not on this machine.
    work : Work
        What was asked.

    Raises
    ------
    InputError
        Unless the base is small.
    """
    if size is not None and size <= SMALL_BYTES:
        return
    disk = 4.3 if size is None else size / 1e9
    minutes = work.operations / _GPU_FLOPS / 60
    hours = work.operations / _CPU_FLOPS / 3600
    memory = "12 GB" if work.train_steps else "6 GB"
    raise InputError(
        f"The lora generator found no GPU here. With '{name}' it needs one with "
        f"{memory} of memory, {disk:.1f} GB of disk and about {max(minutes, 1):.0f} "
        f"minutes; a CPU would take about {max(hours, 1):.0f} hours (estimates). Use "
        "the 'latent' generator, which runs on a CPU, or a worker on a machine with a "
        "GPU; the option cpu=true tries it here all the same."
    )


def cached(name: str) -> Path | None:
    """Return the folder of a hub id in the Hugging Face cache; None if it is not there.

    No network is used.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _way_out(name: str) -> str:
    wanted = name if is_id(name) else DEFAULT_BASE
    folder = wanted.rpartition("/")[2]
    files = " ".join(f"--include '{pattern}'" for pattern in _FILES)
    return (
        "Read its licence, then fetch it where there is a network: hf download "
        f"{wanted} {files} --local-dir {folder}; copy that folder to the worker's "
        f"machine and name it: lora:/PATH/{folder}, or {BASE_VARIABLE}=/PATH/{folder} "
        "in the environment of the worker."
    )


def _weights_in(folder: Path) -> list[Path]:
    """Return the weight files that would be loaded: whole ones, in full precision."""
    files = sorted(folder.glob("*.safetensors"))
    return [p for p in files if not {"fp16", "non_ema"} & set(p.name.split("."))]
