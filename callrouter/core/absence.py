"""Sites that we have lost: what becomes of their calls until they are back.

Nobody knows whether the site's Asterisk died or only our way to it: its people may be talking. So nothing of theirs is
ended. After ``limits.site_away`` what such calls hold is given back (counselors, channels of trunk groups, places in
line), and they are put aside as a new daemon finds them in the journal: the site's next snapshot says which of them go
on, and which ended when we lost it. A call that comes out at another site, which we do see, holds what it has until it
ends there: then it is over, whatever we hear of its other end.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import adopting
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.causes import Cause
from callrouter.core.cue import Cue
from callrouter.core.events import TimerKind
from callrouter.core.ids import CallId, SiteName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.relays import Relay
from callrouter.core.states import CallState, Signal

if TYPE_CHECKING:
    from callrouter.core.exchange import Exchange


class Absence:
    """Since when which sites are away, and whose calls were put aside for it. Times are aware UTC."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._since: dict[SiteName, datetime] = {}
        self._aside: dict[CallId, datetime] = {}

    def since(self, site: SiteName) -> datetime | None:
        """When a site was lost, or first waited for, that is away; None: it is there."""
        return self._since.get(site)

    def lost(self, site: SiteName, at: datetime, out: Output) -> None:
        """Nothing is heard from the site any more, or nothing yet; told again changes nothing."""
        if site in self._since:
            return
        self._since[site] = at
        self._look_later(site, out)
        self.end_what_left(at, out)

    def back(self, site: SiteName, out: Output) -> None:
        """The site is there again, and its snapshot has been compared."""
        if self._since.pop(site, None) is not None:
            out.commands.append(cmd.CancelTimer((TimerKind.SITE, site)))
        self._aside = {call: at for call, at in self._aside.items() if call in self._exchange.calls}

    def ended_at(self, call: Call, at: datetime) -> datetime:
        """When a call is to be taken to have ended that is found gone at ``at``: one put aside, when we lost it."""
        return max(self._aside.get(call.id, at), call.history[-1].at)

    def overdue(self, site: SiteName, at: datetime, out: Output) -> None:
        """The site is away for so long that its calls do not keep what others could have."""
        since, exchange = self._since.get(site), self._exchange
        if since is None:
            return
        for call in [call for call in exchange.calls.values() if call.site == site and not call.is_absent]:
            if call.id not in self._aside and not self._is_seen_elsewhere(call):
                with exchange.contained(call.id, at, out):
                    self._put_aside(call, since, at, out)
        self._look_later(site, out)  # those that come out elsewhere may have lost that site, too

    def end_what_left(self, at: datetime, out: Output) -> None:
        """End the legs that are gone at their far ends, where nobody can hear of the near ones.

        The phone may have hung up there first. Otherwise it was the caller, or his Asterisk, or the trunk.
        """
        for relay in list(self._left()):
            call = self._exchange.calls.get(relay.call)
            with self._exchange.contained(relay.call, at, out):
                if call is not None and relay.by_caller and _is_all_there_is(call, relay):
                    cue = Cue(Signal.CALLER_LEFT, cause=Cause.NOT_DEFINED, estimated=True)
                    self._exchange.signal(call, cue, at, out)
                    self._exchange.conduct.let_return(call.channel)
                self._exchange.leg_ended(ev.LegEnded(relay.leg, Cause.NOT_DEFINED), at, out)

    def _left(self) -> Iterator[Relay]:
        floor = self._exchange.floor
        return (
            relay for relay in floor.relays.left_behind() if relay.origin in self._since and relay.leg in floor.legs
        )

    def _look_later(self, site: SiteName, out: Output) -> None:
        after_s = self._exchange.rulebook.limits.site_away_s
        if after_s:
            out.commands.append(cmd.SetTimer((TimerKind.SITE, site), after_s))

    def _is_seen_elsewhere(self, call: Call) -> bool:
        """Whether one of its legs is there, at its far end, where we would hear of its end."""
        floor = self._exchange.floor
        relays = (floor.relays.of(leg.channel) for leg in floor.legs_of(call.id))
        return any(
            relay is not None and relay.incoming is not None and relay.site in floor.ways.sites for relay in relays
        )

    def _put_aside(self, call: Call, since: datetime, at: datetime, out: Output) -> None:
        conduct, floor = self._exchange.conduct, self._exchange.floor
        remembered = adopting.remember(call.history)
        if remembered is None:
            return
        for kind in tuple(call.timers):
            conduct.cancel_timer(call, kind, out)
        conduct.waiting.leave_line(call)
        for leg in floor.legs_of(call.id):
            floor.forget_leg(leg, at, out)
        floor.bridges.forget(call.id)
        conduct.put_aside(call, remembered)
        self._aside[call.id] = since
        text = f"its site {call.site} has been away since {since:%H:%M:%S}; what it held is given back"
        out.notices.append(Notice(NoticeKind.PUT_ASIDE, call.id, text))


def _is_all_there_is(call: Call, relay: Relay) -> bool:
    """Whether the call is a caller's conversation by that leg alone, and over without it."""
    is_talk = call.state is CallState.CONNECTED and call.request is None and call.invited is None
    return is_talk and call.offer is not None and call.offer.channel == relay.leg
