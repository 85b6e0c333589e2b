"""Lists of cards that are made when they are painted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cytosynth.app.crops import CropCache
from napari_cytosynth.app.listing import Listing
from napari_cytosynth.app.panels import DOUBTED, Card, Tab
from napari_cytosynth.app.session import Session
from napari_cytosynth.core.ids import CellId, SyntheticId
from napari_cytosynth.core.journal import Mode
from napari_cytosynth.core.provenance import SyntheticCell
from napari_cytosynth.core.quality import words
from napari_cytosynth.core.rereading import comments, fault, wants_second_opinion
from napari_cytosynth.core.splits import hash_share

_UNTOLD = 1 / 3
"""Share of chosen cards that do not say why they came, as no audit card does."""


def silent(session: Session) -> npt.NDArray[np.int64]:
    """Return the cards of the queue of which nothing is told, audit cards among them.

    What is shown elsewhere of single cells leaves them out: it would tell of an audit
    card what the model makes of it.
    """
    listing = session.ranking.listing
    kept = [
        i for i in listing.ids.tolist() if i not in listing.reasons or not _may_tell(i)
    ]
    return np.array(kept, np.int64)


def _may_tell(cell: int) -> bool:
    return hash_share(str(cell), "told") >= _UNTOLD


class CellCards:
    """Real cells of a listing.

    In the queue a card that the ranking chose says why it came. Audit cards never do:
    they are read before anything is told of what the model makes of them. A share of
    the chosen ones is silent too, by chance, so that silence marks no audit card: of
    ten cards one is drawn and three are silent ones that were chosen. What a search
    found holds no audit card, and each says why it came.

    Parameters
    ----------
    session : Session
        Labels, guesses, remarks as they stand when a card is painted.
    listing : Listing
        Which cells, in which order.
    crops : CropCache
        Their pictures.
    """

    def __init__(self, session: Session, listing: Listing, crops: CropCache) -> None:
        self._session, self._listing, self._crops = session, listing, crops

    def __len__(self) -> int:
        return len(self._listing)

    def __getitem__(self, row: int) -> Card:
        cell = CellId(int(self._listing.ids[row]))
        crop = self._crops.get(self._listing.ids, row)
        if cell not in self._session.index:
            return Card(int(cell), crop, badge="removed")
        code = self._session.code(cell)
        colour, symbol = self._looks(code)
        return Card(
            id=int(cell),
            crop=crop,
            caption=self._caption(cell, row),
            code=code,
            colour=colour,
            symbol=symbol,
            guess="" if code else self._guess(cell),
            badge=self._badge(cell),
            flaws=words(self._session.index.flaw(cell)),
        )

    def row_of(self, number: int) -> int | None:
        """Return the row of a cell, or None."""
        return self._listing.row_of(number)

    def shows_guesses(self, cell: CellId) -> bool:
        """Tell whether what the model makes of a cell may be shown.

        In the queue of those cells only that say why they came, and after the label.
        """
        if self._session.state.blind or cell not in self._session.index:
            return False
        return (
            not self._in_queue or self._is_told(cell) or bool(self._session.code(cell))
        )

    def _looks(self, code: str) -> tuple[str, str]:
        if not code:
            return "", ""
        cell_class = self._session.project.taxonomy[code]
        return cell_class.colour, cell_class.symbol

    def _caption(self, cell: CellId, row: int) -> str:
        if self._session.state.blind:
            return ""
        if self._session.state.filter == DOUBTED:
            return self._listing.reasons.get(int(cell), "")
        if self._in_queue and not self._is_told(cell):
            return f"card {row + 1} of {len(self)}"
        return self._listing.reasons.get(int(cell), "")

    def _is_told(self, cell: CellId) -> bool:
        """Tell whether a card of the queue says why it came."""
        if int(cell) not in self._listing.reasons:
            return False
        if self._session.state.search:
            return True
        label = self._session.project.journal.label(cell)
        audit = label is not None and label.mode is Mode.AUDIT
        return not audit and _may_tell(int(cell))

    def _guess(self, cell: CellId) -> str:
        code, probability = self._session.index.guess(cell)
        if self._session.state.blind or self._in_queue or not code:
            return ""
        return f"{code} {probability:.2f}"

    @property
    def _in_queue(self) -> bool:
        return self._session.state.tab is not Tab.PREDICTED

    def _badge(self, cell: CellId) -> str:
        journal = self._session.project.journal
        if wants_second_opinion(journal, cell):
            return "second opinion"
        if comments(journal, cell):
            return "comment"
        return fault(journal, cell) or ("skipped" if journal.skipped(cell) else "")


class SyntheticCards:
    """Synthetic cells, in order of making.

    Parameters
    ----------
    session : Session
        Holds them on its shelf.
    ids : tuple of SyntheticId
        Which.
    """

    def __init__(self, session: Session, ids: tuple[SyntheticId, ...]) -> None:
        self._session, self._ids = session, ids
        self._rows = {number: row for row, number in enumerate(ids)}

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> Card:
        cell = self._session.fills.shelf[self._ids[row]]
        cell_class = self._session.project.taxonomy[cell.code]
        return Card(
            id=int(cell.id),
            crop=cell.pixels,
            caption=_told_first(cell),
            code=cell.code,
            colour=cell_class.colour,
            symbol=cell_class.symbol,
            badge=str(cell.status),
            synthetic=True,
            verified=cell.verified,
            verdicts=verdicts(cell),
        )

    def row_of(self, number: int) -> int | None:
        """Return the row of a synthetic cell, or None."""
        return self._rows.get(SyntheticId(number))


def verdicts(cell: SyntheticCell) -> tuple[str, ...]:
    """Return what each critic said of a cell: its name, yes or no, the reason."""
    return tuple(
        f"{a.critic} {'passed' if a.passed else 'refused'}: {a.reason}"
        for a in cell.assessments
    )


def _told_first(cell: SyntheticCell) -> str:
    """Return the reason of the first veto, else what the first critic said."""
    reasons = [a.reason for a in cell.assessments if not a.passed]
    reasons += [a.reason for a in cell.assessments]
    return reasons[0] if reasons else ""
