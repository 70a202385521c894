"""Rules that look at one document alone: what is measured, the range it must lie in, and where the rule comes from."""
