"""Examining models: what a score is worth."""
