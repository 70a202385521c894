"""Talking with a model in a terminal."""
