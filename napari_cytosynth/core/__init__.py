"""Nouns and rules. Imports numpy and the standard library, and nothing of this package."""
