"""Identifiers. Numbers inside a project, assigned by its store."""

from __future__ import annotations

from typing import NewType

SmearId = NewType("SmearId", int)
"""Number of a smear within its project."""

CellId = NewType("CellId", int)
"""Number of a real cell within its project."""

SyntheticId = NewType("SyntheticId", int)
"""Number of a synthetic cell within its project; its own number range."""

EventId = NewType("EventId", int)
"""Number of a journal event; grows with time."""
