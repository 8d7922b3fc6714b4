"""A caller's whole number, for who may see it: one at a time, and each look is in the audit log before it is shown."""

import msgspec

from callrouter.core.ids import CallId
from callrouter.web.sources import StatusSource
from callrouter.web.switches import Note, Who


class NumberRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to see it, and why; both go into the audit log."""

    who: Who = "unknown"
    note: Note = ""


class NumberReport(msgspec.Struct, frozen=True):
    """The whole number of who called; empty: he withheld it."""

    call: CallId
    number: str


def whole_number(source: StatusSource, call: str) -> NumberReport | None:
    """Of a call in progress, or of one whose caller waits to be called back; None if there is neither."""
    for one in source.now().calls:
        if one.call == call:
            return NumberReport(one.call, one.caller)
    for request in source.callbacks().requests:
        if call in (request.call, request.made_by):
            return NumberReport(request.call, request.number)
    return None
