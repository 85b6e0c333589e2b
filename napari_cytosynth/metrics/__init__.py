"""Figures on sets of vectors, in plain numpy: shared by the gate and the evidence."""
