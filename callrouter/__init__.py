"""callrouter: an integrated civic call centre on Asterisk."""

__version__ = "0.1.0"
