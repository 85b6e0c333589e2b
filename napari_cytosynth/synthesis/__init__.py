"""Generators of synthetic cells, the critics that judge them, and the gate."""
