"""Whose command it is."""

from types import SimpleNamespace

import pytest


def is_of(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have this process be of the user of that name."""
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name=name))
    monkeypatch.delenv("SUDO_USER", raising=False)
