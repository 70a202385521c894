"""Settings for the whole suite."""

from hypothesis import settings

# A busy machine is no failure: examples have no deadline. No database: nothing is written into the tree.
settings.register_profile("presage", deadline=None, database=None)
settings.load_profile("presage")
