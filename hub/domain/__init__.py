"""Pure values and decisions: no I/O, no clock, no randomness; the engine runs what stands here."""
