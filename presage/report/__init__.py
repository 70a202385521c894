"""A pure reader of run directories."""
