"""Whether records say what the clients saw: every call of theirs once, and with their times.

What happened while no daemon could see it has a time in its record that is an estimate, between the moment itself and
the daemon's return. All else agrees to a second.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from callrouter.core.cdr import Cdr, CdrLeg, OfferResult, Outcome, ReturnResult
from callrouter.core.loops import word_of
from callrouter.core.naming import leg_channel
from tests.acceptance.soak.seen import Away, LegSeen, Seen

AGREES = timedelta(seconds=1.0)
"""By how much a record's time may differ from what the client saw."""
SETTLES = timedelta(seconds=2.5)
"""So long after a daemon's return an estimate may lie: until it knows again what there is."""
UNSEEN = timedelta(seconds=0.5)
"""So long before a daemon is known to be away it may be so."""
_MADE = timedelta(microseconds=500)
_MOST_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known. ``sent_away``: when Asterisk sent a call to its fallback, by the number that it dialled."""

    seen: Sequence[Seen]
    legs: Sequence[LegSeen]
    cdrs: Sequence[Cdr]
    away: Sequence[Away]
    sent_away: Mapping[str, datetime]

    def disagreements(self) -> list[str]:
        """What does not add up, a line each; empty if all is well."""
        return [*self._of_calls(), *self._of_legs(), *self._of_callbacks(), *self._of_sums()]

    # --- calls of residents

    def _of_calls(self) -> Iterator[str]:
        came_in: dict[str, list[Cdr]] = defaultdict(list)
        for cdr in self.cdrs:
            if cdr.returns is None:
                came_in[cdr.dialed].append(cdr)
        for one in self.seen:
            found = came_in.pop(one.dialed, [])
            if len(found) > 1:
                yield f"{one.number}: {len(found)} records"
            if not found and one.entered and not self._is_excused(one):
                yield f"{one.number}: no record, and nobody was away ({one.began_at:%T.%f} to {one.ended_at:%T.%f})"
            for cdr in found:
                yield from self._of_call(one, cdr)
        for dialed in came_in:
            yield f"{dialed}: a record, and nobody called"

    def _is_excused(self, one: Seen) -> bool:
        """Whether no daemon can know of a call: Asterisk sent it elsewhere, or it was over before one came back."""
        return one.dialed in self.sent_away or any(
            away.begun_at - UNSEEN <= one.began_at and one.ended_at <= away.over_at + SETTLES for away in self.away
        )

    def _of_call(self, one: Seen, cdr: Cdr) -> Iterator[str]:
        if cdr.caller != one.number:
            yield f"{one.number}: the record says {cdr.caller}"
        yield from self._compare(f"{one.number} began", one.began_at, cdr.started_at)
        ended_at = min(one.ended_at, self.sent_away.get(one.dialed, one.ended_at))
        yield from self._compare(f"{one.number} ended", ended_at, cdr.ended_at)

    # --- calls to phones

    def _of_legs(self) -> Iterator[str]:
        recorded: dict[str, tuple[Cdr, CdrLeg]] = {}
        for cdr in self.cdrs:
            for leg in cdr.legs:
                word = word_of(leg.channel)
                if word in recorded:
                    yield f"{cdr.caller}: leg {leg.attempt} is in two records"
                recorded[word] = cdr, leg
        seen = {one.word for one in self.legs if one.word}
        for one in self.legs:
            where = f"{one.phone} was called for {one.caller} at {one.began_at:%T.%f}"
            if not one.word:
                if one.caller not in self._fallen_back:
                    yield f"{where}: by nobody we know"
            elif one.word not in recorded:
                yield f"{where}: no record has it{self._whose(one.word)}"
            else:
                yield from self._of_leg(one, *recorded[one.word])
        for word, (cdr, leg) in recorded.items():
            if leg.answered_at is not None and word not in seen:
                yield f"{cdr.caller}: leg {leg.attempt} to {leg.agent or leg.destination} was answered by nobody"
        counts = Counter(one.word for one in self.legs if one.word)
        yield from (f"a leg was called {count} times" for count in counts.values() if count > 1)

    def _whose(self, word: str) -> str:
        """Of which call a leg would be, if of any."""
        for cdr in self.cdrs:
            for attempt in range(_MOST_ATTEMPTS):
                if word_of(leg_channel(cdr.call_id, attempt)) == word:
                    return f"; it is leg {attempt} of {cdr.caller}'s call {cdr.call_id}"
        return ""

    @property
    def _fallen_back(self) -> set[str]:
        return {one.number for one in self.seen if one.dialed in self.sent_away}

    def _of_leg(self, one: LegSeen, cdr: Cdr, leg: CdrLeg) -> Iterator[str]:
        where = f"{cdr.caller}: leg {leg.attempt} to {leg.agent or leg.destination}"
        if leg.agent is not None and leg.agent != one.phone:
            yield f"{where} rang at {one.phone}"
        yield from self._compare(f"{where} began", one.began_at, leg.offered_at)
        yield from self._compare(f"{where} ended", one.ended_at, leg.ended_at)
        if leg.answered_at is not None:
            yield from self._of_answer(where, one, leg.answered_at, waited=_waited_for_resident(cdr, leg))
        elif leg.result is OfferResult.ANSWERED:
            yield f"{where} was answered, and the record does not say when"

    def _of_answer(self, where: str, one: LegSeen, recorded: datetime, *, waited: bool) -> Iterator[str]:
        if one.answered_at is None:
            yield f"{where} was not answered, the record says at {recorded:%T.%f}"
        elif not waited:
            yield from self._compare(f"{where} answered", one.answered_at, recorded)
        elif recorded < one.answered_at - AGREES:
            yield f"{where} answered at {one.answered_at:%T.%f}, the record says {recorded:%T.%f}"

    # --- requests to be called back

    def _of_callbacks(self) -> Iterator[str]:
        """Each request that was taken down was seen to exactly once, with what the resident's phone saw of it."""
        made: dict[str, list[Cdr]] = defaultdict(list)
        for cdr in self.cdrs:
            if cdr.returns is not None:
                made[cdr.returns.request].append(cdr)
        for cdr in self.cdrs:
            if cdr.callback is None or cdr.returns is not None:
                continue
            returns = made.pop(cdr.call_id, [])
            if len(returns) != 1:
                yield f"{cdr.caller}: wants to be called back, and {len(returns)} calls were made"
            for one in returns:
                yield from self._of_return(cdr, one)
        yield from (f"call {request}: called back, and did not ask" for request in made)

    def _of_return(self, cdr: Cdr, made: Cdr) -> Iterator[str]:
        assert made.returns is not None
        answered = [leg for leg in self.legs if leg.called == cdr.caller and leg.answered_at is not None]
        if made.returns.result is ReturnResult.REACHED and not answered:
            yield f"{cdr.caller}: called back, it is said, and never answered"
        if made.returns.result is ReturnResult.REACHED and made.outcome is not Outcome.HANDLED:
            yield f"{cdr.caller}: called back, and {made.outcome}"
        if made.caller != cdr.caller:
            yield f"{cdr.caller}: somebody else was called back, {made.caller}"

    # --- of themselves

    def _of_sums(self) -> Iterator[str]:
        for cdr in self.cdrs:
            length_s = (cdr.ended_at - cdr.started_at).total_seconds()
            if abs(cdr.wait_s + cdr.ring_s + cdr.talk_s - length_s) > 0.002:
                yield f"{cdr.caller}: {cdr.wait_s} + {cdr.ring_s} + {cdr.talk_s} is not {length_s}"
            if cdr.answered_at is None:
                continue
            if abs(cdr.talk_s - (cdr.ended_at - cdr.answered_at).total_seconds()) > 0.002:
                yield f"{cdr.caller}: talked for {cdr.talk_s} s since {cdr.answered_at:%T.%f}"
            if not any(leg.answered_at and abs(leg.answered_at - cdr.answered_at) <= _MADE for leg in cdr.legs):
                yield f"{cdr.caller}: answered at {cdr.answered_at:%T.%f} by no leg of its own"

    # --- how times are compared

    def _compare(self, what: str, real: datetime, recorded: datetime) -> Iterator[str]:
        if not self._agree(real, recorded):
            yield f"{what} at {real:%T.%f}, the record says {recorded:%T.%f}"

    def _agree(self, real: datetime, recorded: datetime) -> bool:
        """Whether they are the same, or both lie in one time in which daemon and Asterisk did not hear each other."""
        if abs(recorded - real) <= AGREES:
            return True
        return any(away.begun_at - AGREES <= recorded <= away.over_at + SETTLES for away in self._hiding(real))

    def _hiding(self, moment: datetime) -> Iterable[Away]:
        return (away for away in self.away if away.begun_at - UNSEEN <= moment <= away.over_at + SETTLES)

    def _is_hidden(self, moment: datetime) -> bool:
        return any(True for _ in self._hiding(moment))


def _waited_for_resident(cdr: Cdr, leg: CdrLeg) -> bool:
    """Whether a counselor answered first, and waited while the resident was called back: both answered when he did."""
    residents = [one for one in cdr.legs if one.agent is None] if cdr.returns is not None else []
    return leg.agent is not None and any(one.answered_at == leg.answered_at for one in residents)


def figures(cdrs: Iterable[Cdr]) -> dict[str, int]:
    """How many calls came to what."""
    counted: Counter[str] = Counter()
    for cdr in cdrs:
        counted[cdr.outcome.value] += 1
        answered = [leg for leg in cdr.legs if leg.result is OfferResult.ANSWERED and leg.answered_at is not None]
        is_passed_on = "passed on to" in cdr.explanation or "transfer to" in cdr.explanation
        if cdr.returns is not None:
            counted[f"called back: {cdr.returns.result.value}"] += 1
        elif len(answered) > 1:
            counted["passed on" if is_passed_on else "joined"] += 1
    return dict(counted)
