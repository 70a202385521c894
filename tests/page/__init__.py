"""The chat page, in a browser, and the chat in a terminal."""
