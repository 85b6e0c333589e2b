"""The benchmarks behind ``cytosynth bench``, one a module; results go to stdout.

Each has ``run(data, *, seeds, quick)``, which returns the rows of its table, and raises
InputError where it needs developer data that is not there.
"""
