"""The report as a page: what it shows, who can read it, and what it must not hold."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from napari_cytosynth.core.tasks import run_to_end
from napari_cytosynth.evidence.appendix import (
    Appendix,
    Made,
    PairSheet,
    Sheet,
    grid_uri,
)
from napari_cytosynth.evidence.card_html import card_html
from napari_cytosynth.evidence.inspection import Inspection
from napari_cytosynth.evidence.memorisation import NearestPair
from napari_cytosynth.evidence.plots import confusion_table, dot_plot
from napari_cytosynth.evidence.reader import Shown, score
from napari_cytosynth.evidence.record import Evidence
from napari_cytosynth.evidence.report import html_of
from napari_cytosynth.metrics.intervals import Interval

CROPS = np.random.default_rng(0).integers(0, 255, (3, 96, 96, 3), np.uint8)


CARD = """# Generator `<latent>`

**Patients** may <b>not</b> be named,
nor seen.

## What it made

- limit: few & old

| class | SHA-256 |
| --- | --- |
| <BA> | `ab12` |
"""

SHOWN = [Shown(i % 2 == 0, i, "BA", "latent, class" * (i % 2 == 0)) for i in range(20)]


class _Page(HTMLParser):
    """Collects what a reader without eyes or mouse depends on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.faults: list[str] = []
        self.levels: list[int] = []
        self.captions = self.tables = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if "id" in known:
            if known["id"] in self.ids:
                self.faults.append(f"id {known['id']} stands twice")
            self.ids.add(str(known["id"]))
        if tag == "a":
            self.links.append(str(known["href"]))
        if tag == "img" and not known.get("alt"):
            self.faults.append("a picture without words")
        if tag == "svg" and not known.get("aria-label"):
            self.faults.append("a drawing without words")
        if tag == "script" or any(k.startswith("on") for k in known):
            self.faults.append(f"code in {tag}")
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.tables += tag == "table"
        self.captions += tag == "caption"


@pytest.fixture
def page() -> str:
    appendix = Appendix(
        smears=2,
        labels=40,
        inspection=Inspection("cells", "starter:1", (), (), (), 0),
        made=(Made("latent", "<BA>", 3, 2, 1),),
        sheets=(Sheet("BA", "Basophil", CROPS, CROPS[:2], (40, 30), 7),),
        pairs=(PairSheet("BA", (NearestPair(1, 2, 0.5, 0.9, True),), CROPS, CROPS),),
        cards=(CARD,),
        readers=(score(SHOWN, [True, False] * 10, ("t", "Dr Who", "2026-11-21")),),
    )
    evidence = Evidence("no benefit found", ("few",), (), (), {}, (0,), 0, "s")
    return html_of(evidence, appendix)


def test_everything_has_words_and_a_place(page: str) -> None:
    read = _Page(page)
    assert not read.faults
    assert read.tables == read.captions
    assert {link.removeprefix("#") for link in read.links} <= read.ids
    assert all(b <= a + 1 for a, b in zip(read.levels, read.levels[1:], strict=False))
    assert read.levels.count(1) == 1


def test_it_asks_nobody_and_escapes_what_it_is_given(page: str) -> None:
    assert not re.search(r"https?://|@import|url\(", page)
    assert "&lt;BA&gt;" in page
    assert "&lt;latent&gt;" in page


def test_blinded_readers_are_told_without_their_names(page: str) -> None:
    assert "Blinded readers" in page
    assert "latent, class" in page
    assert "Dr Who" not in page


def test_light_dark_and_print_are_thought_of(page: str) -> None:
    for wanted in ("prefers-color-scheme: dark", "@media print", "focus-visible"):
        assert wanted in page


def test_cards_are_shown_as_headings_lists_and_tables() -> None:
    assert card_html(CARD) == (
        "<article class='card'><h3>Generator <code>&lt;latent&gt;</code></h3>"
        "<p><strong>Patients</strong> may &lt;b&gt;not&lt;/b&gt; be named, nor seen."
        "</p><h4>What it made</h4><ul><li>limit: few &amp; old</li></ul>"
        "<div class='wide' tabindex='0' role='region' "
        "aria-label='Generator &lt;latent&gt;: What it made'><table><caption>"
        "Generator &lt;latent&gt;: What it made</caption><thead><tr>"
        "<th scope='col'>class</th><th scope='col'>SHA-256</th></tr></thead><tbody>"
        "<tr><th scope='row'>&lt;BA&gt;</th><td><code>ab12</code></td></tr></tbody>"
        "</table></div></article>"
    )


def test_on_paper_heads_come_again_and_nothing_stays_folded(page: str) -> None:
    matrix = confusion_table(["A", "B"], [(3, 1, 0), (0, 2, 0)], "x")
    for html in (page, matrix):
        assert html.count("<table") == html.count("<thead>") == html.count("<tbody>")
    _, _, paper = page.partition("@media print")
    assert "details::details-content { content-visibility: visible; }" in paper
    assert "thead { display: table-header-group; }" in " ".join(paper.split())
    assert "<pre" not in page


def test_pictures_are_made_anew_without_metadata() -> None:
    uri = grid_uri([CROPS, CROPS[:1]])
    raw = base64.b64decode(uri.partition(",")[2])
    with Image.open(io.BytesIO(raw)) as picture:
        assert picture.size == (3 * 96 + 8, 2 * 96 + 4)
        assert not picture.getexif()
        assert "comment" not in picture.info
        shown = np.asarray(picture.convert("RGB"))
    assert (shown[110:190, 120:180] > 240).all()


def test_a_confusion_says_who_was_taken_for_whom() -> None:
    shown = confusion_table(
        ["A", "B", "C"], [(3, 1, 0, 0), (0, 0, 0, 2), (0,) * 4], "x"
    )
    assert ">3<" in shown
    assert "none" in shown
    assert "<th scope='row'>C" not in shown
    assert "--share:38%" in shown


def test_a_plot_tells_its_figures_in_words() -> None:
    rows = [("real", Interval(0.5, 0.25, 0.75, 9), "none"), ("more", None, "synthetic")]
    shown = dot_plot(rows, "Recall")
    assert "Recall. real: 0.500 [0.250, 0.750] (n = 9); more: cannot be" in shown


def test_confusions_count_audit_cells() -> None:
    from napari_cytosynth.core.protocols import LabelledCells
    from napari_cytosynth.evidence.benefit import measure
    from napari_cytosynth.evidence.question import Question

    rng = np.random.default_rng(0)

    def cells(n: int) -> LabelledCells:
        codes = ("A", "B") * n
        vectors = rng.normal(0, 1, (2 * n, 3)).astype(np.float32)
        vectors[::2] += 20
        ids = np.arange(2 * n)
        none = np.zeros((0, 96, 96, 3), np.uint8)
        return LabelledCells(ids, codes, none, vectors, "e", ids.astype(str))

    train, audit = cells(10), cells(12)
    question = Question(train, audit, np.zeros((0, 3), np.float32), (), ("A", "B"))
    found = run_to_end(measure(question, seeds=2))
    assert found.cases[0].confusion == ((12.0, 0.0, 0.0), (0.0, 12.0, 0.0))
    assert Evidence.from_json(found.to_json()) == found
