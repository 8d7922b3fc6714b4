"""The same as in test_killed_before_an_order, with counselors, supervisors and second lines at another site."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from callrouter.core.call_orders import CallVerb
from callrouter.core.ids import ChannelId, SiteName
from callrouter.core.output import Output
from callrouter.core.rulebook import Rulebook
from callrouter.core.supervisors import SupervisorSpec
from tests.core.driver import DESK, HALL, NIGHT, Asterisk, agent
from tests.core.mortal import (
    BOSS,
    LASTS_S,
    NEVER,
    PROMPTS,
    Mortal,
    Story,
    barges_in,
    dials_on,
    hangs_the_line_up,
    has_it,
    listens,
    nobody_notices,
    nothing,
    nothing_is_left_of_who_hangs_up,
    orders,
    phones_are_answered,
    refers_to,
    sounds_end,
    told,
)
from tests.core.two_sites import ANNEX, TwoSites, at_annex, two_site_rules

pytestmark = pytest.mark.no_cover  # the same lines, of one site, are reached by the test named above

QUEUES = {"kim": DESK, "park": DESK, "lee": NIGHT}


class MortalOfTwo(Mortal, TwoSites):
    """Dies, and the next daemon hears of both sites, of that of the story first."""

    def __init__(
        self, story: Story, dies_at: int, *, sends_it: bool, meanwhile: Callable[[Mortal], None] = nothing
    ) -> None:
        self.first = story.first if isinstance(story, FarStory) else HALL
        super().__init__(story, dies_at, sends_it=sends_it, meanwhile=meanwhile)

    @property
    def sites(self) -> Sequence[Asterisk]:
        return [self.hall, self.annex]

    def ringing(self) -> Iterator[tuple[Asterisk, ChannelId, str]]:
        for site, channel, endpoint in super().ringing():
            if "@line-to" not in endpoint:  # a leg that leads to the other site
                yield site, channel, endpoint

    def connect_anew(self) -> Output:
        if self.first == ANNEX:
            self.handle(self.annex_snapshot())
        out = self.handle(self.snapshot())
        if self.first == HALL:
            self.handle(self.annex_snapshot())
        return out

    def sync(self) -> None:
        super().sync()
        if self.annex.connected:
            self.handle(self.annex_snapshot())


@dataclass(frozen=True)
class FarStory(Story):
    """Of a call centre at two sites: ``there`` are the counselors at the annex."""

    there: tuple[str, ...] = ("kim",)
    here: tuple[str, ...] = ("lee",)
    boss_at: SiteName = HALL
    first: SiteName = HALL
    mortal: type[Mortal] = MortalOfTwo

    def rules(self) -> Rulebook:
        there = (at_annex(one, QUEUES[one]) for one in self.there)
        here = (agent(one, QUEUES[one]) for one in self.here)
        rules = two_site_rules(*there, *here, channels=5)
        boss = SupervisorSpec(BOSS, "이팀장", self.boss_at, "PJSIP/boss", queues=(DESK,))
        return replace(rules, supervisors={BOSS: boss}, speech_s=dict.fromkeys(PROMPTS, LASTS_S))


STORIES: dict[str, FarStory] = {
    "a counselor there": FarStory("120"),
    "a counselor there, whose site is up first": FarStory("120", first=ANNEX),
    "who is busy": FarStory("120", busy=("PJSIP/kim",), here=("park",)),
    "a welcome before it": FarStory("121"),
    "holding": FarStory("120", acts=(orders(CallVerb.HOLD), orders(CallVerb.RESUME))),
    "a transfer to there": FarStory("120", acts=(orders(CallVerb.TRANSFER, "lee"),), there=("lee",), here=("kim",)),
    "a transfer from there": FarStory("120", acts=(orders(CallVerb.TRANSFER, "lee"),)),
    # A counselor whose site is not up yet cannot be called, and the caller goes back to who has him.
    "a transfer there by the phone": FarStory(
        "120", acts=(refers_to("lee"),), there=("lee",), here=("kim",), first=ANNEX
    ),
    "a transfer within there": FarStory("120", acts=(orders(CallVerb.TRANSFER, "lee"),), there=("kim", "lee"), here=()),
    "a conference with there": FarStory(
        "120", acts=(orders(CallVerb.CONFERENCE, "lee"),), there=("lee",), here=("kim",)
    ),
    "a supervisor there": FarStory("120", acts=(listens, has_it), there=(), here=("kim",), boss_at=ANNEX),
    "a supervisor here who joins": FarStory("120", acts=(listens, has_it, barges_in, barges_in, has_it)),
    "asking a colleague from there": FarStory("120", acts=(dials_on("lee", ANNEX), hangs_the_line_up(ANNEX))),
}


@pytest.mark.parametrize("sends_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("meanwhile", [nothing, sounds_end, phones_are_answered])
@pytest.mark.parametrize("name", STORIES)
def test_nobody_notices_but_for_a_pause(name: str, meanwhile: Callable[[Mortal], None], sends_it: bool) -> None:
    assert told(STORIES[name], NEVER).talks
    nobody_notices(STORIES[name], meanwhile, sends_it=sends_it)


@pytest.mark.parametrize("sends_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_left_of_who_hangs_up_meanwhile(name: str, sends_it: bool) -> None:
    nothing_is_left_of_who_hangs_up(STORIES[name], sends_it=sends_it, looks_again=True)
