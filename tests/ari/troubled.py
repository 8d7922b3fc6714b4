"""An Asterisk that answers one kind of order late, never, twice, or with an error; and people who are patient.

Everything else is that of :mod:`tests.core.driver`: the real core, and here the real meaning of each reply
(:mod:`callrouter.ari.orders`). What the dialplan does when its dead man's switch fires is played as well, and the
comparison that every site has once a minute.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from callrouter.ari.orders import orders
from callrouter.ari.outcome import Doubt, Reply, answered, unanswered
from callrouter.ari.transport import TIMEOUT_S
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.ids import ChannelId, PlaybackId
from callrouter.core.rulebook import Rulebook
from tests.core.driver import HALL, Asterisk, Channel, Driver

DIALPLAN_S: Final = 5.0
"""How long the dialplan lets us have a caller of whom we say nothing."""
PROMPT_S: Final = 2.0
TROUBLED_S: Final = 60.0
"""For so long, from the first order on, it is in trouble."""
COMPARED_S: Final = 60


class Trouble(StrEnum):
    """What becomes of an order."""

    LATE = "late"
    """It is done, and answered, after four seconds."""
    UNDONE = "never-done"
    """It is lost on the way, and we wait in vain."""
    UNTOLD = "never-told"
    """It is done, and the answer is lost."""
    TWICE = "twice"
    """It is done twice, and answered twice."""
    GONE = "404"
    """Who or what it is about is gone, and nobody has told us."""
    CONFLICT = "409"
    REFUSED = "400"
    FAILED = "500"
    UNAVAILABLE = "503"
    NOT_SENT = "not-sent"
    """Asterisk could not be reached with it."""


_STATUS: Final = {
    Trouble.GONE: 404,
    Trouble.CONFLICT: 409,
    Trouble.REFUSED: 400,
    Trouble.FAILED: 500,
    Trouble.UNAVAILABLE: 503,
}
_REPLIES: Final = (
    ev.Bridged,
    ev.BridgeFailed,
    ev.HearingJoined,
    ev.HearingFailed,
    ev.LegRefused,
    ev.LegUncertain,
    ev.MuteFailed,
)
"""What the simulated Asterisk tells that is really what a reply means."""


class TroubledAsterisk(Asterisk):
    """See the module; ``kind`` is the order that meets with ``trouble``, for a minute."""

    def __init__(self, hall: "TroubledHall", kind: type[cmd.AriCommand] | None, trouble: Trouble | None) -> None:
        super().__init__(HALL, hall.inbox)
        self.hall = hall
        self.kind = kind
        self.trouble = trouble
        self.met = 0
        self.until: datetime | None = None
        """When it is well again."""
        self.started: dict[PlaybackId, datetime] = {}
        self.switches: dict[ChannelId, datetime] = {}
        """When the dead man's switch of a channel fires."""
        self.spoke_to: set[ChannelId] = set()
        """Who was in a bridge with somebody."""
        self.heard_prompt: set[ChannelId] = set()
        self.left: set[ChannelId] = set()
        """Who went on in the dialplan."""

    def do(self, command: cmd.AriCommand) -> None:
        if not isinstance(command, self.kind or ()):
            self.do_well(command)
            return
        self.met += 1
        self.until = self.until or self.hall.now + timedelta(seconds=TROUBLED_S)
        match self.trouble if self.hall.now < self.until else None:
            case None:
                self.do_well(command)
            case Trouble.LATE:
                self.hall.later(4.0, lambda: self.do_well(command))
            case Trouble.TWICE:
                self.do_well(command)
                self.do_well(command)
            case Trouble.UNTOLD:
                self._do_untold(command)
                self.hall.later(TIMEOUT_S, lambda: self._reply(command, unanswered(Doubt.TIMED_OUT)))
            case Trouble.UNDONE:
                self.hall.later(TIMEOUT_S, lambda: self._reply(command, unanswered(Doubt.TIMED_OUT)))
            case Trouble.NOT_SENT:
                self._reply(command, unanswered(Doubt.NOT_SENT))
            case trouble:
                if trouble is Trouble.GONE:
                    self._lose_subject(command)
                self._reply(command, answered(_STATUS[trouble], "{}"))

    def do_well(self, command: cmd.AriCommand) -> None:
        super().do(command)
        match command:
            case cmd.Play(playback=playback):
                self.started[playback] = self.hall.now
            case cmd.SetDeadMan(channel=channel, after_s=after_s):
                self.switches.pop(channel, None)
                if after_s:
                    self.switches[channel] = self.hall.now + timedelta(seconds=after_s)
            case cmd.ContinueInDialplan(channel=channel):
                self.left.add(channel)
                self.switches.pop(channel, None)
            case _:
                pass
        for members in self.bridges.values():
            if len(members) > 1:
                self.spoke_to |= members

    def pass_time(self) -> None:
        """What happens by itself: prompts end, switches fire."""
        for playback, began in list(self.started.items()):
            if self.hall.now - began >= timedelta(seconds=PROMPT_S):
                del self.started[playback]
                self.heard_prompt.add(self.playing.get(playback, ChannelId("")))
                self.end_playback(playback)
        for channel, due in list(self.switches.items()):
            if due <= self.hall.now:
                del self.switches[channel]
                if channel in self.channels and self.channels[channel].in_app:
                    self.left.add(channel)
                    for members in self.bridges.values():
                        members.discard(channel)
                    self.leave(channel)

    def _do_untold(self, command: cmd.AriCommand) -> None:
        before = len(self.inbox)
        self.do_well(command)
        told = self.inbox[before:]
        del self.inbox[before:]
        is_question = isinstance(command, cmd.AskRecording | cmd.AskPlayback)
        self.inbox += [event for event in told if not is_question and not isinstance(event, _REPLIES)]

    def _lose_subject(self, command: cmd.AriCommand) -> None:
        """It is gone, and the event that said so is lost; but whoever talks to it sees it go."""
        before = len(self.inbox)
        match command:
            case cmd.StopPlayback(playback=playback) | cmd.AskPlayback(playback=playback):
                self.end_playback(playback)
                return
            case cmd.DestroyBridge(bridge=bridge) | cmd.RecordTalk(bridge=bridge):
                self._destroy(bridge)
            case cmd.StopRecording(recording=recording) | cmd.MuteRecording(recording=recording):
                self.end_tape(recording)
                self.end_recording(recording)
                return
            case cmd.Connect(caller=channel) | cmd.Hear(phone=channel):
                self.hang_up(channel)
            case (
                cmd.Originate()
                | cmd.SetLamp()
                | cmd.AskRecording()
                | cmd.DeleteRecording()
                | cmd.WatchPhones()
                | cmd.AskPlayback()
            ):
                return
            case _:
                self.hang_up(command.channel)
        del self.inbox[before:]

    def _reply(self, command: cmd.AriCommand, reply: Reply) -> None:
        for order in orders(command, "callrouter"):
            event = order.on_reply(reply) if order.on_reply is not None else None
            if event is not None:
                self.tell(event)


