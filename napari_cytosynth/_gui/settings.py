"""Settings: napari keeps them (Preferences > CytoSynth); here they turn plain."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings

PLUGIN = "napari-cytosynth"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose.

    Parameters
    ----------
    annotator : str
        Empty: ask.
    blind : bool
        Hide predictions at the start.
    strategy, taxonomy, embedder : str
        Keys.
    address, token, certificate : str
        Of a worker elsewhere; no address: start one here.
    critics : tuple of str
        Critics of the user's own, which judge besides the standard ones.
    folder : Path
        Where new projects are made.
    """

    annotator: str
    blind: bool
    strategy: str
    taxonomy: str
    embedder: str
    address: str
    token: str
    certificate: str
    critics: tuple[str, ...]
    folder: Path


def read_settings() -> Settings:
    """Return what napari keeps for us."""
    kept: Any = get_plugin_settings(PLUGIN)
    labelling, compute = kept.labelling, kept.compute
    folder = str(kept.storage.folder).strip()
    return Settings(
        annotator=str(labelling.annotator).strip(),
        blind=bool(labelling.blind),
        strategy=_plain(labelling.strategy),
        taxonomy=_plain(labelling.taxonomy),
        embedder=_plain(compute.embedder),
        address=str(compute.address).strip(),
        token=str(compute.token).strip(),
        certificate=str(compute.certificate).strip(),
        critics=tuple(str(compute.critics).replace(",", " ").split()),
        folder=Path(folder).expanduser() if folder else data_folder(),
    )


def keep_annotator(name: str) -> None:
    """Remember the annotator's name, so that it is asked once."""
    kept: Any = get_plugin_settings(PLUGIN)
    kept.labelling.annotator = name


def watch_embedder(told: Callable[[str], None]) -> Callable[[], None]:
    """Tell whenever the user chooses an embedder; return what ends it."""
    kept: Any = get_plugin_settings(PLUGIN)
    chosen = kept.compute.events.embedder

    def on_chosen(_: object) -> None:
        told(_plain(kept.compute.embedder))

    chosen.connect(on_chosen)
    return lambda: chosen.disconnect(on_chosen)


def data_folder() -> Path:
    """Return the per-user folder for projects, by each platform's custom."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "cytosynth"


def _plain(value: Any) -> str:
    """Return the value of a choice; napari makes an enumeration of it."""
    return str(getattr(value, "value", value))
