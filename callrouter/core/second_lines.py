"""The second line of a counselor's phone: he dials a colleague while the caller is on hold, and passes the call on.

That is a consultation as any other, only that the counselor speaks to the colleague on a channel of its own, in a
bridge of its own: caller and counselor stay in theirs, so that he changes between the two by his phone alone. A phone
that dials while its counselor has no caller of ours calls for itself: that is the dialplan's affair.

The line of a phone at another site than the caller's is met by a leg of ours that leads there
(:mod:`callrouter.core.crossing`): what is said here of a line is said of that leg, then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.agent import Agent, AgentState
from callrouter.core.call import Call, Offer
from callrouter.core.call_orders import CallVerb, CallVia
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.crossing import FarPhone
from callrouter.core.duty import Duty
from callrouter.core.far_end import FarEnd
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Destination
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.switches import one_line
from callrouter.core.transfers import LimitError, TargetError, UnknownTargetError, party

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct
    from callrouter.core.parties import Members

OWN_CONTEXT: Final = "callrouter-own-calls"
"""The dialplan's context in which a phone's own calls go their way."""
REFUSED_CONTEXT: Final = "callrouter-dialed"
"""The one in which a phone hears why it cannot have what it dialled."""
LIMITED: Final = "limited"
_REMEMBER: Final = timedelta(minutes=2)
"""How long a line that we are done with is remembered, so that an old snapshot does not bring it back."""
_TOLD: Final[Mapping[OfferResult, Cause]] = {
    OfferResult.BUSY: Cause.USER_BUSY,
    OfferResult.REJECTED: Cause.USER_BUSY,
    OfferResult.NO_ANSWER: Cause.NO_ANSWER,
    OfferResult.UNREACHABLE: Cause.SUBSCRIBER_ABSENT,
    OfferResult.CONGESTION: Cause.NORMAL_CIRCUIT_CONGESTION,
    OfferResult.FAILED: Cause.NORMAL_TEMPORARY_FAILURE,
}
"""What the phone is told of who did not come."""


@dataclass(slots=True)
class _Line:
    """A second line; ``call`` is the conversation that it is of."""

    call: CallId
    since: datetime
    is_up: bool = True
    """Not so of a leg to another site that has not got there yet."""
    is_joined: bool = False
    """Whom it is for is in its bridge."""


class SecondLines:
    """The lines by which counselors consult, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._lines: dict[ChannelId, _Line] = {}
        self._gone: dict[ChannelId, datetime] = {}
        self._sent_on: set[ChannelId] = set()
        """Those of them that call for themselves."""

    # --- what phones do

    def dialed(self, event: ev.LineDialed, at: datetime, out: Output) -> None:
        """A phone dialled: whom its counselor wants to consult, if he has a caller."""
        if self._knows(event.channel):
            return  # an old snapshot has told of it
        call, whom, far = self._call_at(event), None, None
        try:
            if call is not None:
                whom = self._whom(call, event.number, at, out)
                far = self._reach(call, whom, event, at, out) if event.site != call.site else None
        except UnknownTargetError:
            pass
        except TargetError as error:
            if classify(event.number) is not NumberClass.EMERGENCY:  # that is nobody's to refuse
                self._refuse(event, call, error, at, out)
                return
        if call is None or whom is None:
            self._gone[event.channel] = at
            self._sent_on.add(event.channel)
            self._send_on(event, out)
            return
        self._consult(call, whom, event, far, at, out)

    def left(self, channel: ChannelId, at: datetime, out: Output) -> bool:
        """A channel has left: with a line, the consultation is given up. False: it is no phone's own."""
        relays = self._conduct.floor.relays
        relay = relays.of_phone(channel)
        line = relay.leg if relay is not None else channel
        known = self._lines.get(line)
        if known is None:
            return channel in self._gone
        call = self._conduct.calls.get(known.call)
        if call is not None and call.to_be_adopted:
            return True  # seen when it is
        del self._lines[line]
        self._gone[channel] = at
        if relay is not None:
            relays.phone_left(channel, out)
            out.commands.append(cmd.Hangup(relay.origin, relay.call, line, Cause.NORMAL_CLEARING))
        if call is not None and call.line == line and call.speaks_apart:
            self._conduct.parties.let_go_of_invited(call, at, out)
        return True

    def linked(self, line: ChannelId, out: Output) -> None:
        """A leg to a line at another site has got there: who has answered meanwhile is met by it."""
        known = self._lines.get(line)
        if known is None:
            for site in sorted(self._conduct.floor.ways.sites):
                out.commands.append(cmd.Hangup(site, CallId(line), line, Cause.NORMAL_CLEARING))
            return
        known.is_up = True
        call = self._conduct.calls.get(known.call)
        if call is not None and call.invited is not None and call.invited.bridge is not None and not known.is_joined:
            self._join(call, line, call.invited, out)

    def parted(self, line: ChannelId, at: datetime, out: Output) -> None:
        """Such a leg is gone: the consultation is given up, as if the phone had."""
        known = self._lines.get(line)
        call = self._conduct.calls.get(known.call) if known is not None else None
        if call is None or call.to_be_adopted:
            return
        lost = facts.InviteClosed(at, OfferResult.CONGESTION, Cause.NORMAL_CIRCUIT_CONGESTION)
        self.let_go(call, line, lost, out)
        if call.line == line and call.speaks_apart:
            self._conduct.parties.let_go_of_invited(call, at, out)

    def asked(self, event: ev.TransferAsked, at: datetime, out: Output) -> bool:
        """A phone wants its two calls joined (REFER with Replaces). False: it wants something else."""
        leg = self._conduct.floor.legs.get(event.channel)
        caller = self._conduct.call_of(event.channel)
        if caller is not None:
            self._deny(caller, event, "the caller cannot pass the call on", at, out)
            return True
        if event.replaced is None and event.channel not in self._lines:
            return False
        line = self._lines.get(event.channel)
        call = self._conduct.calls.get(leg.call if leg is not None else line.call if line is not None else CallId(""))
        if call is None or call.refers or (leg is not None and leg.result is not None):
            self._conduct.counters.unknown_channel += call is None
            return True  # asked for already, or when it is too late
        two = {call.offer.channel, call.line} if call.offer is not None and not call.to_be_adopted else None
        if {event.channel, event.replaced} != two:
            why = f"it does not consult {event.replaced or 'whom it names'} by its second line"
            self._deny(call, event, why, at, out)
            return True
        self.pass_on(call, event.channel, at, out)
        return True

    def pass_on(self, call: Call, asked_by: ChannelId, at: datetime, out: Output) -> None:
        """Who is consulted is to have the caller: at once, or as soon as they answer."""
        parties, invited = self._conduct.parties, call.invited
        who = parties.leg_of(call, call.offer).party
        text = f"{CallVerb.COMPLETE}; by {who}, via {CallVia.PHONE}"
        call.refers, call.referrer = True, asked_by
        out.notices.append(Notice(NoticeKind.CALL_ORDER, call.id, text))
        if invited is not None and invited.bridge is not None:
            parties.let_counselor_go(call, at, out)
            return
        self._conduct.record(call, facts.LeftToRing(at), out)
        if not call.held and not call.phone_holds:
            parties.hold(call, at, out)

    def is_ringing(self, call: Call, target: str) -> bool:
        """Whether that is whom the counselor has dialled on his second line, and who has not answered."""
        invited, short = call.invited, self._conduct.floor.rulebook.transfers.short
        if invited is None or invited.bridge is not None or not call.speaks_apart:
            return False
        return short.get(target, target) in (invited.agent, invited.destination)

    # --- what becomes of who was called

    def connect(self, call: Call, line: ChannelId, invited: Offer, out: Output) -> None:
        """Who was dialled has answered: let the counselor talk to them."""
        floor = self._conduct.floor
        if floor.relays.of(line) is not None:
            floor.relays.meet(line, out)
        else:
            out.commands.append(cmd.Answer(call.site, call.id, line))
            out.commands.append(cmd.SetDeadMan(call.site, call.id, line, 0.0, playing=False))
        self._join(call, line, invited, out)
        floor.bridges.make_apart(call, naming.bridge(call.id, invited.attempt), {line, invited.channel})

    def _join(self, call: Call, line: ChannelId, invited: Offer, out: Output) -> None:
        known = self._lines[line]
        if known.is_up:
            known.is_joined = True
            bridge = naming.bridge(call.id, invited.attempt)
            out.commands.append(cmd.Connect(call.site, call.id, bridge, line, invited.channel))

    def not_connected(self, call: Call, at: datetime, out: Output) -> None:
        """The two could not be brought together: the counselor has the caller, as before."""
        self._conduct.parties.let_go_of_invited(call, at, out)

    def let_go(self, call: Call, line: ChannelId, why: facts.Fact, out: Output) -> None:
        """Nobody is consulted by that line any more; ``why``: the fact that says so."""
        floor = self._conduct.floor
        floor.bridges.leave(call.id, line, out)
        if self._lines.pop(line, None) is None:
            return
        cause = Cause.NORMAL_CLEARING
        if isinstance(why, facts.InviteClosed):
            cause = _TOLD.get(why.result, cause)
        site, phone = floor.phone(call.site, line)
        self._gone[phone] = why.at
        out.commands.append(cmd.Hangup(site, call.id, phone, cause))
        if phone != line:
            floor.relays.phone_left(phone, out)
            out.commands.append(cmd.Hangup(call.site, call.id, line, Cause.NORMAL_CLEARING))

    # --- after a silence

    def take(self, call: Call) -> None:
        """Know again the line of a call of an earlier daemon."""
        if call.line is None or call.invited is None:
            return
        self._lines[call.line] = _Line(call.id, call.invited.at, is_up=call.far is None)
        if call.far is not None:
            waits = call.invited.bridge is None
            phone = FarPhone(call.far.site, "", call.far.dialed, waits=waits)
            self._conduct.crossing.remember(call, call.line, call.far, phone, call.invited.at)

    def adopt(self, call: Call, line: ChannelId, invited: Offer, members: "Members", out: Output) -> None:
        """Go on with a consultation of an earlier daemon, which may not have come to connect the two."""
        bridge, two = naming.bridge(call.id, invited.attempt), {line, invited.channel}
        if two <= members.get(bridge, frozenset()):
            self._lines[line].is_up = self._lines[line].is_joined = True
            self._conduct.floor.bridges.make_apart(call, bridge, two)
        else:
            self.connect(call, line, invited, out)

    def leave_to(self, call: Call, invited: Offer, out: Output) -> None:
        """The counselor of an earlier daemon is gone: have a bridge for the caller and whom he consulted."""
        if invited.bridge is not None:
            out.commands.append(cmd.Connect(call.site, call.id, invited.bridge, call.channel, invited.channel))
            self._conduct.floor.bridges.make_apart(call, invited.bridge, {invited.channel})

    def compare(self, event: ev.SiteUp, at: datetime, out: Output) -> None:
        """Make the lines at a site agree with its snapshot."""
        self._gone = {channel: since for channel, since in self._gone.items() if since >= at - _REMEMBER}
        self._sent_on &= self._gone.keys()
        for line, known in list(self._lines.items()):
            self._compare(line, known, event, at, out)
        for seen in event.channels.values():
            if naming.is_line_leg(seen.channel) and seen.channel not in self._lines:
                self._end_orphan(seen, event, out)
            if seen.line is not None and seen.channel in self._gone:
                self._insist(seen, seen.line, event, out)
            if seen.line is None or self._knows(seen.channel):
                continue
            if seen.state != "Up":
                self.dialed(seen.line, at, out)
                continue
            self._gone[seen.channel] = at
            self._end_orphan(seen, event, out)

    def _compare(self, line: ChannelId, known: _Line, event: ev.SiteUp, at: datetime, out: Output) -> None:
        call = self._conduct.calls.get(known.call)
        site, phone = self._conduct.floor.phone(call.site if call is not None else event.site, line)
        if site == event.site and phone not in event.channels and known.since < event.requested_at:
            self.left(phone, at, out)
        elif phone != line and call is not None and call.site == event.site:
            seen = event.channels.get(line)
            if seen is not None and seen.state == "Up" and not known.is_up:
                self.linked(line, out)

    def _insist(self, seen: ev.ChannelSeen, dialed: ev.LineDialed, event: ev.SiteUp, out: Output) -> None:
        """A line that we are done with is still there: the site was away when we said so."""
        if self._gone[seen.channel] >= event.requested_at - ev.SNAPSHOT_MARGIN:
            return
        if seen.channel in self._sent_on:
            self._send_on(dialed, out)
        else:
            out.commands.append(cmd.Hangup(event.site, CallId(seen.channel), seen.channel, Cause.NORMAL_CLEARING))

    def _send_on(self, event: ev.LineDialed, out: Output) -> None:
        lane = CallId(event.channel)
        out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, OWN_CONTEXT, event.number))

    def _end_orphan(self, seen: ev.ChannelSeen, event: ev.SiteUp, out: Output) -> None:
        text = f"channel {seen.channel} of a phone consults nobody any more"
        out.notices.append(Notice(NoticeKind.ORPHAN_LEG, None, text))
        out.commands.append(cmd.Hangup(event.site, CallId(seen.channel), seen.channel, Cause.NORMAL_CLEARING))

    # --- how it is done

    def _knows(self, channel: ChannelId) -> bool:
        """Whether a phone's own channel has been told of."""
        is_far = self._conduct.floor.relays.of_phone(channel) is not None
        return channel in self._lines or channel in self._gone or is_far

    def _call_at(self, event: ev.LineDialed) -> Call | None:
        """The conversation that the phone's counselor leads."""
        agent = self._conduct.floor.staff.agent_at(event.site, event.endpoint)
        leg = self._conduct.floor.legs.get(agent.leg) if agent is not None and agent.leg is not None else None
        call = self._conduct.calls.get(leg.call) if leg is not None else None
        if call is None or leg is None or call.offer is None:
            return None
        return call if call.state is CallState.CONNECTED and call.offer.channel == leg.channel else None

    def _whom(self, call: Call, number: str, at: datetime, out: Output) -> Agent | Destination:
        """Who is meant; of a queue's counselors, the one who has been idle longest.

        Raises:
            TargetError: nobody is, or nobody who can be called now.
        """
        if call.invited is not None:
            raise TargetError(f"call {call.id} has called somebody in already", Cause.USER_BUSY)
        whom = self._conduct.conversing.find(call, number, at, out)
        if not isinstance(whom, QueueSpec):
            return whom
        floor, rules = self._conduct.floor, self._conduct.waiting.rules_for(call)
        serving = (one for one in floor.staff.agents.values() if whom.name in one.spec.queues and one.duty is Duty.ON)
        idle = (one for one in serving if one.state is AgentState.AVAILABLE)
        free = [one for one in idle if floor.can_be_called_in(one, call, rules, at)]
        if not free:
            raise TargetError(f"no counselor of the queue {whom.name} is free", Cause.USER_BUSY)
        return min(free, key=lambda one: one.idle_since)

    def _reach(self, call: Call, whom: Agent | Destination, event: ev.LineDialed, at: datetime, out: Output) -> FarEnd:
        """Lead a leg to the line of a phone at another site.

        Raises:
            TargetError: there is no way for it, or none beside it for whom is called.
        """
        floor, crossing = self._conduct.floor, self._conduct.crossing
        line = naming.line_leg(call.id, call.attempts + 1)
        phone = FarPhone(event.site, "", event.channel, waits=True, ring_s=floor.rulebook.limits.connect_s)

        def has_room() -> bool:
            if isinstance(whom, Agent):
                return floor.can_be_called_in(whom, call, self._conduct.waiting.rules_for(call), at)
            return floor.can_call(call, whom, at)

        why = crossing.why_not(call, event.site, at)
        far = crossing.begin_beside(call, line, phone, has_room, at, out) if not why else None
        if far is None:
            why = why or "the trunk has no channel for whom is called beside that for the line"
            raise TargetError(f"a second line at {event.site}: {why}", Cause.NORMAL_CIRCUIT_CONGESTION)
        return far

    def _consult(
        self,
        call: Call,
        whom: Agent | Destination,
        event: ev.LineDialed,
        far: FarEnd | None,
        at: datetime,
        out: Output,
    ) -> None:
        parties = self._conduct.parties
        line = naming.line_leg(call.id, call.attempts + 1) if far is not None else event.channel
        self._lines[line] = _Line(call.id, at, is_up=far is None)
        rules = self._conduct.waiting.rules_for(call)
        ring_s = rules.ring_timeout_s if isinstance(whom, Agent) else whom.ring_timeout_s
        # Should we die: when nobody can ring any more, the line goes on by itself.
        after_s = ring_s + 2 * self._conduct.floor.rulebook.limits.clearing_s
        out.commands.append(cmd.SetDeadMan(event.site, call.id, event.channel, after_s, playing=False))
        out.commands.append(cmd.Ring(event.site, call.id, event.channel))
        parties.call_in(call, CallVerb.CONSULT, whom, at, out, line=line, far=far)
        who = parties.leg_of(call, call.offer).party
        text = f"{CallVerb.CONSULT} {one_line(party(event.number))}; by {who}, via {CallVia.PHONE}"
        out.notices.append(Notice(NoticeKind.CALL_ORDER, call.id, text))

    def _refuse(self, event: ev.LineDialed, call: Call | None, why: TargetError, at: datetime, out: Output) -> None:
        self._gone[event.channel] = at
        call_id = call.id if call is not None else None
        lane = call_id or CallId(event.channel)
        if isinstance(why, LimitError):  # that is nothing to try again and again: say so
            out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, REFUSED_CONTEXT, LIMITED))
        else:
            out.commands.append(cmd.Hangup(event.site, lane, event.channel, why.cause))
        out.notices.append(Notice(NoticeKind.CALL_REFUSED, call_id, f"{event.endpoint}: {why}"))

    def _deny(self, call: Call, event: ev.TransferAsked, why: str, at: datetime, out: Output) -> None:
        self._conduct.parties.deny(call, event.channel, at, out)
        out.notices.append(Notice(NoticeKind.CALL_REFUSED, call.id, f"transfer asked by {event.channel}: {why}"))
