"""Bare torch loops that the benchmarks of generators stand beside."""
