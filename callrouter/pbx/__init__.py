"""Asterisk's own configuration for a site, from the rules: what is needed, nothing else, and passwords of its own."""
