"""Readers of the public files' own formats: each takes the paths of a set and gives its examples."""
