"""What synthesis has to beat: real cells, enriched without a generator."""
