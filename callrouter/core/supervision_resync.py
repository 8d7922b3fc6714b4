"""After a silence: who we believe hears a conversation is compared with what Asterisk says."""

from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import naming
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.ids import CallId, SiteName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.supervisors import Hearing

if TYPE_CHECKING:
    from callrouter.core.supervision import Supervision


def compare(supervision: "Supervision", event: ev.SiteUp, at: datetime, out: Output) -> None:
    """Make what is heard at a site agree with its snapshot; what belongs to nobody is ended."""
    for call, hearing in list(supervision.everything()):
        if call.site == event.site:
            _compare(supervision, call, hearing, event, at, out)
    for seen in event.channels.values():
        _end_orphan(supervision, seen, event.site, out)
    known = {
        naming.hearing(call.id, one.number, turn)
        for call, one in supervision.everything()
        for turn in range(max(1, one.turn), one.turns + 1)
    }
    for bridge in sorted(event.bridges):
        call_id = naming.parse_hearing(bridge)
        if call_id is not None and bridge not in known:
            out.commands.append(cmd.DestroyBridge(event.site, call_id, bridge))


def _compare(
    supervision: "Supervision", call: Call, hearing: Hearing, event: ev.SiteUp, at: datetime, out: Output
) -> None:
    phone = event.channels.get(hearing.channel)
    is_to_be_there = hearing.recalled or hearing.at < event.requested_at - ev.SNAPSHOT_MARGIN
    in_doubt = hearing.in_doubt
    hearing.recalled = hearing.in_doubt = False
    if phone is not None and phone.state == "Up":
        _compare_ear(supervision, call, hearing, event, at, out)
    elif phone is None and in_doubt:
        supervision.call_again(call, hearing, at, out)
    elif phone is None and is_to_be_there:
        supervision.end(call, hearing, "the supervisor's phone is gone", at, out, is_there=False)


def _compare_ear(
    supervision: "Supervision", call: Call, hearing: Hearing, event: ev.SiteUp, at: datetime, out: Output
) -> None:
    """The phone is there; see to it that he hears by it."""
    made = (naming.parse_ear(channel) for channel in event.channels)
    turns = [ear.turn for ear in made if ear and (ear.call, ear.number) == (call.id, hearing.number)]
    if not hearing.entered:  # it was answered while nobody listened, or an earlier daemon knew
        hearing.entered = True
        hearing.turns = max([hearing.turns, *turns])  # the ids of what that one began are taken
        if not hearing.turn or hearing.turns != hearing.turn:  # else that one died between an order and its fulfilment
            supervision.change(call, hearing, hearing.wanted, out)
            return
    if hearing.turn and hearing.turn not in turns and hearing.at < event.requested_at - ev.SNAPSHOT_MARGIN:
        supervision.end(call, hearing, "what he heard by is gone", at, out)


def _end_orphan(supervision: "Supervision", seen: ev.ChannelSeen, site: SiteName, out: Output) -> None:
    """Hang up a phone or an ear that no call knows."""
    ear = naming.parse_ear(seen.channel)
    phone = naming.parse_supervisor_channel(seen.channel)
    if ear is not None:
        call_id, is_known = ear.call, supervision.of_ear(ear) is not None
    elif phone is not None or (supervision.is_code(seen.dialed_code) and seen.state == "Up"):
        call_id, is_known = phone or CallId(seen.channel), supervision.knows(seen.channel)
    else:
        return
    if not is_known:
        text = f"channel {seen.channel} belongs to no supervisor who hears a call"
        out.notices.append(Notice(NoticeKind.ORPHAN_LEG, phone, text))
        out.commands.append(cmd.Hangup(site, call_id, seen.channel, Cause.NORMAL_CLEARING))
