"""A user's own classes."""

from pathlib import Path

import pytest

from napari_cytosynth.core.errors import FormatError, TaxonomyError
from napari_cytosynth.core.taxonomies import built_in
from napari_cytosynth.formats.taxonomy_yaml import read_taxonomy


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_minimal_file(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(
        _write(tmp_path, "classes:\n- {code: A, name: Alpha}\n- {code: B, name: Beta}")
    )
    assert taxonomy.name == "mine"
    assert taxonomy.codes == ("A", "B")
    assert [c.keys for c in taxonomy] == ["1", "2"]
    assert taxonomy["A"].colour != taxonomy["B"].colour
    assert taxonomy["A"].concept == "alpha"


def test_full_file(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(
        _write(
            tmp_path,
            """
name: my lab
classes:
- {code: BLA, concept: blast, keys: b}
- {code: NEU, concept: neutrophil.segmented, name: Seg, colour: "#112233",
   neighbours: [BLA], aliases: [seg]}
- {code: ART, name: Dirt, abstain: true, lineage: none, symbol: x}
costs:
- {truth: BLA, taken_for: NEU, cost: 5}
""",
        )
    )
    assert taxonomy.name == "my lab"
    assert taxonomy["BLA"].name == "Blast cell"
    assert taxonomy["NEU"].name == "Seg"
    assert taxonomy.find("SEG").code == "NEU"
    assert taxonomy.cell_codes == ("BLA", "NEU")
    assert taxonomy.cost("BLA", "NEU") == 5
    marrow = built_in("marrow21")
    assert taxonomy["NEU"].concept == marrow["NGS"].concept
    assert taxonomy["BLA"].concept == marrow["BLA"].concept


def test_free_keys_avoid_given_ones(tmp_path: Path) -> None:
    text = "classes:\n- {code: A, name: a}\n- {code: B, name: b, keys: '1'}\n"
    text += "- {code: C, name: c, keys: '2x'}\n"
    taxonomy = read_taxonomy(_write(tmp_path, text))
    assert [c.keys for c in taxonomy] == ["3", "1", "2x"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "not YAML"),
        ("- 1", "no mapping"),
        ("name: x", "lacks 'classes'"),
        ("classes: []", "lacks 'classes'"),
        ("classes: [1]", "class 1 lacks code or name"),
        ("classes: [{code: A}]", "lacks code or name"),
        ("classes: [{code: A, name: a, color: red}]", "unknown fields"),
        ("classes: [{code: A, name: a}]\ncosts: [{truth: A}]", "cost 1"),
        (
            "classes: [{code: A, name: a}]\ncosts: [{truth: A, taken_for: A, cost: x}]",
            "not a number",
        ),
        ("!!python/object/apply:os.system [id]", "not YAML"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read_taxonomy(_write(tmp_path, text))


def test_contradictions_are_refused(tmp_path: Path) -> None:
    for text in (
        "classes: [{code: A, name: a}, {code: A, name: b}]",
        "classes: [{code: A, name: a, keys: '1'}, {code: B, name: b, keys: '12'}]",
        "classes: [{code: A, name: a, neighbours: [Z]}]",
    ):
        with pytest.raises(TaxonomyError):
            read_taxonomy(_write(tmp_path, text))