class TroubledHall(Driver):
    """An exchange on such an Asterisk, and time that passes second by second."""

    def __init__(self, rules: Rulebook, kind: type[cmd.AriCommand] | None, trouble: Trouble | None) -> None:
        self._seconds = 0
        self._later: list[tuple[datetime, Callable[[], None]]] = []
        super().__init__(rules, connected=False)
        self.troubled = TroubledAsterisk(self, kind, trouble)
        self.asterisk = self.troubled
        self.sync()

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Let something happen then."""
        self._later.append((self.now + timedelta(seconds=after_s), what))

    def comes_in(self, dialed: str) -> ChannelId:
        """A resident dials."""
        self.arrive(dialed)
        channel = next(reversed(self.asterisk.channels))
        self.troubled.switches[channel] = self.now + timedelta(seconds=DIALPLAN_S)
        self.settle()
        return channel

    def passes(self, seconds: int) -> None:
        """Time passes, and what is due happens."""
        for _ in range(seconds):
            self.advance(1.0)
            due = [what for at, what in self._later if at <= self.now]
            self._later = [(at, what) for at, what in self._later if at > self.now]
            for what in due:
                what()
            self.troubled.pass_time()
            self.settle()
            self._seconds += 1
            if self._seconds % COMPARED_S == 0:
                self.sync()

    def channel_of(self, name: ChannelId) -> Channel | None:
        """The channel, if it lives."""
        return self.asterisk.channels.get(name)
