"""Text and images to tokens."""
