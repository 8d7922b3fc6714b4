"""How the switches stand, who may set them, and what setting one brings about: an entry of the audit log, a timer for
its end, and the lamps of the phones that watch it.

A switch that is on goes off by itself when its time is over. It counts as off from that instant on, even if the timer
comes late.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.events import TimerKind
from callrouter.core.floor import Floor
from callrouter.core.ids import CallId, SiteName, SwitchName
from callrouter.core.output import Notice, NoticeKind, Output
from callrouter.core.switches import (
    ALL_OFF,
    SwitchAnswer,
    SwitchesOn,
    SwitchOn,
    SwitchOrder,
    SwitchSpec,
    SwitchVia,
    duration,
    moment,
    one_line,
)

TOLD_CONTEXT = "callrouter-switched"
"""The dialplan's context in which a phone hears what became of the code that it dialled, by the word for it."""
ON, OFF = "on", "off"
REFUSED, UNKNOWN = "refused", "unknown"
ITSELF = "callrouter"
"""Who acts when nobody does: a time is over, or the rules have changed."""


class Switchboard:
    """All switches. Methods write what is to be done into the ``Output`` they are given."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._on: dict[SwitchName, SwitchOn] = {}

    def on(self, at: datetime) -> SwitchesOn:
        """The switches that are on at this instant."""
        if not self._on:  # nearly always, and asked for every call
            return ALL_OFF
        return {name: switch for name, switch in self._on.items() if switch.until is None or switch.until > at}

    def order(self, order: SwitchOrder, at: datetime, out: Output) -> SwitchAnswer:
        """Set a switch, or say why not."""
        self.expire(order.name, at, out)
        spec = self._floor.rulebook.switches.get(order.name)
        if spec is None:
            there = ", ".join(sorted(self._floor.rulebook.switches)) or "none"
            return SwitchAnswer(False, False, f'there is no switch "{one_line(order.name)}"; there are: {there}')
        return self._turn_on(spec, order, at, out) if order.on else self._turn_off(spec, order, at, out)

    def dialed(self, event: ev.CodeDialed, at: datetime, out: Output) -> None:
        """A phone dialled the code of a switch: turn it over if it may, and let it hear what has become of it."""
        word = self._obey_code(event, at, out)
        lane = CallId(event.channel)
        out.commands.append(cmd.ContinueInDialplan(event.site, lane, event.channel, TOLD_CONTEXT, word))

    def expire(self, name: SwitchName, at: datetime, out: Output) -> None:
        """A switch's timer has run out; one that was renewed meanwhile has another."""
        switch = self._on.get(name)
        if switch is not None and switch.until is not None and switch.until <= at:
            self._end(name, SwitchVia.EXPIRY, at, out)

    def replace(self, at: datetime, out: Output) -> None:
        """The rules are new. A switch that they do not have is off; the others stay as they are, for as long."""
        for name in [name for name in self._on if name not in self._floor.rulebook.switches]:
            self._end(name, SwitchVia.RELOAD, at, out)
        for site in sorted(self._floor.ways.sites):
            self.light_up(site, at, out)

    def restore(self, entries: Iterable[AuditEntry], at: datetime, out: Output) -> None:
        """Know again how the switches stood, from the newest entry of each; before the first event."""
        for entry in entries:
            if entry.becomes != ON:
                continue
            name, until = SwitchName(entry.name), entry.until if entry.until is not None else at
            since = self._local(entry.since if entry.since is not None else entry.at)
            self._on[name] = SwitchOn(name, entry.who, since, self._local(until), entry.note)
            if until <= at:
                self._end(name, SwitchVia.EXPIRY, until, out)
            elif name not in self._floor.rulebook.switches:
                self._end(name, SwitchVia.RELOAD, at, out)
            else:
                self._await_end(name, until, at, out)

    def light_up(self, site: SiteName, at: datetime, out: Output) -> None:
        """Have every lamp of a site stand as its switch does, whatever the site has heard of it."""
        on = self.on(at)
        for spec in self._floor.rulebook.switches.values():
            self._light(site, spec, spec.name in on, out)

    def _turn_on(self, spec: SwitchSpec, order: SwitchOrder, at: datetime, out: Output) -> SwitchAnswer:
        before, length_s = self._on.get(spec.name), _length_s(spec, order, at)
        if length_s <= 0:
            message = f"that would be over already; name a time to come, or none for {duration(spec.max_s)}"
            return SwitchAnswer(False, False, message, before)
        if length_s > spec.max_s:
            message = f"switch {spec.name} stays on for at most {duration(spec.max_s)}; renew it when that is over"
            return SwitchAnswer(False, False, message, before)
        until = at + timedelta(seconds=length_s)
        since = before.since if before is not None else self._local(at)
        switch = SwitchOn(spec.name, one_line(order.who), since, self._local(until), one_line(order.note))
        self._on[spec.name] = switch
        self._await_end(spec.name, until, at, out)
        self._note(order, ON if before else OFF, at, out)
        self._light_everywhere(spec.name, True, out)
        word = "stays on" if before else "is on"
        return SwitchAnswer(True, True, f"switch {spec.name} {word} until {moment(self._local(until))}", switch)

    def _turn_off(self, spec: SwitchSpec, order: SwitchOrder, at: datetime, out: Output) -> SwitchAnswer:
        if spec.name not in self._on:
            return SwitchAnswer(True, False, f"switch {spec.name} is off already")
        self._put_out(order, at, out)
        return SwitchAnswer(True, True, f"switch {spec.name} is off")

    def _obey_code(self, event: ev.CodeDialed, at: datetime, out: Output) -> str:
        """The word for what became of it."""
        coded = (one for one in self._floor.rulebook.switches.values() if one.code)
        spec = next((one for one in coded if one.code == event.code), None)
        who = self._who(event.site, event.endpoint)
        if spec is None:
            out.notices.append(Notice(NoticeKind.SWITCH_REFUSED, None, f"{who} dialled {event.code}: no switch has it"))
            return UNKNOWN
        if (event.site, event.endpoint) not in spec.phones:
            text = f"{who} dialled {event.code}: it may not set the switch {spec.name}"
            out.notices.append(Notice(NoticeKind.SWITCH_REFUSED, None, text))
            return REFUSED
        self.expire(spec.name, at, out)
        on = spec.name not in self._on
        self.order(SwitchOrder(spec.name, on, who, SwitchVia.PHONE), at, out)
        return ON if on else OFF

    def _who(self, site: SiteName, endpoint: str) -> str:
        """Whose phone it is, if it is a counselor's."""
        agent = self._floor.staff.agent_at(site, endpoint)
        return agent.spec.id if agent is not None else endpoint

    def _end(self, name: SwitchName, via: SwitchVia, at: datetime, out: Output) -> None:
        """It goes off, and nobody did it."""
        self._put_out(SwitchOrder(name, False, ITSELF, via), at, out)

    def _put_out(self, order: SwitchOrder, at: datetime, out: Output) -> None:
        del self._on[order.name]
        out.commands.append(cmd.CancelTimer((TimerKind.SWITCH, order.name)))
        self._note(order, ON, at, out)
        self._light_everywhere(order.name, False, out)

    def _await_end(self, name: SwitchName, until: datetime, at: datetime, out: Output) -> None:
        out.commands.append(cmd.SetTimer((TimerKind.SWITCH, name), (until - at).total_seconds()))

    def _note(self, order: SwitchOrder, was: str, at: datetime, out: Output) -> None:
        """Have it kept who set a switch, as it stands now."""
        switch, who, note = self._on.get(order.name), one_line(order.who), one_line(order.note)
        becomes = ON if switch is not None else OFF
        since, until = (switch.since, switch.until) if switch is not None else (at, None)
        out.audit.append(
            AuditEntry(at, who, AuditKind.SWITCH, order.name, was, becomes, order.via, _utc(since), _utc(until), note)
        )
        limit = f" until {moment(until)}" if until else ""
        text = f"{order.name}: {was}, now {becomes}{limit}; by {who}, via {order.via}{f' ({note})' if note else ''}"
        out.notices.append(Notice(NoticeKind.SWITCH_SET, None, text))

    def _local(self, at: datetime) -> datetime:
        """In the zone in which people here read times."""
        return at.astimezone(self._floor.rulebook.timezone)

    def _light_everywhere(self, name: SwitchName, lit: bool, out: Output) -> None:
        spec = self._floor.rulebook.switches.get(name) or SwitchSpec(name, name)
        for site in sorted(self._floor.ways.sites):
            self._light(site, spec, lit, out)

    def _light(self, site: SiteName, spec: SwitchSpec, lit: bool, out: Output) -> None:
        """By its name, for hints that people write, and by its code, for the hints of our own dialplan."""
        names = [f"switch-{spec.name}", *([f"code-{spec.code.removeprefix('*')}"] if spec.code else [])]
        for name in names:
            shows = cmd.Lamp.IN_USE if lit else cmd.Lamp.FREE
            out.commands.append(cmd.SetLamp(site, CallId(f"switch-{spec.name}"), f"Stasis:callrouter-{name}", shows))


def _length_s(spec: SwitchSpec, order: SwitchOrder, at: datetime) -> float:
    """How long the switch is to be on."""
    if order.until is not None:
        return (order.until - at).total_seconds()
    return spec.max_s if order.for_s is None else order.for_s


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at is not None else None
