"""An order is not heard by Asterisk, though the fact that it follows from is on disk: each order that there is.

The daemon dies, and the next one knows only the facts, and what Asterisk has; or it lives, and its way to Asterisk is
cut. Residents and counselors notice nothing but a pause.
"""

from collections.abc import Callable

import pytest

from callrouter.core import commands as cmd
from callrouter.core.call_orders import CallVerb
from callrouter.core.ids import PromptName
from callrouter.core.rulebook import QueueSpec
from callrouter.core.states import CallState
from callrouter.core.tapes import TapeRule
from tests.core.driver import CALLS_BACK, DESK, NIGHT
from tests.core.mortal import (
    BEFORE_THE_CALL,
    NEVER,
    Cut,
    Mortal,
    Story,
    World,
    barges_in,
    dials_on,
    hangs_the_line_up,
    has_it,
    left_over,
    listens,
    nobody_notices,
    nothing,
    nothing_is_left_of_who_hangs_up,
    orders,
    passes_on,
    phones_are_answered,
    refers_to,
    residents_hang_up,
    sounds_end,
    told,
)

RECORDS = QueueSpec(DESK, "창원시", recording=TapeRule(PromptName("notice"), 86_400.0))
STORIES = {
    "a queue": Story("120"),
    "a welcome and a queue": Story("121"),
    "a closed office": Story("122"),
    "ring-all": Story("124", busy=("PJSIP/lee",)),
    "hand-over": Story("125"),
    "a busy tone": Story("126"),
    "a menu": Story("127", keys=((CallState.ASKING, "1"),)),
    "a menu that nobody answers": Story("127"),
    "a duty phone that asks for a key": Story("129", keys=((CallState.CONFIRMING, "1"),)),
    "the second duty phone": Story("130", busy=("PJSIP/duty",)),
    "a duty phone with music": Story("131"),
    "a message": Story("140"),
    "a callback": Story("144", queue=CALLS_BACK),
    "a callback to another number": Story("145", queue=CALLS_BACK, keys=((CallState.DICTATING, "1"),)),
    "a recorded talk": Story("120", queue=RECORDS),
    "holding": Story("120", acts=(orders(CallVerb.HOLD), orders(CallVerb.RESUME))),
    "a transfer": Story("120", acts=(orders(CallVerb.TRANSFER, "lee"),)),
    "a transfer to a queue": Story("120", acts=(orders(CallVerb.TRANSFER, NIGHT),)),
    "a transfer after a consultation": Story("120", acts=(orders(CallVerb.CONSULT, "lee"), orders(CallVerb.COMPLETE))),
    "a conference": Story("120", acts=(orders(CallVerb.CONFERENCE, "lee"),)),
    "a transfer by the phone": Story("120", acts=(refers_to("lee"),)),
    "a transfer by the phone to somebody outside": Story("120", acts=(refers_to("duty-mobile"),)),
    "a transfer by the phone to who is busy": Story("120", acts=(refers_to("lee"),), busy=("PJSIP/lee",)),
    "dismissing": Story("120", acts=(orders(CallVerb.DISMISS),)),
    "a recorded talk on hold": Story("120", queue=RECORDS, acts=(orders(CallVerb.HOLD), orders(CallVerb.RESUME))),
    "asking a colleague on a second line": Story("120", acts=(dials_on("lee"), hangs_the_line_up())),
    "a transfer over a second line": Story("120", acts=(dials_on("lee"), passes_on)),
    "a supervisor who listens": Story("120", acts=(listens, has_it)),
    "a supervisor who joins": Story("120", acts=(listens, has_it, barges_in, barges_in, has_it)),
}


@pytest.mark.parametrize("sends_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("meanwhile", [nothing, sounds_end, phones_are_answered])
@pytest.mark.parametrize("name", STORIES)
def test_nobody_notices_but_for_a_pause(name: str, meanwhile: Callable[[Mortal], None], sends_it: bool) -> None:
    nobody_notices(STORIES[name], meanwhile, sends_it=sends_it)


@pytest.mark.parametrize("sends_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_left_of_who_hangs_up_meanwhile(name: str, sends_it: bool) -> None:
    nothing_is_left_of_who_hangs_up(STORIES[name], sends_it=sends_it)


@pytest.mark.parametrize("meanwhile", [nothing, residents_hang_up])
@pytest.mark.parametrize("name", STORIES)
def test_whoever_is_to_talk_does_although_the_way_to_the_site_was_cut(
    name: str, meanwhile: Callable[[Mortal], None]
) -> None:
    story = STORIES[name]
    wanted = told(story, NEVER)
    for number in range(BEFORE_THE_CALL, wanted.driver.sent):
        driver = Cut(story, number, sends_it=False, meanwhile=meanwhile)
        world = World(driver, story)
        world.go_on()
        driver.advance(10.0)
        driver.sync()
        assert not left_over(driver), (number, driver.died_at)
        # A trunk that gives no sign of life for its phone is not tried again.
        is_trunk = isinstance(driver.died_at, cmd.Originate) and driver.died_at.endpoint == "PJSIP/010@city"
        assert world.talks == wanted.talks or meanwhile is residents_hang_up or is_trunk, (number, driver.died_at)
