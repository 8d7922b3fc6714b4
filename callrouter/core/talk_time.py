"""How much of a conversation was talk, and how much was spent on hold or on the way to somebody else."""

from dataclasses import dataclass
from datetime import datetime

from callrouter.core import facts


def whole_ms(at: datetime) -> datetime:
    """To the millisecond, downwards, so that sums of differences stay exact."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@dataclass(slots=True)
class TalkTime:
    """Takes the facts of a call in order; what is not talk between answer and end, both to the millisecond, is hold."""

    talked_s: float = 0.0
    _since: datetime | None = None
    """Since when caller and somebody can speak."""
    _picked_up_at: datetime | None = None
    _holds: int = 0
    """By how many of the two ways, ours and the phone's, the caller is on hold."""
    _has_company: bool = False
    """Whoever was called in has answered."""

    def take(self, fact: facts.Fact) -> None:
        """One fact more."""
        match fact:
            case facts.PickedUp(at=at):
                self._picked_up_at = whole_ms(at)
            case facts.Connected(at=at):
                self._holds, self._has_company = 0, False
                self._since = self._picked_up_at or whole_ms(at)
            case facts.Held(at=at):
                self._holds += 1
                self._stop(at)
            case facts.Resumed(at=at):
                self._holds = max(0, self._holds - 1)
                if not self._holds:
                    self._since = whole_ms(at)
            case _:
                self._take_of_parties(fact)

    def _take_of_parties(self, fact: facts.Fact) -> None:
        match fact:
            case facts.JoinedIn():
                self._has_company = True
            case facts.InviteClosed():
                self._has_company = False
            case facts.PassedOn(at=at) if self._has_company:
                self._since = self._since or whole_ms(at)
                self._holds, self._has_company = 0, False
            case facts.PassedOn(at=at) | facts.Redirected(at=at) | facts.OfferClosed(at=at) | facts.Released(at=at):
                self._stop(at)
            case _:
                pass

    def hold_s(self, answered_at: datetime | None, ended_at: datetime) -> float:
        """Seconds between the answer and the end in which the caller spoke to nobody; 0 if nobody answered."""
        if answered_at is None:
            return 0.0
        whole_s = (ended_at - answered_at).total_seconds()
        return max(0.0, round(whole_s - self.talked_s, 3))

    def _stop(self, at: datetime) -> None:
        if self._since is not None:
            self.talked_s += (whole_ms(at) - self._since).total_seconds()
            self._since = None
