"""The chat page: files of its own, what it is told of the models that are served, and the votes that come back."""
