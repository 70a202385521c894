"""Models over HTTP: an OpenAI-compatible server, and the chat page."""
