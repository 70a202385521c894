"""presage: know what a big language model will be before paying for it."""

__version__ = "0.1.0"
