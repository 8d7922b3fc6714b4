"""Whatever Asterisk says, in whatever order: what cannot be is refused or noted, and nothing raises."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.ari import wire
from callrouter.ari.translate import EventReader
from callrouter.config import load
from callrouter.core import events as ev
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, SiteName
from callrouter.errors import AriProtocolError

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data/events.json").read_text(encoding="utf-8"))
RULES = load(Path(__file__).parents[2] / "config", {"CALLROUTER_ARI_PASSWORD": "x"}).rulebook
SITE = SiteName("gyeongnam")
AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
IDS = (
    "1795492460.0",
    "1795492460.1",
    "",
    "callrouter-",
    "callrouter-01a20b11-1afe-7650-8942-ca3ab4100bde-leg-1",
    "☎" * 300,
)
STRANGE = ("9" * 400, "a\r\nb", "${SHELL(id)}", "\x00", "서울")
WORDS = st.sampled_from(("", "120", "inbound", "line", "code", "relay", "*21", "*13", "-1", *STRANGE))


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """A real event with other ids, other words, or without some of what it has."""
    event: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(RECORDED))))
    for holder, key in list(_leaves(event)):
        if key == "type" or draw(st.integers(0, 3)) != 0:
            continue
        if key == "id":
            holder[key] = draw(st.sampled_from(IDS))
        elif isinstance(holder[key], str):
            holder[key] = draw(WORDS)
        elif isinstance(holder[key], int):
            holder[key] = draw(st.sampled_from([-1, 0, 16, 17, 2**31, 2**63 - 1]))
        elif isinstance(holder, dict):
            del holder[key]
    return event


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        if isinstance(inner, dict | list) and inner:
            yield from _leaves(inner)
        else:
            yield value, key


@settings(max_examples=300)
@given(st.lists(altered(), max_size=12))
def test_no_event_of_asterisk_raises_anything(told: list[dict[str, Any]]) -> None:
    numbers = count(1)
    reader = EventReader(SITE, "callrouter", lambda: CallId(f"01a20b11-1afe-7650-8942-{next(numbers):012x}"))
    exchange = Exchange(RULES, AT)
    exchange.handle(ev.SiteUp(SITE, AT, {}, frozenset()), AT)
    arrived = cdrs = 0
    for number, message in enumerate(told):
        try:
            decoded = wire.decode(json.dumps(message))
        except AriProtocolError:
            continue
        if isinstance(decoded, wire.RESTResponse | wire.Unknown):
            continue
        event = reader.read(decoded)
        if event is None:
            continue
        arrived += isinstance(event, ev.CallArrived)
        cdrs += len(exchange.handle(event, AT + timedelta(seconds=number)).cdrs)
    assert cdrs + len(exchange.calls) <= arrived
