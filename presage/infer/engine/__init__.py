"""Many requests at once on one model: continuous batching over slots of keys and values."""
