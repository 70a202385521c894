"""Models that answer: our engine, and the backends of the three verbs."""
