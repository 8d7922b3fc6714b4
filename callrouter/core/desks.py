"""Hot desks: a counselor dials a code at any phone, then his number and PIN, and that phone is his until he logs out.

The digits are taken here, one by one: a PIN that the dialplan took would be in Asterisk's log. Who goes on dialling
wrong ones finds the number, and the phone, locked for a while.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callrouter.core import commands as cmd
from callrouter.core.agent import Agent
from callrouter.core.attendance import TOLD_CONTEXT, Attendance
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.duty import Duty, DutyOrder, DutyVerb, DutyVia
from callrouter.core.events import CodeDialed, DigitPressed, TimerKind
from callrouter.core.floor import Floor
from callrouter.core.ids import AgentId, CallId, ChannelId, PlaybackId, PromptName, SiteName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.pins import Pin
from callrouter.core.switches import moment, one_line

DIALOG_S = 90.0
"""How long all of it may take; then the dialplan takes the phone back."""
KEY_S = 20.0
"""How long the next key may take."""
LONGEST = 20
"""Digits that are taken for a number or a PIN; those that follow are not."""
ASK_NUMBER, ASK_PIN = PromptName("agent-number"), PromptName("agent-pin")
LOGGED_IN, REFUSED, LOCKED, TAKEN = "loggedin", "refused", "locked", "taken"
"""What the phone hears in the end: prompts ``agent-<word>``."""


@dataclass(slots=True)
class _Dialog:
    """A phone at which somebody is dialling who he is."""

    site: SiteName
    channel: ChannelId
    endpoint: str
    number: str | None = None
    """None while it is dialled."""
    digits: str = ""
    is_playing: bool = True

    @property
    def playback(self) -> PlaybackId:
        return PlaybackId(f"callrouter-desk-{self.channel}-{'number' if self.number is None else 'pin'}")


class Desks:
    """Who is logging in at which phone. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, floor: Floor, attendance: Attendance) -> None:
        self._floor = floor
        self._attendance = attendance
        self._dialogs: dict[ChannelId, _Dialog] = {}
        self._wrong: dict[str, int] = {}
        """Wrong tries in a row, by the counselor's number and by the phone."""
        self._locked: dict[str, datetime] = {}
        """Until when."""
        self.check: Callable[[Pin, str], bool] = Pin.matches
        """Whether these digits are that PIN."""

    def is_secret(self, event: DigitPressed) -> bool:
        """Whether the key is part of a PIN."""
        dialog = self._dialogs.get(event.channel)
        return dialog is not None and dialog.number is not None and event.digit not in "*#"

    def dialed(self, event: CodeDialed, at: datetime, out: Output) -> bool:
        """A phone dialled a code: ask for number and PIN. False: it is not this one."""
        if not self._floor.rulebook.desk_code or event.code != self._floor.rulebook.desk_code:
            return False
        dialog = _Dialog(event.site, event.channel, event.endpoint)
        self._dialogs[event.channel] = dialog
        lane = CallId(event.channel)
        out.commands.append(cmd.SetDeadMan(event.site, lane, event.channel, DIALOG_S, playing=False))
        out.commands.append(cmd.Answer(event.site, lane, event.channel))
        self._ask(dialog, ASK_NUMBER, out)
        return True

    def pressed(self, event: DigitPressed, at: datetime, out: Output) -> bool:
        """A key was pressed. False: not at a phone where somebody logs in."""
        dialog = self._dialogs.get(event.channel)
        if dialog is None:
            return False
        if dialog.is_playing:
            dialog.is_playing = False
            out.commands.append(cmd.StopPlayback(dialog.site, CallId(dialog.channel), dialog.playback))
        if event.digit != "#":
            dialog.digits = "" if event.digit == "*" else (dialog.digits + event.digit)[:LONGEST]
            self._await_key(dialog, out)
        elif dialog.number is None:
            dialog.number, dialog.digits = dialog.digits, ""
            self._ask(dialog, ASK_PIN, out)
        else:
            self._end(dialog, self._log_in(dialog, dialog.number, dialog.digits, at, out), out)
        return True

    def key_overdue(self, channel: ChannelId, out: Output) -> None:
        """Nobody presses anything any more, or the phone has hung up."""
        dialog = self._dialogs.get(channel)
        if dialog is not None:
            self._end(dialog, REFUSED, out)

    def restore_locks(self, entries: Iterable[AuditEntry], at: datetime) -> None:
        """Know again what is locked, from the newest entry of each; before the first event."""
        self._locked = {entry.name: entry.until for entry in entries if entry.until is not None and entry.until > at}

    def _ask(self, dialog: _Dialog, prompt: PromptName, out: Output) -> None:
        dialog.is_playing = True
        media = (self._floor.rulebook.media(prompt),)
        out.commands.append(cmd.Play(dialog.site, CallId(dialog.channel), dialog.channel, dialog.playback, media))
        self._await_key(dialog, out)

    def _await_key(self, dialog: _Dialog, out: Output) -> None:
        out.commands.append(cmd.SetTimer((TimerKind.DESK, dialog.channel), KEY_S))

    def _end(self, dialog: _Dialog, word: str, out: Output) -> None:
        del self._dialogs[dialog.channel]
        lane = CallId(dialog.channel)
        if dialog.is_playing:
            out.commands.append(cmd.StopPlayback(dialog.site, lane, dialog.playback))
        out.commands.append(cmd.CancelTimer((TimerKind.DESK, dialog.channel)))
        out.commands.append(cmd.ContinueInDialplan(dialog.site, lane, dialog.channel, TOLD_CONTEXT, word))

    def _log_in(self, dialog: _Dialog, number: str, digits: str, at: datetime, out: Output) -> str:
        """The word for what became of it."""
        agent = self._floor.staff.agents.get(AgentId(number))
        phone = f"{dialog.site}:{dialog.endpoint}"
        tried = [phone, *([str(agent.spec.id)] if agent is not None else [])]
        if any(self._is_locked(what, at) for what in tried):
            return self._refuse(dialog, number, LOCKED, out)
        pin = agent.spec.pin if agent is not None and not agent.retired else None
        if agent is None or pin is None or not self.check(pin, digits):
            self._count_wrong(tried, dialog, at, out)
            return self._refuse(dialog, number, REFUSED, out)
        for what in tried:
            self._wrong.pop(what, None)
        return self._take_seat(agent, dialog, number, at, out)

    def _refuse(self, dialog: _Dialog, number: str, word: str, out: Output) -> str:
        text = f"{dialog.endpoint}: somebody wanted to log in as {one_line(number)!r}: {word}"
        out.notices.append(Notice(NoticeKind.AGENT_REFUSED, None, text))
        return word

    def _is_locked(self, what: str, at: datetime) -> bool:
        return self._locked.get(what, at) > at

    def _count_wrong(self, tried: Iterable[str], dialog: _Dialog, at: datetime, out: Output) -> None:
        limits = self._floor.rulebook.limits
        for what in tried:
            self._wrong[what] = self._wrong.get(what, 0) + 1
            if self._wrong[what] < limits.pin_tries:
                continue
            del self._wrong[what]
            until = self._locked[what] = at + timedelta(seconds=limits.pin_lock_s)
            note = f"{limits.pin_tries} wrong tries to log in, the last at {dialog.endpoint}"
            entry = AuditEntry(
                at,
                dialog.endpoint,
                AuditKind.PIN,
                what,
                "open",
                "locked",
                DutyVia.PHONE,
                at,
                until.astimezone(UTC),
                note,
            )
            out.audit.append(entry)
            local = moment(until.astimezone(self._floor.rulebook.timezone))
            out.notices.append(Notice(NoticeKind.AGENT_REFUSED, None, f"{what} is locked until {local}: {note}"))

    def _take_seat(self, agent: Agent, dialog: _Dialog, number: str, at: datetime, out: Output) -> str:
        """It is he: whoever had the phone leaves it, unless he is talking there."""
        desk = (dialog.site, dialog.endpoint)
        talking = [leg.agent for leg in self._floor.legs.values() if leg.phone == desk]
        holder = self._floor.staff.agent_at(*desk)
        if any(other is not agent for other in talking):  # he may have a desk elsewhere by now
            return self._refuse(dialog, number, TAKEN, out)
        if holder is not None and holder is not agent:
            reason = f"{agent.spec.id} works at {dialog.endpoint}"
            self._attendance.order(
                DutyOrder(holder.spec.id, DutyVerb.LOGOUT, agent.spec.id, DutyVia.PHONE, reason), at, out
            )
        self._attendance.sit(agent, desk, agent.spec.id, at, out)
        verb = DutyVerb.LOGIN if agent.duty is Duty.OFF else DutyVerb.READY
        self._attendance.order(DutyOrder(agent.spec.id, verb, agent.spec.id, DutyVia.PHONE), at, out)
        return LOGGED_IN
