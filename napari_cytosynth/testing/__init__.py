"""Contracts, fakes, painters and tiny projects for tests, plug-ins' own included."""
