"""How many calls have gone out, for whom and whereto, in the last day: what is left of the limits.

Counted is what the facts of calls say, so that a daemon that starts anew on the journal of a dead one counts the same.
A call counts from when it is dialled, its minutes from the answer on. Whoever talks is not cut off: a limit keeps the
next call from being made. Emergency calls, and those that may have the reserve of a trunk group, are never kept back,
and count all the same.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from callrouter.core.ids import ChannelId, TenantName, TrunkName
from callrouter.core.outbound import NumberClass
from callrouter.core.outbound_spec import Bound, OutboundLimit, OutboundRules, Unit, Window

KEPT = timedelta(seconds=Window.DAY.seconds)
_FORGETS_EVERY = timedelta(hours=1)
_Key = tuple[str, TenantName]
_BoundKey = tuple[str, TenantName, str]


@dataclass(slots=True)
class OutwardCall:
    """One leg that went out. Times are aware UTC."""

    channel: ChannelId
    tenant: TenantName
    trunk: TrunkName | None
    kind: NumberClass
    at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None

    def talked_s(self, since: datetime, until: datetime) -> float:
        """How long was talked over it in that time."""
        if self.answered_at is None:
            return 0.0
        begin, end = max(self.answered_at, since), min(self.ended_at or until, until)
        return max(0.0, (end - begin).total_seconds())

    def is_over(self, before: datetime) -> bool:
        """Whether it counts no more: it began, and ended, before then."""
        return self.at <= before and self.ended_at is not None and self.ended_at <= before


class LimitNow(msgspec.Struct, frozen=True):
    """How much of a bound is used; ``tenant`` is empty where all count together. ``blocked`` since the start."""

    limit: str
    tenant: TenantName
    bound: str
    """``calls_per_hour`` and the like."""
    used: float
    most: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call may not be made: which limit says so, and when it may be again (aware UTC), as far as is known."""

    limit: str
    tenant: TenantName
    bound: Bound
    again_at: datetime

    def __str__(self) -> str:
        whose = f" of {self.tenant}" if self.tenant else ""
        return f"{self.bound.most} {self.bound.unit} of the last {self.bound.window}{whose} (limit {self.limit})"


@dataclass(slots=True)
class _Count:
    """The calls that one limit counts together, in the order in which they were begun."""

    calls: list[OutwardCall] = field(default_factory=list)

    def used(self, bound: Bound, at: datetime) -> float:
        since = at - timedelta(seconds=bound.window.seconds)
        if bound.unit is Unit.CALLS:
            return len(self.calls) - bisect_right(self.calls, since, key=_begun)
        return sum(call.talked_s(since, at) for call in self.calls) / 60

    def again_at(self, bound: Bound, at: datetime, ahead: int) -> datetime:
        """When the next call may be made but so many, if none goes on talking until then."""
        window = timedelta(seconds=bound.window.seconds)
        if bound.unit is Unit.CALLS:
            return self.calls[min(-1, ahead - bound.most)].at + window
        free_at = at
        over_s = sum(call.talked_s(at - window, at) for call in self.calls) - bound.most * 60 + 1
        for call in self.calls:  # what was talked first leaves the window first
            leaves_s = min(over_s, call.talked_s(at - window, at))
            if leaves_s:
                begin = max(call.answered_at or at, at - window)
                free_at = begin + timedelta(seconds=leaves_s) + window
                over_s -= leaves_s
        return free_at


