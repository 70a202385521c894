# ruff: noqa
"""Leave without a word while being read."""

import os

os._exit(0)
