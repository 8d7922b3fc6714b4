"""The configuration directory: YAML with places, checked as a whole, compiled to the core's frozen types."""

from callrouter.config.load import Loaded, load

__all__ = ["Loaded", "load"]
