"""Classifier head, calibration and query strategies."""
