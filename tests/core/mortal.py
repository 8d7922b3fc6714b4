"""Daemons that die, or are cut off, at an order; people who go on with their calls; and what is left in the end."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core import facts, naming
from callrouter.core.call import Call
from callrouter.core.call_orders import CallOrder, CallVerb, CallVia
from callrouter.core.causes import Cause
from callrouter.core.ids import ChannelId, PromptName, SiteName, SupervisorName
from callrouter.core.output import Output
from callrouter.core.rulebook import QueueSpec, Rulebook
from callrouter.core.states import CallState
from callrouter.core.supervisors import HearingMode, HearingOrder, HearingVia, SupervisorSpec
from tests.core.driver import BELL, DESK, HALL, NIGHT, Asterisk, Channel, DiedError, Driver, agent, rulebook

PATIENCE_S = 900.0
LINE = ChannelId("line-1")
"""The second line of a counselor's phone."""
BOSS = SupervisorName("boss")
PROMPTS = [*map(PromptName, ("welcome", "sorry", "ask", "may", "greeting", "thanks", "right", "enter", "wrong"))]
LASTS_S = 8.0
"""How long each prompt lasts."""
GAP = timedelta(seconds=1.5)
"""How long there is no daemon."""
LOOKS_EVERY = timedelta(seconds=60.0)
"""How often the daemon asks what there is."""
HEARD_WHILE_IT_RINGS = {"tone:ring", "sound:callrouter/to-agent"}
CALLS_A_PHONE = facts.Offered | facts.AlsoOffered | facts.Invited | facts.CallingBack


class Mortal(Driver):
    """Dies before it sends the order with the number ``dies_at``, or right after; the next daemon begins later."""

    def __init__(self, story: "Story", dies_at: int, *, sends_it: bool, meanwhile: Callable[["Mortal"], None]) -> None:
        self.busy = story.busy
        self.sent = 0
        self.dies_at = dies_at
        self.sends_it = sends_it
        self.meanwhile = meanwhile
        self.died_at: cmd.AriCommand | None = None
        self.heard: Counter[str] = Counter()
        super().__init__(story.rules())

    def give(self, command: cmd.AriCommand) -> None:
        dies = self.sent == self.dies_at and self.died_at is None
        if dies:
            self.died_at = command
            if not self.sends_it:
                raise DiedError
        self.sent += 1
        super().give(command)
        if isinstance(command, cmd.Play) and command.channel in self.site(command.site).channels:
            self.heard.update(command.media)
        if dies:
            raise DiedError

    @property
    def sites(self) -> Sequence[Asterisk]:
        """Every Asterisk that there is."""
        return [self.asterisk]

    def ringing(self) -> Iterator[tuple[Asterisk, ChannelId, str]]:
        """The phones that are called, each with its site and its endpoint."""
        for site in self.sites:
            for channel in list(site.channels.values()):
                if channel.inbound is None and channel.state in ("Down", "Ringing"):
                    yield site, channel.id, site.endpoints[channel.id]

    def come_after(self) -> Output:
        self.meanwhile(self)
        self.now += GAP
        return super().come_after()


class Cut(Mortal):
    """Lives, but its way to the site is cut at that order: it and those that follow are not heard."""

    def give(self, command: cmd.AriCommand) -> None:
        if self.sent == self.dies_at and self.died_at is None:
            self.died_at = command
            self.asterisk.connected = False
        super(Mortal, self).give(command)
        if self.asterisk.connected:
            self.sent += 1
            if isinstance(command, cmd.Play) and command.channel in self.asterisk.channels:
                self.heard.update(command.media)

    def handle(self, event: ev.Event) -> Output:
        out = super().handle(event)
        if not self.asterisk.connected:
            self.lose_site()
            self.meanwhile(self)
            self.now += GAP
            self.sync()
        return out

    def lose_site(self) -> None:
        self.inbox.clear()
        super(Mortal, self).handle(ev.SiteDown(HALL))

    def sync(self) -> None:
        self.asterisk.connected = True
        super(Mortal, self).handle(self.snapshot())


