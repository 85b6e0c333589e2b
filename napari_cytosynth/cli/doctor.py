"""Check that everything that is needed is there, and name what is not.

Example: cytosynth doctor
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import typer

from napari_cytosynth.cli import display
from napari_cytosynth.cli.output import Json, show
from napari_cytosynth.core.errors import CytoSynthError


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: str
    """``ok``, ``warn`` (works without) or ``fail``."""
    text: str


def run(as_json: Json = False) -> None:
    """Look at everything; exit 1 if something that is needed is missing."""
    findings = [check() for check in CHECKS]
    document = {"ok": not _failed(findings), "checks": [f._asdict() for f in findings]}
    lines = [f"{f.state:>4}  {f.name}: {f.text}" for f in findings]
    show(document, lines, as_json)
    if _failed(findings):
        raise typer.Exit(1)


def _failed(findings: list[Finding]) -> bool:
    return any(f.state == "fail" for f in findings)


def _python() -> Finding:
    return Finding(
        "python", "ok", f"{platform.python_version()} on {platform.platform()}"
    )


def _packages() -> Finding:
    wanted = ("napari", "torch", "diffusers", "scikit-learn", "zarr", "numpy")
    found, absent = [], []
    for name in wanted:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        text = f"missing {', '.join(absent)}; pip install napari-cytosynth again"
        return Finding("packages", "fail", text)
    return Finding("packages", "ok", ", ".join(found))


def _torchvision() -> Finding:
    if find_spec("torchvision") is None:
        return Finding("torchvision", "ok", "absent, as it should be")
    code = "import torchvision"
    broken = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False
    ).returncode
    if broken:
        text = "installed but broken, and breaks diffusers: pip uninstall torchvision"
        return Finding("torchvision", "fail", text)
    return Finding("torchvision", "ok", "installed and not used")


def _device() -> Finding:
    # Asked in a child, so that this process stays free of torch.
    code = (
        "import torch; print(torch.cuda.get_device_name(0) "
        "if torch.cuda.is_available() else 'cpu')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Finding("torch", "fail", f"does not start: {reason}")
    device = done.stdout.strip()
    if device == "cpu":
        text = "no GPU: labelling and the small generators work, 'lora' needs one"
        return Finding("device", "warn", text)
    return Finding("device", "ok", device)


def _sqlite() -> Finding:
    from napari_cytosynth.store.database import journal_settings

    mode = "+".join(journal_settings(Path.cwd(), sqlite3.sqlite_version_info))
    return Finding("sqlite", "ok", f"{sqlite3.sqlite_version}, journal mode {mode}")


def _qt() -> Finding:
    try:
        display.demand_window()
    except CytoSynthError as error:
        return Finding("qt", "warn", str(error))
    return Finding("qt", "ok", "a binding and its system libraries are there")


def _screen() -> Finding:
    if display.has_display():
        return Finding("display", "ok", "there is one")
    if display.has_virtual_display():
        return Finding("display", "warn", "none; pictures are made with xvfb-run")
    text = "none, and no xvfb-run: apt-get install xvfb, or use the command line only"
    return Finding("display", "warn", text)


def _weights() -> Finding:
    from napari_cytosynth.synthesis.starter import load_starter

    try:
        starter = load_starter()
    except CytoSynthError as error:
        return Finding("weights", "fail", str(error))
    text = f"{len(starter.concepts)} classes, SHA-256 {starter.sha256[:12]}"
    return Finding("weights", "ok", text)


_OFF_SIZE = 0.1  # share by which a file of weights may differ from its page's figure


def _foundation() -> Finding:
    from napari_cytosynth.features.dinobloom_files import (
        VARIANTS,
        offline,
        weights_folder,
    )

    try:
        found = f"transformers {version('transformers')}"
    except PackageNotFoundError:
        text = (
            "no transformers, which dinobloom and dinov2 need: pip install "
            "'napari-cytosynth[foundation]'"
        )
        return Finding("foundation", "warn", text)
    folder = weights_folder()
    sizes = {
        name: (folder / variant.published.file).stat().st_size / variant.published.size
        for name, variant in VARIANTS.items()
        if (folder / variant.published.file).is_file()
    }
    # Published sizes are rounded; a hash of gigabytes would take too long here.
    broken = sorted(name for name, share in sizes.items() if abs(share - 1) > _OFF_SIZE)
    here = set(sizes) - set(broken)
    away = [
        f"{name} ({variant.published.size / 1e6:,.0f} MB)"
        for name, variant in VARIANTS.items()
        if name not in sizes
    ]
    told = f"in '{folder}' {', '.join(sorted(here)) or 'no weights'}"
    fetched = "cannot be fetched, downloads are off" if offline() else "fetched if used"
    text = f"{found}; {told}" + (f"; {fetched}: {', '.join(away)}" if away else "")
    if broken:
        text += f"; of another size than published, remove: {', '.join(broken)}"
    return Finding("foundation", "ok" if here and not broken else "warn", text)


def _sample() -> Finding:
    from napari_cytosynth.workflows.sample import sample_smear_path

    try:
        path = sample_smear_path()
    except CytoSynthError as error:
        return Finding("sample", "fail", str(error))
    return Finding("sample", "ok", path.name)


def _disk() -> Finding:
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    state = "ok" if free > 1 else "warn"
    return Finding("disk", state, f"{free:.1f} GB free here")


CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _packages,
    _torchvision,
    _device,
    _sqlite,
    _qt,
    _screen,
    _weights,
    _foundation,
    _sample,
    _disk,
)
