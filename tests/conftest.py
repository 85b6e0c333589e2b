from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A run that decides whether main may move tries the same examples each time; others
# look for new ones. Machines are noisy, so no example is timed.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def developer_data() -> Path:
    """Folder of the developers' real smears; skips where it is absent."""
    folder = Path(os.environ.get("CYTOSYNTH_DATA", ROOT / ".." / "shared" / "data"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"developer data is not at {folder}; set CYTOSYNTH_DATA")
    return folder.resolve()


_SERVE = """
import json, sys
from napari_cytosynth.testing.fakes import FakeCompute
from napari_cytosynth.worker.app import Limits
from napari_cytosynth.worker.serve import ServeSettings, serve

said = json.loads(sys.argv[1])
limits = Limits(**said.pop("limits", {}))
settings = ServeSettings(limits=limits, **said)
serve(settings, lambda url: print(url, flush=True), FakeCompute())
"""


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., str]]:
    """Start a worker that serves by itself; returns its address."""
    running: list[subprocess.Popen[str]] = []

    def begin(**settings: Any) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, json.dumps(settings)],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield begin
    for process in running:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="session")
def certified(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], dict[str, str]]:
    """Make a certificate for this machine and its key; returns both paths."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make keys with")

    def make(name: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp(name)
        made = {n: str(folder / f"{n}.pem") for n in ("certificate", "key")}
        asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=here -addext"
        files = ["-keyout", made["key"], "-out", made["certificate"]]
        subprocess.run(
            [openssl, *asked.split(), "subjectAltName=IP:127.0.0.1", *files],
            check=True,
            capture_output=True,
        )
        return made

    return make