def nothing(driver: Mortal) -> None:
    """Happens."""


def sounds_end(driver: Mortal) -> None:
    """What plays comes to its end."""
    for site in driver.sites:
        for playback in list(site.playing):
            site.end_playback(playback)


def phones_are_answered(driver: Mortal) -> None:
    """Whatever rings, but where nobody would have answered."""
    for site, channel, endpoint in list(driver.ringing()):
        if endpoint not in driver.busy:
            site.pick_up(channel)


def residents_hang_up(driver: Mortal) -> None:
    """All of them."""
    for channel in list(driver.asterisk.channels.values()):
        if channel.inbound is not None:
            driver.asterisk.hang_up(channel.id)


class World:
    """A resident and counselors who do what people do: they listen, press keys, pick up, talk, and hang up."""

    def __init__(self, driver: Mortal, story: "Story") -> None:
        self.driver = driver
        self.story = story
        self.acts = list(story.acts)
        self.keys = dict(story.keys)
        self.caller = driver.arrive(story.dialed)
        self.talks = 0
        driver.settle()

    def go_on(self) -> None:
        """Until nobody is there any more."""
        until, looks_at = self.driver.now.timestamp() + PATIENCE_S, self.driver.now + LOOKS_EVERY
        while self.driver.exchange.calls or self._somebody_is_there():
            if not self._does_something():
                self.driver.advance(1.0)
            self.driver.settle()
            if self.driver.now >= looks_at:
                looks_at += LOOKS_EVERY
                self.driver.sync()
            assert self.driver.now.timestamp() < until, (self.driver.exchange.calls, self.driver.asterisk)

    def _somebody_is_there(self) -> bool:
        return any(one.in_app for site in self.driver.sites for one in site.channels.values())

    def _does_something(self) -> bool:
        for site, channel, endpoint in self.driver.ringing():
            self._phone_is_called(site, channel, endpoint)
            return True
        if any(self._acts(call) for call in list(self.driver.exchange.calls.values())):
            return True
        for site in self.driver.sites:
            for playback in site.playing:
                site.end_playback(playback)
                return True
            for recording in site.recording:
                site.end_recording(recording)
                return True
        return False

    def _phone_is_called(self, site: Asterisk, channel: ChannelId, endpoint: str) -> None:
        site.ring(channel)
        if endpoint in self.story.busy:
            site.hang_up(channel, Cause.CALL_REJECTED)
        else:
            site.pick_up(channel)

    def _acts(self, call: Call) -> bool:
        if call.state in self.keys and call.channel in self.driver.asterisk.channels:
            who = self.driver.leg(call) if call.state is CallState.CONFIRMING else call.channel
            self.driver.tell(ev.DigitPressed(who, self.keys.pop(call.state)))
            return True
        if call.state is not CallState.CONNECTED:
            return False
        self._who_is_on_hold_is_alone(call)
        if self.acts:
            return self._act(call)
        if call.held:  # somebody is still being called
            return False
        self._they_talk(call)
        self.driver.hang_up(call)
        return True

    def _who_is_on_hold_is_alone(self, call: Call) -> None:
        assert not call.held or not self.driver.together(call)
        assert not call.held or self.driver.channel(call).music

    def _act(self, call: Call) -> bool:
        """Whether it was time for what comes next. An order that was not answered is given again."""
        lived = self.driver.died_at is None
        event = self.acts[0](self.driver, call)
        if event is None:
            return False
        self.driver.handle(event)
        is_answered = (self.driver.died_at is None) == lived
        if is_answered or not isinstance(event, ev.CallOrdered | ev.HearingOrdered):
            self.acts.pop(0)
        return True

    def _they_talk(self, call: Call) -> None:
        """The resident hears somebody, and nothing else."""
        asterisk = self.driver.asterisk
        channel = asterisk.channels[call.channel]
        assert channel.state == "Up"
        assert not channel.music
        assert call.channel not in asterisk.playing.values()
        assert len(self.driver.together(call)) >= 2
        self.talks += 1


