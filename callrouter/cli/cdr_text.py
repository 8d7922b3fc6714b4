"""CDRs as people and programs read them: a table, one call in full, JSON, CSV."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import TextIO
from unicodedata import east_asian_width

from callrouter.cli.documents import for_programs
from callrouter.cli.text import plain
from callrouter.core.cdr import Cdr, CdrLeg
from callrouter.store.set_aside import SetAside

_COLUMNS = {
    "call": 18,
    "started": 19,
    "caller": 13,
    "region": 12,
    "queue": 10,
    "agent": 10,
    "outcome": 10,
    "wait": 6,
    "talk": 6,
}
"""Widths of the table's columns: with the gaps between them, 120 in all."""

_RIGHT = frozenset({"wait", "talk"})
_SHORT_ID = 18
"""UUID version 7: the time to the millisecond, and twelve random bits."""

_PARTS = ("legs", "messages", "callback", "visits", "hearings", "notices", "tapes")
"""What has lines of its own, and none in CSV."""
_CSV_FIELDS = tuple(name for name in Cdr.__dataclass_fields__ if name not in _PARTS)


def table(calls: Sequence[Cdr], zone: tzinfo | None) -> str:
    """One line a call, at most 120 columns wide, also with Korean names in it."""
    lines = [_line({name: name for name in _COLUMNS})]
    lines += [
        _line(
            {
                "call": call.call_id[:_SHORT_ID],
                "started": _local(call.started_at, zone).strftime("%Y-%m-%d %H:%M:%S"),
                "caller": call.caller,
                "region": call.region,
                "queue": call.queue or "-",
                "agent": call.agent or call.destination or "-",
                "outcome": call.outcome.value,
                "wait": _clock(call.wait_s),
                "talk": _clock(call.talk_s),
            }
        )
        for call in calls
    ]
    return "\n".join(lines)


def in_full(call: Cdr, zone: tzinfo | None) -> str:
    """Everything about one call: its fields, its legs, and why it was routed so."""
    fields = {name: _shown(getattr(call, name), zone) for name in _CSV_FIELDS if name != "explanation"}
    width = max(map(len, fields))
    lines = [f"{name:<{width}}  {text}" for name, text in fields.items()]
    for visit in call.visits:
        times = f"{_iso(visit.queued_at, zone)} to {_iso(visit.left_at, zone)}"
        lines += ["", f"waited in {visit.queue}: {visit.how.value}, {times}"]
    lines += ["", "legs:" if call.legs else "legs: none"]
    lines += [_leg_line(leg, zone) for leg in call.legs]
    for message in call.messages:
        left = _local(message.left_at, zone).isoformat(timespec="milliseconds")
        lines += ["", f"message: {_clock(message.length_s)} in box {message.box}, left {left}, {message.recording}"]
    if call.callback is not None:
        asked = _local(call.callback.asked_at, zone).isoformat(timespec="milliseconds")
        lines += ["", f"call back: {call.callback.number} by {call.callback.queue}, asked {asked}"]
    for hearing in call.hearings:
        began, ended = (
            _local(at, zone).isoformat(timespec="milliseconds") for at in (hearing.began_at, hearing.ended_at)
        )
        modes = ", ".join(hearing.modes)
        lines += ["", f"heard by {hearing.supervisor} ({modes}) at {hearing.agent}, {began} to {ended}"]
    lines += _of_recording(call, zone)
    lines += ["", "explanation:", *(f"  {line}" for line in call.explanation.splitlines())]
    return "\n".join(lines)


def _of_recording(call: Cdr, zone: tzinfo | None) -> Iterator[str]:
    """That the caller was told, what was recorded, and where that is silent."""

    def clock(at: datetime) -> str:
        return _local(at, zone).isoformat(timespec="milliseconds")

    for notice in call.notices:
        heard = f"heard at {clock(notice.heard_at)}" if notice.heard_at is not None else "not heard to its end"
        language = f" ({notice.language})" if notice.language else ""
        yield from ("", f"notice of recording: {notice.prompt}{language}, from {clock(notice.begun_at)}, {heard}")
    for tape in call.tapes:
        yield from ("", f"recording of {tape.agent}: {tape.result}, {tape.recording}")
        yield f"  {clock(tape.begun_at)} to {clock(tape.ended_at)}: {tape.why}"
        for mute in tape.muted:
            who = f" by {mute.who}" if mute.who else ""
            yield f"  silent from {clock(mute.since)} to {clock(mute.until)}: {mute.why}{who}"


def as_json(calls: Cdr | Sequence[Cdr]) -> str:
    """The record or records as JSON; times in UTC."""
    return for_programs(calls)


def aside(records: Sequence[SetAside], zone: tzinfo | None) -> str:
    """A line a record that was set aside, with the reason in full."""
    if not records:
        return "no record was set aside"
    return "\n".join(
        f"{one.call_id}  {_local(one.at, zone):%Y-%m-%d %H:%M:%S}  {plain(' '.join(one.why.split()))}"
        for one in records
    )


def aside_as_json(records: Sequence[SetAside]) -> str:
    """The records that were set aside as JSON; times in UTC."""
    return for_programs(records)


def write_csv(out: TextIO, calls: Sequence[Cdr], zone: tzinfo | None) -> None:
    """A header and a line a call, without legs; times in ISO 8601 with their zone, durations in seconds."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_FIELDS)
    for call in calls:
        writer.writerow([_cell(getattr(call, name), zone) for name in _CSV_FIELDS])


def _iso(at: datetime, zone: tzinfo | None) -> str:
    return _local(at, zone).isoformat(timespec="milliseconds")


def _leg_line(leg: CdrLeg, zone: tzinfo | None) -> str:
    times = [
        f"{what} {_local(at, zone).isoformat(timespec='milliseconds')}"
        for what, at in (
            ("offered", leg.offered_at),
            ("rang", leg.rang_at),
            ("answered", leg.answered_at),
            ("ended", leg.ended_at),
        )
        if at is not None
    ]
    way = f" over {leg.trunk}" if leg.trunk else ""
    way += f" at {leg.far_site}" if leg.far_site else ""
    whom = leg.agent or leg.destination
    head = f"  {leg.attempt}. {whom}{way}: {leg.result.value}, cause {leg.cause}, channel {leg.channel}"
    return "\n     ".join([head, *times])


def _shown(value: object, zone: tzinfo | None) -> str:
    return _cell(value, zone) if value not in (None, ()) else "-"


def _cell(value: object, zone: tzinfo | None) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _local(value, zone).isoformat(timespec="milliseconds")
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def _local(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone(zone)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def _line(cells: dict[str, str]) -> str:
    return "  ".join(_fitted(cells[name], width, name in _RIGHT) for name, width in _COLUMNS.items()).rstrip()


def _fitted(text: str, width: int, right: bool) -> str:
    """Cut or padded to ``width`` columns of a terminal, where a Korean syllable takes two."""
    if _columns(text) > width:
        while _columns(text) > width - 1:
            text = text[:-1]
        text += "…"
    padding = " " * (width - _columns(text))
    return padding + text if right else text + padding


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
