"""Counting offers to counselors. A figure of nothing is None, never 0."""

from dataclasses import dataclass

from callrouter.core.agent import is_blamed
from callrouter.core.cdr import OfferResult
from callrouter.core.tally import mean
from callrouter.report.rows import AgentOffer


@dataclass(slots=True)
class AgentTally:
    """Offers to one counselor, or to a group of them."""

    offers: int = 0
    answered: int = 0
    missed: int = 0
    """Reached the phone, or should have, and were not taken; those that a trunk failed are not."""
    talk_s: float = 0.0

    def add(self, offer: AgentOffer) -> None:
        """Count an offer; a phone that rang with others, of which another was answered first, was none."""
        if offer.result is OfferResult.ANSWERED_ELSEWHERE:
            return
        self.offers += 1
        if offer.result is OfferResult.ANSWERED and offer.answered_at is not None:
            self.answered += 1
            self.talk_s += (offer.ended_at - offer.answered_at).total_seconds()
        elif is_blamed(offer.result):
            self.missed += 1

    @property
    def mean_talk_s(self) -> float | None:
        """Talk and hold of an answered offer."""
        return mean(self.talk_s, self.answered)