Act = Callable[[Mortal, Call], ev.Event | None]
"""What somebody does in a conversation; None while it is not the time for it."""


def orders(verb: CallVerb, target: str = "") -> Act:
    """A colleague gives an order."""
    return lambda _, call: ev.CallOrdered(CallOrder(call.id, verb, "boss", CallVia.API, target), 7)


def listens(driver: Mortal, call: Call) -> ev.Event:
    """The supervisor wants to hear the call."""
    return ev.HearingOrdered(HearingOrder(call.id, BOSS, HearingMode.LISTEN, BOSS, HearingVia.COMMAND), 7)


def barges_in(driver: Mortal, call: Call) -> ev.Event | None:
    """The supervisor wants to be heard, too; and wants it again if the next daemon took it back."""
    if any(hearing.mode is not hearing.wanted for hearing in call.hearings.values()):
        return None
    return ev.HearingOrdered(HearingOrder(call.id, BOSS, HearingMode.BARGE, BOSS, HearingVia.COMMAND), 7)


def has_it(driver: Mortal, call: Call) -> ev.Event | None:
    """The supervisor hears what he wanted to, and presses some key."""
    if any(one.mode is not one.wanted for one in call.hearings.values()):
        return None
    return ev.DigitPressed(next((one.channel for one in call.hearings.values()), call.channel), "#")


def refers_to(target: str) -> Act:
    """The counselor's phone has the caller passed on (REFER)."""
    return lambda driver, call: ev.TransferAsked(driver.leg(call), target)


def dials_on(number: str, site: SiteName = HALL) -> Act:
    """The counselor dials on his second line; Asterisk keeps the line whether a daemon hears of it or not."""

    def dial(driver: Mortal, call: Call) -> ev.Event:
        line = ev.LineDialed(site, LINE, "PJSIP/kim", number)
        driver.site(site).channels[LINE] = Channel(LINE, "Ring", line=line)
        return line

    return dial


def _consults(asterisk: Asterisk) -> bool:
    """Whether the counselor talks on his second line, or nothing will come of it any more."""
    bridges = asterisk.bridges.values()
    return LINE not in asterisk.channels or any(LINE in inside and len(inside) == 2 for inside in bridges)


def passes_on(driver: Mortal, call: Call) -> ev.Event | None:
    """The counselor, who talks with his colleague on the second line, has the phone pass the caller on to him."""
    return ev.TransferAsked(driver.leg(call), "lee", replaced=LINE) if _consults(driver.asterisk) else None


def hangs_the_line_up(site: SiteName = HALL) -> Act:
    """The counselor has asked his colleague, and goes back to the caller."""

    def hang_up(driver: Mortal, call: Call) -> ev.Event | None:
        asterisk = driver.site(site)
        if not _consults(asterisk):
            return None
        asterisk.hang_up(LINE)
        return driver.inbox.pop() if driver.inbox else ev.CallerLeft(LINE)

    return hang_up


@dataclass(frozen=True)
class Story:
    """What a resident dials, and what everybody does."""

    dialed: str
    keys: tuple[tuple[CallState, str], ...] = ()
    acts: tuple[Act, ...] = ()
    busy: tuple[str, ...] = ()
    queue: QueueSpec | None = None
    mortal: type[Mortal] = Mortal

    def rules(self) -> Rulebook:
        queues = (self.queue,) if self.queue is not None else ()
        staff = (agent("kim", DESK, BELL), agent("lee", NIGHT, BELL))
        supervisors = {BOSS: SupervisorSpec(BOSS, "이팀장", HALL, "PJSIP/boss", queues=(DESK,))}
        rules = replace(rulebook(*staff, queues=queues), supervisors=supervisors)
        return replace(rules, speech_s=dict.fromkeys(PROMPTS, LASTS_S))


