"""Methods: how a model is asked about an example, and how its answers become scores."""
