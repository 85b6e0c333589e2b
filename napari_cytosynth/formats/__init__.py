"""Annotation formats, one file each, found by the registry under ``formats``."""
