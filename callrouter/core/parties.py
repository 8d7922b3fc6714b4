"""Who takes part in a conversation: the moves of which holding, transfers and conferences are made."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from callrouter.core import commands as cmd
from callrouter.core import facts
from callrouter.core.agent import Agent
from callrouter.core.call import Call, Offer
from callrouter.core.call_orders import CallVerb
from callrouter.core.causes import Cause
from callrouter.core.cdr import CallMark, OfferResult
from callrouter.core.events import TimerKind
from callrouter.core.far_end import FarEnd
from callrouter.core.ids import BridgeId, ChannelId
from callrouter.core.legs import Leg
from callrouter.core.output import Output
from callrouter.core.plan import Destination, Plan
from callrouter.core.states import CallState
from callrouter.errors import ImpossibleEventError

if TYPE_CHECKING:
    from callrouter.core.conduct import Conduct

RING_TONE = "tone:ring"
"""What the counselor hears while somebody is called in."""

Members = Mapping[BridgeId, frozenset[ChannelId]]
"""Who is in which bridge."""

MOVES = facts.Held | facts.Resumed | facts.JoinedIn | facts.PassedOn
"""After which somebody is put into the bridge."""


class Parties:
    """Moves the parties of conversations, for the :class:`~callrouter.core.conduct.Conduct` whose calls they are."""

    def __init__(self, conduct: "Conduct") -> None:
        self._conduct = conduct

    def hold(self, call: Call, at: datetime, out: Output) -> None:
        """Take the caller out of the bridge, and let him hear music."""
        self._conduct.record(call, facts.Held(at), out)
        self.take_out(call, at, out)

    def take_out(self, call: Call, at: datetime, out: Output) -> None:
        """Take the caller out of the bridge, whatever is said of holding."""
        self.leave(call, out)
        self._conduct.waiting.play_music(call, self._conduct.waiting.music_class(call), at, out)

    def leave(self, call: Call, out: Output) -> None:
        """Take the caller out of the bridge, into silence."""
        out.commands.append(cmd.LeaveBridge(call.site, call.id, self._bridge(call), call.channel))
        self._conduct.floor.bridges.leave(call.id, call.channel, out)

    def resume(self, call: Call, at: datetime, out: Output) -> None:
        """The caller is on hold no more."""
        self._conduct.record(call, facts.Resumed(at), out)
        self.bring_back(call, out)

    def bring_back(self, call: Call, out: Output) -> None:
        """Put the caller into the bridge again."""
        bridge = self._bridge(call)
        self._conduct.waiting.quiet(call, out)
        out.commands.append(cmd.JoinBridge(call.site, call.id, bridge, call.channel))
        self._conduct.floor.bridges.enter(call, bridge, call.channel)

    def take_back(self, call: Call, at: datetime, out: Output) -> None:
        """Nobody came: the counselor has the caller again."""
        self.tell_phone(call, self.leg_of(call, call.offer), at, out, done=False)
        if call.held:
            self.resume(call, at, out)

    def call_in(
        self,
        call: Call,
        verb: CallVerb,
        whom: Agent | Destination,
        at: datetime,
        out: Output,
        line: ChannelId | None = None,
        far: FarEnd | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Take whoever is called, and the trunk channel, and call; ``line``: the counselor dialled them by it.

        ``without`` are the endpoints of trunk groups that have failed this very call.
        """
        floor = self._conduct.floor
        if isinstance(whom, Agent):
            queue = self._conduct.waiting.rules_for(call)
            ring_s = queue.ring_timeout_s
            leg = floor.call_in_agent(call, whom, queue, at, out)
            agent, destination = whom.spec.id, None
        else:
            leg = floor.call_destination(call, whom, at, out, without)
            ring_s = leg.waits_s + whom.ring_timeout_s
            agent, destination = None, whom.name
        if verb is not CallVerb.CONFERENCE and not call.held and line is None:
            self.hold(call, at, out)
        passes_on = verb is CallVerb.TRANSFER
        invited = facts.Invited(
            at,
            call.attempts + 1,
            agent,
            leg.trunk,
            leg.channel,
            destination,
            passes_on,
            line,
            leg.member,
            leg.marked,
            leg.far_site(call.site),
            far,
            bool(without),
        )
        self._conduct.record(call, invited, out)
        self._conduct.set_timer(call, TimerKind.INVITE, ring_s, out)
        if line is None:  # else the phone that rings is heard there
            self._conduct.following.play_on(call, self.leg_of(call, call.offer).channel, (RING_TONE,), out)

    def let_counselor_go(self, call: Call, at: datetime, out: Output) -> None:
        """The counselor is done: pass the call on, and hang his phone up."""
        self.part(call, self.leg_of(call, call.offer), at, out)
        self.pass_on(call, Cause.NORMAL_CLEARING, at, out)

    def part(self, call: Call, leg: Leg, at: datetime, out: Output) -> None:
        """Hang the counselor up, who is done with the call."""
        self.tell_phone(call, leg, at, out, done=True)
        self._conduct.floor.let_go(leg, OfferResult.ANSWERED, at, out)

    def send_on(self, call: Call, plan: Plan, mark: CallMark | None, at: datetime, out: Output) -> None:
        """The conversation is over: the caller goes on with ``plan``, and everybody else is done."""
        self.let_go_of_invited(call, at, out)
        self._conduct.following.stop_playback(call, out)
        self.leave(call, out)
        self._conduct.waiting.quiet(call, out)
        self.redirect(call, plan, mark, at, out)

    def redirect(self, call: Call, plan: Plan, mark: CallMark | None, at: datetime, out: Output) -> None:
        """The caller, who is out of the bridge, goes on with ``plan``, and the counselor is done."""
        leg = self.leg_of(call, call.offer)
        self._conduct.record(call, facts.Redirected(at, Cause.NORMAL_CLEARING, plan, mark), out)
        self.part(call, leg, at, out)
        self._conduct.guard(call, at, out)
        self._conduct.following.next_step(call, at, out)

    def tell_phone(self, call: Call, leg: Leg, at: datetime, out: Output, *, done: bool) -> None:
        """Tell the phone that asked for a transfer what has become of it."""
        if call.refers:
            call.refers = False
            call.told_in_vain_at = None if done else at
            channel, call.referrer = call.referrer or leg.channel, None
            site, channel = self._conduct.floor.phone(leg.site, channel)
            out.commands.append(cmd.TellTransfer(site, call.id, channel, done))

    def deny(self, call: Call, channel: ChannelId, at: datetime, out: Output) -> None:
        """Tell a phone that it cannot have the transfer that it asked for by ``channel``."""
        if call.offer is not None and call.offer.channel == channel:
            call.told_in_vain_at = at
        site, channel = self._conduct.floor.phone(call.site, channel)
        out.commands.append(cmd.TellTransfer(site, call.id, channel, done=False))

    def pass_on(self, call: Call, cause: int, at: datetime, out: Output) -> None:
        """The call is theirs who were called in: they talk to the caller, or their phone rings for him."""
        invited, comes_back = call.invited, call.held or call.line is not None
        answered = invited is not None and invited.bridge is not None
        self._conduct.following.stop_playback(call, out)
        if not answered and not call.held:
            self.take_out(call, at, out)
        elif comes_back and not call.held:  # out of the counselor's bridge, or of the music that his phone had played
            self.leave(call, out)
        self._conduct.cancel_timer(call, TimerKind.INVITE, out)
        self._conduct.record(call, facts.PassedOn(at, cause), out)
        if answered:
            if comes_back:
                self.bring_back(call, out)
            return
        self._conduct.set_timer(call, TimerKind.RING, self._conduct.waiting.rules_for(call).ring_timeout_s, out)
        self._conduct.guard(call, at, out)

    def join(self, call: Call, bridge: BridgeId, invited: Offer, out: Output) -> None:
        """Put who was called in into the bridge."""
        out.commands.append(cmd.JoinBridge(call.site, call.id, bridge, invited.channel))
        self._conduct.floor.bridges.enter(call, bridge, invited.channel)

    def drop_invited(
        self, call: Call, result: OfferResult, at: datetime, out: Output, *, goes_on: bool = False
    ) -> None:
        """Hang up whoever was called in; after a restart their leg may not be known: then it is hung up as nobody's."""
        leg = self._conduct.floor.legs.get(call.invited.channel) if call.invited is not None else None
        self.close_invited(call, result, Cause.NO_ANSWER, at, out, goes_on=goes_on)
        if leg is not None:
            self._conduct.floor.let_go(leg, result, at, out)

    def close_invited(
        self, call: Call, result: OfferResult, cause: int, at: datetime, out: Output, *, goes_on: bool = False
    ) -> None:
        """Nobody is called in any more, or (``goes_on``) they are by another endpoint."""
        self._conduct.cancel_timer(call, TimerKind.INVITE, out)
        self._conduct.following.stop_playback(call, out)
        self._conduct.record(call, facts.InviteClosed(at, result, cause, goes_on), out)
        self._conduct.counters.offers[result] += 1

    def leg_of(self, call: Call, offer: Offer | None) -> Leg:
        """The leg of the counselor's offer, or of who was called in.

        Raises:
            ImpossibleEventError: there is none, though the call talks.
        """
        leg = self._conduct.floor.legs.get(offer.channel) if offer is not None else None
        if leg is None:
            raise ImpossibleEventError(f"call {call.id} in state {call.state} has no such leg")
        return leg

    def _bridge(self, call: Call) -> BridgeId:
        if call.offer is None or call.offer.bridge is None:
            raise ImpossibleEventError(f"call {call.id} in state {call.state} has no bridge")
        return call.offer.bridge

    def let_go_of_invited(self, call: Call, at: datetime, out: Output) -> None:
        """Whoever was called in is needed no more."""
        if call.invited is not None:
            answered = call.invited.bridge is not None
            self.drop_invited(call, OfferResult.ANSWERED if answered else OfferResult.CALLER_GONE, at, out)

    # --- after a restart

    def adopt(self, call: Call, leg: Leg, invited: Leg | None, members: Members, at: datetime, out: Output) -> None:
        """Go on with a conversation of an earlier daemon; ``invited`` is the leg of who was called in, if it lives.

        ``members`` tells who is in which bridge: an earlier daemon may not have come to put in whom it meant to.
        """
        present = members.get(self._bridge(call), frozenset())
        call.music = call.channel not in present
        self._conduct.floor.bridges.make(call, self._bridge(call), leg.channel)
        again = None
        if call.invited is not None and invited is None:
            again = self._conduct.conversing.unheard(call, at)
            self.note_invited_gone(call, at, out, goes_on=again is not None)
            if call.held and again is None:
                self._conduct.record(call, facts.Resumed(at), out)
        self._adopt_invited(call, members, at, out)
        self._adopt_counselor(call, leg, members, out)
        self._adopt_caller(call, present, at, out)
        if again is not None:
            self._conduct.conversing.call_again(call, again, at, out)
        self._conduct.length.watch(call, at, out)

    def after_silence(self, call: Call, members: Members, at: datetime, out: Output) -> None:
        """The site was away, and may not have heard who is to be in the bridge of a conversation."""
        leg = self.leg_of(call, call.offer)
        present = members.get(self._bridge(call), frozenset())
        call.music = call.channel not in present
        if call.invited is not None and call.invited.bridge is not None:
            self._adopt_invited(call, members, at, out)
        self._adopt_counselor(call, leg, members, out)
        self._adopt_caller(call, present, at, out)

    def note_invited_gone(self, call: Call, at: datetime, out: Output, *, goes_on: bool = False) -> None:
        """Whoever was called in hung up while nobody looked; ``goes_on``: or was not called, and is now."""
        if call.invited is not None:
            result = OfferResult.FAILED if call.invited.bridge is None else OfferResult.ANSWERED
            self._conduct.record(call, facts.InviteClosed(at, result, Cause.NOT_DEFINED, goes_on), out)

    def adopt_without_counselor(self, call: Call, invited: Leg, members: Members, at: datetime, out: Output) -> None:
        """As :meth:`adopt`, where the counselor hung up while nobody looked: the call is theirs who were called in."""
        present = members.get(self._bridge(call), frozenset())
        call.music = call.channel not in present
        beside = call.channel if call.speaks_apart else invited.channel
        self._conduct.floor.bridges.make(call, self._bridge(call), beside)
        if call.invited is not None and call.speaks_apart:
            self._conduct.lines.leave_to(call, call.invited, out)
        else:
            self._adopt_invited(call, members, at, out)
        was_held = call.held
        self.pass_on(call, Cause.NOT_DEFINED, at, out)
        if call.state is CallState.CONNECTED:
            self._conduct.length.watch(call, at, out)
            if not was_held:
                self._adopt_caller(call, present, at, out)

    def _adopt_invited(self, call: Call, members: Members, at: datetime, out: Output) -> None:
        invited = call.invited
        if invited is None:
            return
        if invited.bridge is None:
            left_s = self._conduct.waiting.rules_for(call).ring_timeout_s - (at - invited.at).total_seconds()
            self._conduct.set_timer(call, TimerKind.INVITE, max(1.0, left_s), out)
            self._conduct.following.hear_out(call, out)  # the counselor hears how it rings
        elif call.line is not None and not call.passes_on:
            self._conduct.lines.adopt(call, call.line, invited, members, out)
        elif invited.channel in members.get(invited.bridge, frozenset()):
            self._conduct.floor.bridges.enter(call, invited.bridge, invited.channel)
        else:
            self.join(call, invited.bridge, invited, out)

    def _adopt_counselor(self, call: Call, leg: Leg, members: Members, out: Output) -> None:
        if not any(leg.channel in inside for inside in members.values()):  # else it is there, or on its second line
            out.commands.append(cmd.JoinBridge(call.site, call.id, self._bridge(call), leg.channel))

    def _adopt_caller(self, call: Call, present: frozenset[ChannelId], at: datetime, out: Output) -> None:
        if call.held and call.channel in present:
            self.take_out(call, at, out)
        elif call.held:
            self._conduct.floor.bridges.leave(call.id, call.channel, out)
            call.music = not call.in_doubt
            self._conduct.waiting.play_music(call, self._conduct.waiting.music_class(call), at, out)
        elif call.channel not in present:
            self.bring_back(call, out)