NEVER = 10_000
BEFORE_THE_CALL = 3
"""So many orders are given before the resident dials: for lamps and phones."""


def told(story: Story, dies_at: int, *, sends_it: bool = False, meanwhile: Callable[[Mortal], None] = nothing) -> World:
    """The story, with a daemon that dies at that order."""
    world = World(story.mortal(story, dies_at, sends_it=sends_it, meanwhile=meanwhile), story)
    world.go_on()
    return world


def left_over(driver: Mortal) -> list[str]:
    """What ought not to be there when all have hung up."""
    called = {fact.channel for _, fact in driver.log if isinstance(fact, CALLS_A_PHONE)}
    legs = {channel for channel in driver.asterisk.endpoints if naming.parse_leg_channel(channel)}
    what: dict[str, object] = {
        "orders that waited behind a sound": [one for site in driver.sites for one in site.delayed],
        "bridges": [one for site in driver.sites for one in site.bridges],
        "playbacks": [one for site in driver.sites for one, where in site.playing.items() if where in site.channels],
        "recordings": [one for site in driver.sites for one in site.recording],
        "recorded conversations": [one for site in driver.sites for one in site.taped],
        "legs in no record": legs - called,
        "busy counselors": [each for each in driver.exchange.floor.staff.agents.values() if each.leg is not None],
        "seizures": driver.exchange.floor.trunks.seizures,
        "second records": len(driver.cdrs) - len({cdr.call_id for cdr in driver.cdrs}),
        "calls without a record": driver.journal.keys() - {cdr.call_id for cdr in driver.cdrs},
    }
    return [f"{name}: {found}" for name, found in what.items() if found]


def noticed(wanted: World, world: World) -> list[str]:
    """What the resident or a counselor would notice."""
    driver = world.driver
    # Where the other phone is answered meanwhile, nobody needs to hear how it rings.
    needless = HEARD_WHILE_IT_RINGS if driver.meanwhile is phones_are_answered else set()
    pairs: dict[str, tuple[object, object]] = {
        "conversations": (world.talks, wanted.talks),
        "never heard": (wanted.driver.heard.keys() - driver.heard.keys() - needless, set()),
        "messages and recorded conversations": (len(driver.asterisk.stored), len(wanted.driver.asterisk.stored)),
        "records": (_records(driver), _records(wanted.driver)),
    }
    return [f"{name}: {found}, not {should_be}" for name, (found, should_be) in pairs.items() if found != should_be]


def _records(driver: Driver) -> list[tuple[object, ...]]:
    return sorted(
        (
            cdr.call_id,
            cdr.outcome,
            str(cdr.agent),
            str(cdr.destination),
            "is an estimate" in cdr.explanation,
            sorted({leg.agent or leg.destination or "" for leg in cdr.legs if leg.answered_at is not None}),
            sorted({mode for hearing in cdr.hearings for mode in hearing.modes}),
        )
        for cdr in driver.cdrs
    )


def nobody_notices(story: Story, meanwhile: Callable[[Mortal], None], *, sends_it: bool) -> None:
    """That the story goes as it would have, at whichever order the daemon dies."""
    wanted = told(story, NEVER)
    for number in range(wanted.driver.sent):
        world = told(story, number, sends_it=sends_it, meanwhile=meanwhile)
        assert world.driver.died_at is not None
        found = noticed(wanted, world) + left_over(world.driver)
        assert not found, (number, world.driver.died_at, found)


def nothing_is_left_of_who_hangs_up(story: Story, *, sends_it: bool, looks_again: bool = False) -> None:
    """That nothing is, at whichever order the daemon dies; ``looks_again``: when the next has looked once more."""
    for number in range(told(story, NEVER).driver.sent):
        world = told(story, number, sends_it=sends_it, meanwhile=residents_hang_up)
        if looks_again:
            world.driver.advance(10.0)
            world.driver.sync()
        found = left_over(world.driver)
        assert not found, (number, world.driver.died_at, found)
