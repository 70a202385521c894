# ruff: noqa
"""Leave with success while being read."""

import sys

sys.exit(0)
