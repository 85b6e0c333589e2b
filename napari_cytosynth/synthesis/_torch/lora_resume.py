"""What a training of adapters leaves on the disk, to go on from after a crash."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_cytosynth.core.files import write_durably

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_STALE_SECONDS = 14 * 24 * 3600
_ENDING = ".lora.safetensors"


class Checkpoint:
    """One training's file: the adapters and the moments of its optimiser.

    What it holds was learned from patients' cells. It lies where only this user reads,
    and goes when the training ends.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    key : str
        Names the training: cells, options and base. No other goes on from it.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key[:32]}{_ENDING}"

    def save(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        """Write durably; the older file stays whole until then."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        tensors = {}
        for number, parameter in enumerate(_parameters(optimiser)):
            tensors[f"{number}.value"] = parameter.detach().cpu().contiguous()
            for name, moment in optimiser.state[parameter].items():
                tensors[f"{number}.{name}"] = moment.detach().cpu().contiguous()
        write_durably(self.path, save(tensors, {"step": json.dumps(step)}))
        self.path.chmod(0o600)

    def restore(self, optimiser: torch.optim.Optimizer) -> int:
        """Put back what was saved and return its step; 0 if there is nothing whole."""
        try:
            with safe_open(self.path, framework="pt") as file:
                step = int((file.metadata() or {})["step"])
                saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError, KeyError, ValueError):
            return 0
        parameters = _parameters(optimiser)
        names = {
            f"{i}.{m}" for i in range(len(parameters)) for m in ("value", *_MOMENTS)
        }
        if set(saved) != names:
            return 0
        for number, parameter in enumerate(parameters):
            parameter.data.copy_(saved[f"{number}.value"])
            optimiser.state[parameter] = {
                m: saved[f"{number}.{m}"].to(
                    "cpu" if m == "step" else parameter.device, copy=True
                )
                for m in _MOMENTS
            }
        return step

    def remove(self) -> None:
        """Remove the file, and those that others left long ago."""
        self.path.unlink(missing_ok=True)
        before = time.time() - _STALE_SECONDS
        for path in self.path.parent.glob(f"*{_ENDING}"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]
