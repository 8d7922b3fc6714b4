"""What is known of Asterisk's versions. Bugs are those of its tracker, github.com/asterisk/asterisk/issues."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callrouter.ari.sockets import can_carry_rest
from callrouter.doctor.finding import Finding, error, ok, warning

OLDEST_MAJOR: Final = 18
ENDED_MAJORS: Final = frozenset({18, 19, 21})
"""Branches without further releases, security fixes included (docs.asterisk.org, Asterisk Versions)."""

Version = tuple[int, int]

_REFER_SINCE: Final = {20: (20, 13), 21: (21, 8), 22: (22, 3)}
"""The first version of each branch that leaves it to us what becomes of a REFER."""

_NUMBERS = re.compile(r"(?:certified[/-]|GIT-)?(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class KnownBug:
    """A bug that calls suffer from. ``fixed`` has the minor version of each branch that no longer has it.

    ``unsure`` has the same where nobody has tried: the release of that branch of the same day.
    """

    number: int
    text: str
    fixed: Mapping[int, int]
    unsure: Mapping[int, int] = field(default_factory=dict)

    def had_by(self, version: Version) -> str | None:
        """``has`` or ``probably has``; None for a version without it."""
        major, minor = version
        if major in self.fixed:
            return "has" if minor < self.fixed[major] else None
        if major in self.unsure:
            return "probably has" if minor < self.unsure[major] else None
        return "probably has" if major < min(self.fixed) else None


KNOWN_BUGS: Final = (
    KnownBug(
        1985,
        "Asterisk may crash when a caller hangs up while a phone rings, or on a redial after a failed trunk",
        fixed={22: 11},
        unsure={20: 21, 23: 5},
    ),
)


def parse_version(text: str) -> Version | None:
    """Major and minor number of ``22.10.1+dfsg``, ``certified/20.7-cert3`` or ``GIT-22-…``; None if there are none."""
    match = _NUMBERS.match(text)
    return (int(match[1]), int(match[2] or 0)) if match else None


def check_version(check: str, text: str) -> list[Finding]:
    """What is to be said of an Asterisk of this version."""
    version = parse_version(text)
    if version is None:
        return [warning(check, f"the version {text!r} is not a number; known bugs cannot be told", "use a release")]
    if version[0] < OLDEST_MAJOR:
        return [error(check, f"Asterisk {text} is too old", "install Asterisk 22, or 20; both are maintained")]
    found = [ok(check, f"Asterisk {text}")]
    if version[0] in ENDED_MAJORS:
        remedy = "move to Asterisk 22 or 20, which are maintained"
        found.append(warning(check, f"Asterisk {version[0]} gets no security fixes any more", remedy))
    if not can_carry_rest(text):
        remedy = "calls work; for more than some 100 calls a second, use Asterisk 20.14, 22.4 or newer"
        found.append(warning(check, "this version takes no commands over the websocket, only slower HTTP", remedy))
    if version < _REFER_SINCE.get(version[0], (0, 0)) or version[0] < min(_REFER_SINCE):
        remedy = "use Asterisk 20.13, 22.3 or newer, or have calls passed on with call_keys:"
        found.append(warning(check, "transfers by a phone's own key take the call out of our hands", remedy))
    found += _check_bugs(check, version)
    return found


def _check_bugs(check: str, version: Version) -> list[Finding]:
    found = []
    for bug in KNOWN_BUGS:
        word = bug.had_by(version)
        if word is not None:
            branch, first = max(bug.fixed.items())
            remedy = f"upgrade to {branch}.{first} or newer; a crash costs its calls, callrouter itself goes on"
            found.append(warning(check, f"this version {word} bug #{bug.number}: {bug.text}", remedy))
    return found
