"""Both twins keep the same contract."""

from pathlib import Path

import pytest

from napari_cytosynth.core.project import Project
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.store import (
    CellProject,
    MemoryProject,
    create_project,
    open_project,
)
from napari_cytosynth.testing.contracts_store import ProjectContract


class TestMemoryProject(ProjectContract):
    def make(self) -> Project:
        return MemoryProject(built_in("pbc11"))


class TestCellProject(ProjectContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path):
        self._made: list[CellProject] = []
        self._path = tmp_path / "p"
        yield
        for project in self._made:
            project.close()

    def make(self) -> Project:
        self._made.append(create_project(self._path, built_in("pbc11")))
        return self._made[-1]

    def again(self, project: Project) -> Project:
        project.close()
        self._made.append(open_project(self._path))
        return self._made[-1]
