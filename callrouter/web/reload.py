"""Taking new rules on request: what is asked, and what is answered."""

from typing import Protocol

import msgspec


class ReloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks, for the log and the history: the name of a person or a program.

    ``note`` says why, for the history. ``expect`` is the hash of the version that was checked: if the files say another
    by now, they are refused. Empty: whatever they say.
    """

    who: str = "unknown"
    note: str = ""
    expect: str = ""


class ReloadReport(msgspec.Struct, frozen=True):
    """What became of it. When ``ok`` is false nothing has changed.

    ``errors`` are lines ``file:line:column: message; remedy``, of the configuration and of golden cases that failed.
    ``restart_needed`` names what was changed and takes effect only when the daemon is started anew.
    """

    ok: bool
    changed: bool
    config_hash: str
    """Of the rules that are in force now."""
    previous_hash: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    restart_needed: tuple[str, ...] = ()


class Reloader(Protocol):
    """Takes the configuration of the daemon's directory anew: all of it, or nothing."""

    async def reload(self, request: ReloadRequest) -> ReloadReport:
        """Read, check, try the golden cases, and swap the rules between two events. Never raises."""
        ...
