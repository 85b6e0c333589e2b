from __future__ import annotations

import os
from pathlib import Path

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
