"""A training run that can be stopped and gone on with, and its averaged network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CHECKPOINT, PROGRESS = "checkpoint.safetensors", "progress.json"


class Course:
    """Network, averaged weights, optimiser and step count of one run.

    Parameters
    ----------
    net : Module
        Is trained.
    optimiser : Optimizer
        Of its parameters.
    decay : float
        Of the averaged weights, once many steps are done.
    loss : float
        What the running mean of the loss begins at.

    Attributes
    ----------
    average : dict of str to Tensor
        The averaged weights.
    step, seconds : int, float
        Steps and wall time so far, of all sittings.
    """

    def __init__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        decay: float,
        loss: float,
    ) -> None:
        self.net, self.optimiser = net, optimiser
        self.average = weights_of(net)
        self.step, self.seconds, self.loss = 0, 0.0, loss
        self._decay = decay

    def take(self, loss: Tensor, clip: float) -> None:
        """Take an optimiser step down a loss, and average."""
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), clip)
        self.optimiser.step()
        self.step += 1
        self.loss += (float(loss.detach()) - self.loss) * 0.02
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self._decay, (1 + self.step) / (10 + self.step))
        for key, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - decay)

    def save(self, folder: Path, more: Mapping[str, Tensor] | None = None) -> None:
        """Write a checkpoint; a stop in the middle leaves the last one whole."""
        arrays = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        arrays |= {f"ema.{k}": v for k, v in self.average.items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            arrays |= {f"opt.{i}.{k}": v for k, v in state.items()}
        arrays |= more or {}
        arrays = {k: v.contiguous().clone() for k, v in arrays.items()}
        note = {"step": self.step, "seconds": round(self.seconds), "loss": self.loss}
        save_file(arrays, folder / "new.safetensors", {"note": json.dumps(note)})
        (folder / "new.safetensors").replace(folder / CHECKPOINT)
        (folder / PROGRESS).write_text(json.dumps(note))

    def resume(self, folder: Path) -> None:
        """Go on from the folder's checkpoint, if there is one."""
        path = folder / CHECKPOINT
        if not path.exists():
            return
        arrays = load_file(path)
        self.net.load_state_dict(part_of(arrays, "net."))
        self.average = part_of(arrays, "ema.")
        groups = self.optimiser.param_groups
        weights = [parameter for group in groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part_of(arrays, "opt.").items():
            index, name = key.split(".", 1)
            # The fused step walks along memory: moments must lie as weights do.
            like = weights[int(index)] if value.dim() else value
            laid = torch.empty_like(like).copy_(value)
            state.setdefault(int(index), {})[name] = laid
        known = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": known})
        note = json.loads((folder / PROGRESS).read_text())
        self.step, self.seconds, self.loss = note["step"], note["seconds"], note["loss"]

    def sit(self, advance: Callable[[], None], out: Path, every: float) -> None:
        """Advance once, count the time, and save where so many seconds are full."""
        began, before = time.monotonic(), self.seconds
        advance()
        self.seconds = before + time.monotonic() - began
        if int(before / every) != int(self.seconds / every):
            self.save(out)
            self.seconds = before + time.monotonic() - began


def weights_of(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's weights by name."""
    return {name: value.clone() for name, value in net.state_dict().items()}


def part_of(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the arrays of a prefix, without it."""
    return {
        k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)
    }
