"""Did synthesis help? Measured on real audit cells only, against controls."""
