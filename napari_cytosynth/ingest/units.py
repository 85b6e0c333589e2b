"""Lengths as files state them, in micrometres."""

from __future__ import annotations

_IN_UM = {
    "micrometer": 1.0,
    "micrometre": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,  # micro sign
    "μm": 1.0,  # Greek mu
    "\\u00b5m": 1.0,  # as ImageJ escapes it
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "nm": 1e-3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "cm": 1e4,
    "meter": 1e6,
    "metre": 1e6,
    "m": 1e6,
    "inch": 25_400.0,
    "in": 25_400.0,
}


def micrometres(value: float, unit: str | None) -> float | None:
    """Return a length in micrometres, or None where the unit is none of length."""
    factor = _IN_UM.get((unit or "").strip().lower())
    return None if factor is None else value * factor
