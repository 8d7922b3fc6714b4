"""The lines of the daemon's log that a person at the terminal wants to see, as they come."""

import re
from pathlib import Path

LINE = re.compile(r"^\S+ \[(?P<level>\w+) *\] (?P<event>\S+) *(?P<fields>.*)$")
"""A line of the console format: time, level, event, fields."""

FIELD = re.compile(r"(\w+)=('[^']*'|\S*)")
GRAVE = frozenset({"warning", "error", "critical"})
CALL_ENDED = "call.ended"
SHORT_ID = 18


class News:
    """Follows a log from its present end on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size if path.exists() else 0

    def fresh(self) -> list[str]:
        """What has been told since the last time; a line that is not whole yet waits."""
        with self._path.open("rb") as log:
            log.seek(self._read)
            content = log.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        told = (told_of(line) for line in whole.decode(errors="replace").splitlines())
        return [line for line in told if line is not None]


def told_of(line: str) -> str | None:
    """What a person is told of a line: each call that ended, and whatever is amiss."""
    found = LINE.match(line)
    if found is None:
        return None
    if found["event"] == CALL_ENDED:
        return _call(dict(FIELD.findall(found["fields"])))
    return f"{found['level']}: {found['event']} {found['fields']}".rstrip() if found["level"] in GRAVE else None


def _call(fields: dict[str, str]) -> str | None:
    try:
        talk_s = float(fields["talk_s"])
        spoken = f", {talk_s:.1f} s with {fields['agent']}" if talk_s else ""
        call = fields["call"][:SHORT_ID]
        return f"call {call} from {fields['caller']}: {fields['outcome']} by rule {fields['rule']}{spoken}"
    except (KeyError, ValueError):
        return None
