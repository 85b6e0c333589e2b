"""Networks of the generators. The only part of this room that imports torch."""
