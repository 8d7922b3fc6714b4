"""The composition root: the one place that knows all parts and puts them together."""

from callrouter.app.daemon import run_daemon

__all__ = ["run_daemon"]
