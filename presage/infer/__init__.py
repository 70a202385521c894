"""Models that answer the three verbs: a run of ours, a Hugging Face directory, an endpoint."""
