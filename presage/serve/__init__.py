"""A model behind OpenAI's API: `presage serve`."""
