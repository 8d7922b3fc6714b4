"""What a plan comes to, in a few words."""

import pytest

from callrouter.core.ids import BoxName, PromptName, QueueName
from callrouter.core.plan import Announce, Callback, Dial, HandOver, HangUp, Step, Voicemail
from callrouter.diff.way import what_happens
from tests.core.driver import DUTY_DESK, DUTY_MOBILE

GREETING = PromptName("greeting")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Announce(GREETING), HangUp()), "announcement greeting"),
        ((HangUp(),), "hung up"),
        ((HandOver("office", "200"),), "dialplan office,200"),
        ((Announce(GREETING), Dial((DUTY_DESK, DUTY_MOBILE)), HangUp()), "dial duty-desk, duty-mobile"),
        ((Voicemail(BoxName("night"), GREETING, GREETING, GREETING), HangUp()), "voicemail night"),
        ((Announce(GREETING), Callback(QueueName("desk"), ()), HangUp()), "callback desk"),
        ((Announce(GREETING),), "nothing"),
    ],
)
def test_where_the_steps_lead_to_is_said_first_of_all(steps: tuple[Step, ...], words: str) -> None:
    assert what_happens(steps) == words
