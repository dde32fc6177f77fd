"""The machine: one run of one set, bar by bar, by the rules of the reference."""
