"""Backends of the three verbs."""
