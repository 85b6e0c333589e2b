from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def developer_data() -> Path:
    """Folder of the developers' real smears; skips where it is absent."""
    folder = Path(os.environ.get("CYTOSYNTH_DATA", ROOT / ".." / "shared" / "data"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"developer data is not at {folder}; set CYTOSYNTH_DATA")
    return folder.resolve()
