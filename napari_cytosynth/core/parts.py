"""Which cells were made by splitting others, and whether their making still stands."""

from __future__ import annotations

from collections.abc import Container, Iterator

from napari_cytosynth.core.events import Event


class Parts:
    """Cells by the split that made them; parts may be split again."""

    def __init__(self) -> None:
        self._split: dict[int, int] = {}
        self._whole: dict[int, int] = {}
        self._into: dict[int, list[int]] = {}

    def add(self, split: Event, cell: int) -> None:
        """Note that a split parts ``cell``. A cell is made once, by the first."""
        for number in map(int, split.data["into"]):
            if number != cell and number not in self._split:
                self._split[number], self._whole[number] = split.id, cell
                self._into.setdefault(cell, []).append(number)

    def __iter__(self) -> Iterator[int]:
        """Yield every cell that a split ever made."""
        return iter(list(self._split))

    def of(self, cell: int) -> Iterator[int]:
        """Yield all that was ever made of a cell, and of its parts."""
        waiting, seen = [cell], {cell}
        while waiting:
            for number in self._into.get(waiting.pop(), ()):
                if number not in seen:
                    seen.add(number)
                    waiting.append(number)
                    yield number

    def is_unmade(self, cell: int, undone: Container[int]) -> bool:
        """Tell whether the split that made a cell is undone, or one before it."""
        seen: set[int] = set()
        while cell in self._split and cell not in seen:
            if self._split[cell] in undone:
                return True
            seen.add(cell)
            cell = self._whole[cell]
        return False
