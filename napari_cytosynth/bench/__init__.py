"""The benchmarks behind ``cytosynth bench``, one a module; results go to stdout."""
