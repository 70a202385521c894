"""From a base model to an assistant: fine-tuning, rewards, and learning from them."""
