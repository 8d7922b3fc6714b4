"""The second line of a counselor's phone: he dials a colleague while the caller is on hold, and passes the call on.

That is a consultation as any other, only that the counselor speaks to the colleague on a channel of its own, in a
bridge of its own: caller and counselor stay in theirs, so that he changes between the two by his phone alone. A phone
that dials while its counselor has no caller of ours calls for itself: that is the dialplan's affair.
"""

from collections.abc import Mapping
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
from callrouter.core.duty import Duty
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.plan import Destination
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.switches import one_line
from callrouter.core.transfers import TargetError, UnknownTargetError, party

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct
    from callrouter.core.parties import Members

OWN_CONTEXT: Final = "callrouter-own-calls"
"""The dialplan's context in which a phone's own calls go their way."""
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


class SecondLines:
    """The lines by which counselors consult, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct
        self._lines: dict[ChannelId, tuple[CallId, datetime]] = {}
        """Whose conversation each is of, and since when."""
        self._gone: dict[ChannelId, datetime] = {}

    # --- what phones do

    def dialed(self, event: ev.LineDialed, at: datetime, out: Output) -> None:
        """A phone dialled: whom its counselor wants to consult, if he has a caller."""
        if event.channel in self._lines or event.channel in self._gone:
            return  # an old snapshot has told of it
        call, whom = self._call_at(event), None
        try:
            whom = self._whom(call, event.number, at) if call is not None else None
        except UnknownTargetError:
            pass
        except TargetError as error:
            if classify(event.number) is not NumberClass.EMERGENCY:  # that is nobody's to refuse
                self._refuse(event, call, error, at, out)
                return
        if call is None or whom is None:
            self._gone[event.channel] = at
            lane = CallId(event.channel)
            out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, OWN_CONTEXT, event.number))
            return
        self._consult(call, whom, event, at, out)

    def left(self, channel: ChannelId, at: datetime, out: Output) -> bool:
        """A channel has left: with a line, the consultation is given up. False: it is no phone's own."""
        line = self._lines.get(channel)
        if line is None:
            return channel in self._gone
        call = self._conduct.calls.get(line[0])
        if call is not None and call.to_be_adopted:
            return True  # seen when it is
        del self._lines[channel]
        self._gone[channel] = at
        if call is not None and call.line == channel and call.speaks_apart:
            self._conduct.parties.let_go_of_invited(call, at, out)
        return True

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
        call = self._conduct.calls.get(leg.call if leg is not None else line[0] if line is not None else CallId(""))
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
        bridge = naming.bridge(call.id, invited.attempt)
        out.commands.append(cmd.Answer(call.site, call.id, line))
        out.commands.append(cmd.SetDeadMan(call.site, call.id, line, 0.0, playing=False))
        out.commands.append(cmd.Connect(call.site, call.id, bridge, line, invited.channel))
        self._conduct.floor.bridges.make_apart(call, bridge, {line, invited.channel})

    def not_connected(self, call: Call, at: datetime, out: Output) -> None:
        """The two could not be brought together: the counselor has the caller, as before."""
        self._conduct.parties.let_go_of_invited(call, at, out)

    def let_go(self, call: Call, line: ChannelId, why: facts.Fact, out: Output) -> None:
        """Nobody is consulted by that line any more; ``why``: the fact that says so."""
        self._conduct.floor.bridges.leave(call.id, line, out)
        if self._lines.pop(line, None) is not None:
            self._gone[line] = why.at
            cause = Cause.NORMAL_CLEARING
            if isinstance(why, facts.InviteClosed):
                cause = _TOLD.get(why.result, cause)
            out.commands.append(cmd.Hangup(call.site, call.id, line, cause))

    # --- after a silence

    def take(self, call: Call) -> None:
        """Know again the line of a call of an earlier daemon."""
        if call.line is not None and call.invited is not None:
            self._lines[call.line] = (call.id, call.invited.at)

    def adopt(self, call: Call, line: ChannelId, invited: Offer, members: "Members", out: Output) -> None:
        """Go on with a consultation of an earlier daemon, which may not have come to connect the two."""
        bridge, two = naming.bridge(call.id, invited.attempt), {line, invited.channel}
        if two <= members.get(bridge, frozenset()):
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
        for channel, (call_id, since) in list(self._lines.items()):
            call = self._conduct.calls.get(call_id)
            is_here = call is None or call.site == event.site
            if is_here and channel not in event.channels and since < event.requested_at:
                self.left(channel, at, out)
        for seen in event.channels.values():
            if seen.line is None or seen.channel in self._lines or seen.channel in self._gone:
                continue
            if seen.state != "Up":
                self.dialed(seen.line, at, out)
                continue
            self._gone[seen.channel] = at
            text = f"channel {seen.channel} of a phone consults nobody any more"
            out.notices.append(Notice(NoticeKind.ORPHAN_LEG, None, text))
            out.commands.append(cmd.Hangup(event.site, CallId(seen.channel), seen.channel, Cause.NORMAL_CLEARING))

    # --- how it is done

    def _call_at(self, event: ev.LineDialed) -> Call | None:
        """The conversation that the phone's counselor leads."""
        agent = self._conduct.floor.staff.agent_at(event.site, event.endpoint)
        leg = self._conduct.floor.legs.get(agent.leg) if agent is not None and agent.leg is not None else None
        call = self._conduct.calls.get(leg.call) if leg is not None else None
        if call is None or leg is None or call.offer is None or call.site != event.site:
            return None
        return call if call.state is CallState.CONNECTED and call.offer.channel == leg.channel else None

    def _whom(self, call: Call, number: str, at: datetime) -> Agent | Destination:
        """Who is meant; of a queue's counselors, the one who has been idle longest.

        Raises:
            TargetError: nobody is, or nobody who can be called now.
        """
        if call.invited is not None:
            raise TargetError(f"call {call.id} has called somebody in already", Cause.USER_BUSY)
        whom = self._conduct.conversing.find(call, number, at)
        if not isinstance(whom, QueueSpec):
            return whom
        floor = self._conduct.floor
        serving = (one for one in floor.staff.agents.values() if whom.name in one.spec.queues and one.duty is Duty.ON)
        free = [one for one in serving if one.state is AgentState.AVAILABLE and floor.can_be_called_in(one, call, at)]
        if not free:
            raise TargetError(f"no counselor of the queue {whom.name} is free", Cause.USER_BUSY)
        return min(free, key=lambda one: one.idle_since)

    def _consult(self, call: Call, whom: Agent | Destination, event: ev.LineDialed, at: datetime, out: Output) -> None:
        parties = self._conduct.parties
        self._lines[event.channel] = (call.id, at)
        ring_s = parties.ring_timeout_s(call) if isinstance(whom, Agent) else whom.ring_timeout_s
        # Should we die: when nobody can ring any more, the line goes on by itself.
        after_s = ring_s + 2 * self._conduct.floor.rulebook.limits.clearing_s
        out.commands.append(cmd.SetDeadMan(event.site, call.id, event.channel, after_s, playing=False))
        out.commands.append(cmd.Ring(event.site, call.id, event.channel))
        parties.call_in(call, CallVerb.CONSULT, whom, at, out, line=event.channel)
        who = parties.leg_of(call, call.offer).party
        text = f"{CallVerb.CONSULT} {one_line(party(event.number))}; by {who}, via {CallVia.PHONE}"
        out.notices.append(Notice(NoticeKind.CALL_ORDER, call.id, text))

    def _refuse(self, event: ev.LineDialed, call: Call | None, why: TargetError, at: datetime, out: Output) -> None:
        self._gone[event.channel] = at
        call_id = call.id if call is not None else None
        lane = call_id or CallId(event.channel)
        out.commands.append(cmd.Hangup(event.site, lane, event.channel, why.cause))
        out.notices.append(Notice(NoticeKind.CALL_REFUSED, call_id, f"{event.endpoint}: {why}"))

    def _deny(self, call: Call, event: ev.TransferAsked, why: str, at: datetime, out: Output) -> None:
        self._conduct.parties.deny(call, event.channel, at, out)
        out.notices.append(Notice(NoticeKind.CALL_REFUSED, call.id, f"transfer asked by {event.channel}: {why}"))
