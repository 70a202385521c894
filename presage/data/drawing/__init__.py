"""Images drawn from a seed, with questions about them: what is asked for training never comes up in examining."""
