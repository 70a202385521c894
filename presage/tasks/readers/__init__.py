"""Readers: public files in their own formats, to examples."""
