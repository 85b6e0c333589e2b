"""Classes, and how two taxonomies meet."""

import re
from dataclasses import replace

import pytest

from napari_cytosynth.core.errors import TaxonomyError, UnknownClassError
from napari_cytosynth.core.taxonomies import BUILT_IN, built_in
from napari_cytosynth.core.taxonomy import CellClass, Taxonomy

A = CellClass("alpha", "A", "Alpha", "none", "1", "#000000")
B = CellClass("beta", "B", "Beta", "none", "2", "#111111", aliases=("bet",))

NAPARI_SYMBOLS = {
    "arrow",
    "clobber",
    "cross",
    "diamond",
    "disc",
    "hbar",
    "hexagon",
    "ring",
    "square",
    "star",
    "tailed_arrow",
    "triangle_down",
    "triangle_up",
    "vbar",
    "x",
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_is_whole(name: str) -> None:
    taxonomy = built_in(name)
    assert taxonomy.name == name
    assert len(set(taxonomy.codes)) == len(taxonomy)
    for cell_class in taxonomy:
        assert re.fullmatch("#[0-9a-f]{6}", cell_class.colour)
        assert cell_class.symbol in NAPARI_SYMBOLS
        assert taxonomy.find(cell_class.code) == cell_class
        assert taxonomy.find(f" {cell_class.code.lower()} ").concept
        assert taxonomy.by_concept(cell_class.concept) == cell_class
        assert taxonomy[cell_class.code] == cell_class
        for alias in (cell_class.name, *cell_class.aliases):
            assert taxonomy.find(alias) == cell_class
    assert {"artefact", "not identifiable", "smudge"} <= {
        c.concept for c in taxonomy if c.abstain
    }


def test_sizes_of_the_built_in() -> None:
    assert len(built_in("marrow21")) == 21
    assert len(built_in("pbc11").cell_codes) == 11
    assert len(built_in("blood5").cell_codes) == 5
    assert len(built_in("aml15").cell_codes) == 14


def test_look_and_symbol_tell_classes_apart() -> None:
    for name in BUILT_IN:
        looks = [(c.colour, c.symbol) for c in built_in(name)]
        assert len(set(looks)) == len(looks)


def test_neighbours_lie_on_the_line() -> None:
    taxonomy = built_in("pbc11")
    assert taxonomy["MMY"].neighbours == ("MY", "BNE")
    for cell_class in taxonomy:
        for code in cell_class.neighbours:
            assert cell_class.code in taxonomy[code].neighbours


def test_costs() -> None:
    taxonomy = built_in("marrow21")
    assert taxonomy.cost("BLA", "BLA") == 0
    assert taxonomy.cost("BLA", "LYT") == 3
    assert taxonomy.cost("LYT", "BLA") == 1
    assert taxonomy.cost("MYB", "MMZ") == 0.5
    assert taxonomy.cost("EOS", "BAS") == 1


def test_order_and_index() -> None:
    taxonomy = Taxonomy("t", (A, B))
    assert taxonomy.codes == ("A", "B")
    assert taxonomy.index("B") == 1
    assert "A" in taxonomy
    assert "Z" not in taxonomy
    assert list(taxonomy) == [A, B]


def test_unknown_class_lists_the_known() -> None:
    taxonomy = Taxonomy("t", (A, B))
    for look in (taxonomy.__getitem__, taxonomy.index, taxonomy.find):
        with pytest.raises(UnknownClassError, match="A, B") as caught:
            look("Z")
        # A KeyError would show quotes and escapes.
        assert not str(caught.value).startswith('"')


def test_ambiguous_name_is_refused() -> None:
    twin = replace(A, aliases=("bet",))
    with pytest.raises(UnknownClassError, match="several classes"):
        Taxonomy("t", (twin, B)).find("bet")


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ((), "no classes"),
        ((A, replace(B, code="A")), "code"),
        ((A, replace(B, concept="alpha")), "concept"),
        ((A, replace(B, keys="1")), "keys"),
        ((A, replace(B, keys="12")), "starts the chord"),
        ((A, replace(B, neighbours=("Z",))), "unknown neighbours"),
    ],
)
def test_contradictions_are_refused(classes, says: str) -> None:
    with pytest.raises(TaxonomyError, match=says):
        Taxonomy("t", classes)


def test_no_such_built_in() -> None:
    with pytest.raises(UnknownClassError, match="marrow21"):
        built_in("nope")
