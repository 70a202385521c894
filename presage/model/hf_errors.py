"""What is raised for a foreign model that our Transformer is not."""

from __future__ import annotations

from presage.core.errors import ConfigError


class NotOurs(ConfigError):
    """A config of an architecture or with a feature that our Transformer does not have; another engine may."""
