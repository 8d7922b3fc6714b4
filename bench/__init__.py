"""Benchmarks side by side with Asterisk's own means, on the laboratory's Asterisk: ``python -m bench``."""
