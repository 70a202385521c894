"""One training loop for every stage that trains."""
