"""The smears of a project and their calibrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.core.ids import SmearId
from napari_cytosynth.core.smear import Calibration, Smear
from napari_cytosynth.store.backend import Backend


class Smears:
    """Smears by id, from 1.

    Parameters
    ----------
    backend : Backend
        Where they lie.
    known : iterable of Smear
        Those that were read.
    calibrations : mapping of smear id to Calibration
        Those that were read.
    """

    def __init__(
        self,
        backend: Backend,
        known: Iterable[Smear],
        calibrations: Mapping[int, Calibration],
    ) -> None:
        self._backend = backend
        self._smears = {int(s.id): s for s in known}
        self._calibrations = dict(calibrations)

    def all(self) -> list[Smear]:
        """Return all smears, in order of id."""
        return list(self._smears.values())

    def demand(self, smear: int) -> Smear:
        """Return a smear; raises InputError if there is none of that id."""
        if smear not in self._smears:
            raise InputError(
                f"Smear {smear} is not in project '{self._backend.name}', which holds "
                f"{len(self._smears)}. Add it first, or give an id from smears()."
            )
        return self._smears[smear]

    def add(self, smear: Smear) -> Smear:
        """Keep a smear, or return the one of the same fingerprint."""
        for known in self._smears.values():
            if known.fingerprint == smear.fingerprint:
                return known
        added = replace(smear, id=SmearId(max(self._smears, default=0) + 1))
        self._backend.save_smear(added)
        self._smears[added.id] = added
        return added

    def relink(self, smear: SmearId, uri: str, fingerprint: str) -> Smear:
        """Point a smear at a moved file; raises InputError if it is another picture."""
        known = self.demand(smear)
        if known.fingerprint != fingerprint:
            raise InputError(
                f"'{uri}' is not the picture of smear {smear} ('{known.uri}'): its "
                "content differs. Only the very same file can be relinked; add this "
                "one as a new smear."
            )
        moved = replace(known, uri=uri)
        self._backend.save_smear(moved)
        self._smears[smear] = moved
        return moved

    def calibrate(self, smear: SmearId, calibration: Calibration) -> None:
        """Keep a calibration."""
        self.demand(smear)
        self._backend.save_calibration(smear, calibration)
        self._calibrations[smear] = calibration

    def calibration(self, smear: SmearId) -> Calibration | None:
        """Return a calibration, or None before it was made."""
        self.demand(smear)
        return self._calibrations.get(smear)
