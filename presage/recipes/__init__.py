"""Complete configs as Python functions, by name; see loading.py."""