class OutboundMeter:
    """See the module."""

    def __init__(self, rules: OutboundRules) -> None:
        self._rules = rules
        self._calls: dict[ChannelId, OutwardCall] = {}
        self._counts: dict[_Key, _Count] = {}
        self.blocked: Counter[_BoundKey] = Counter()
        """Calls that were not made, by limit, tenant and bound."""
        self._forgot_at: datetime | None = None
        self._told: dict[_BoundKey, bool] = {}
        """Of what people have been told: that it is nearly used up, or (true) that it is."""

    def replace(self, rules: OutboundRules) -> None:
        """Go on by new limits; what went out is counted by them."""
        self._rules = rules
        self._counts = {}
        for call in sorted(self._calls.values(), key=_begun):
            self._count(call)
        known = {(limit.name, bound.name) for limit in rules.limits for bound in limit.bounds}
        self._told = {key: told for key, told in self._told.items() if (key[0], key[2]) in known}

    def begun(self, call: OutwardCall) -> None:
        """A call goes out; one that is known already is left alone."""
        if call.channel in self._calls:
            return
        self._calls[call.channel] = call
        self._count(call)
        if self._forgot_at is None or call.at - self._forgot_at > _FORGETS_EVERY:
            self.forget(call.at)

    def answered(self, channel: ChannelId, at: datetime) -> None:
        """It was answered."""
        call = self._calls.get(channel)
        if call is not None and call.answered_at is None:
            call.answered_at = at

    def ended(self, channel: ChannelId, at: datetime) -> OutwardCall | None:
        """It is over."""
        call = self._calls.get(channel)
        if call is not None and call.ended_at is None:
            call.ended_at = at
        return call

    def discard(self, channel: ChannelId) -> None:
        """Nothing was dialled after all."""
        if self._calls.pop(channel, None) is not None:
            self._forget_in_counts()

    def refuses(
        self,
        tenant: TenantName,
        trunk: TrunkName | None,
        kind: NumberClass,
        at: datetime,
        *,
        marked: bool = False,
        ahead: int = 0,
    ) -> Refusal | None:
        """What keeps a call from being made now, the longest of all; None: nothing does.

        ``ahead``: so many wait for the same already, and are called first.
        """
        if kind is NumberClass.EMERGENCY or marked or not self._rules.limits:
            return None
        refusals = [
            Refusal(limit.name, whose, bound, count.again_at(bound, at, ahead))
            for limit, whose in self._limits_of(tenant, trunk, kind)
            for bound in limit.bounds
            if (count := self._counts.get((limit.name, whose), _Count())).used(bound, at) >= bound.most
        ]
        return max(refusals, key=lambda refusal: refusal.again_at, default=None)

    def block(self, refusal: Refusal) -> bool:
        """A call was not made; whether people are to be told is returned: once, until little is used again."""
        key = (refusal.limit, refusal.tenant, refusal.bound.name)
        self.blocked[key] += 1
        is_new = not self._told.get(key, False)
        self._told[key] = True
        return is_new

    def take_warnings(self, call: OutwardCall, at: datetime) -> Iterator[LimitNow]:
        """The bounds that are nearly used up with this call, or with what was talked meanwhile; each is told once."""
        for limit, whose in self._limits_of(call.tenant, call.trunk, call.kind):
            for bound in limit.bounds:
                key = (limit.name, whose, bound.name)
                used = self._used(limit, whose, bound, at)
                if used < bound.most * limit.warn_at / 100:
                    self._told.pop(key, None)
                elif key not in self._told:
                    self._told[key] = False
                    yield LimitNow(*key, used, bound.most, self.blocked[key])

    def now(self, at: datetime) -> tuple[LimitNow, ...]:
        """All limits, for everybody whose calls have counted."""
        self.forget(at)
        found = []
        for limit in self._rules.limits:
            counted = sorted(whose for name, whose in self._counts if name == limit.name)
            for whose in counted or ([TenantName("")] if limit.together else []):
                for bound in limit.bounds:
                    key = (limit.name, whose, bound.name)
                    used = round(self._used(limit, whose, bound, at), 1)
                    found.append(LimitNow(*key, used, bound.most, self.blocked[key]))
        return tuple(found)

    def forget(self, at: datetime) -> None:
        """Forget what counts no more."""
        self._forgot_at = at
        before = at - KEPT
        for channel in [one.channel for one in self._calls.values() if one.is_over(before)]:
            del self._calls[channel]
        self._forget_in_counts()

    def _forget_in_counts(self) -> None:
        for count in self._counts.values():
            count.calls = [one for one in count.calls if one.channel in self._calls]

    def _limits_of(
        self, tenant: TenantName, trunk: TrunkName | None, kind: NumberClass
    ) -> Iterable[tuple[OutboundLimit, TenantName]]:
        for limit in self._rules.limits:
            if limit.holds_for(tenant, trunk, kind):
                yield limit, limit.counted_for(tenant)

    def _used(self, limit: OutboundLimit, whose: TenantName, bound: Bound, at: datetime) -> float:
        count = self._counts.get((limit.name, whose))
        return count.used(bound, at) if count is not None else 0.0

    def _count(self, call: OutwardCall) -> None:
        for limit, whose in self._limits_of(call.tenant, call.trunk, call.kind):
            insort(self._counts.setdefault((limit.name, whose), _Count()).calls, call, key=_begun)


def _begun(call: OutwardCall) -> datetime:
    return call.at
