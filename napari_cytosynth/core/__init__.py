"""Nouns and rules. Imports numpy, the standard library and nothing else."""
