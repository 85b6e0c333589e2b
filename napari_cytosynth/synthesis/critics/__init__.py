"""Judges of synthetic cells. Each says a number and a reason."""

from __future__ import annotations

MIN_REAL = 5
"""Real cells of a class below which no critic can vouch for its synthetic ones."""

FEW_REAL = 30
"""Real cells below which a bar that they set is not calibrated."""
