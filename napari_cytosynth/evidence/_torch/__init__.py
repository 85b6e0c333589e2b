"""Networks that evidence trains; torch is imported here only."""
