"""What a plan comes to: through questions, menus and further rules."""

from datetime import datetime

import msgspec

from callrouter.core.conditions import CallerIs, no_queues
from callrouter.core.ids import BoxName, DestinationName, PromptName, QueueName, SiteName, TopicName
from callrouter.core.inbound import CallerKind, CallFacts
from callrouter.core.outbound import NumberClass
from callrouter.core.plan import (
    Announce,
    Callback,
    Choice,
    Destination,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    Plan,
    RouteAgain,
    Step,
    Voicemail,
)
from callrouter.core.routing import Route
from callrouter.proof.ends import Answer, End, EndKind, Following
from tests.proof.centre import CITY, CLOSED, DAY, GEOGRAPHY, SEOUL, opened, region, route, rules, serve, topic

NOON = datetime(2027, 2, 10, 12, tzinfo=SEOUL)
SUNDAY = datetime(2027, 2, 14, 12, tzinfo=SEOUL)
WHAT = PromptName("what")


def answer(*routes: Route, at: datetime = NOON) -> Answer:
    return Following(rules(*routes), at, no_queues).answer(CallFacts("120", SiteName("hall"), "01012345678"))


def ends(*steps: Step, at: datetime = NOON) -> list[str]:
    return [end.words for end in answer(route("r", plan=Plan("p", steps)), at=at).ends]


def test_a_queue_is_an_end_though_its_time_may_run_out() -> None:
    steps = (EnterQueue(QueueName("main"), 60.0), Announce(PromptName("busy")), HangUp())
    assert ends(*steps) == ["queue main"]
    assert not answer(route("r", plan=Plan("p", steps))).closed


def test_an_announcement_before_the_end_is_told_from_an_end_without_a_word() -> None:
    assert ends(Announce(WHAT), HangUp()) == ["announcement what"]
    assert ends(HangUp()) == ["hangup"]
    assert ends(HandOver("duty", "s")) == ["dialplan duty,s"]
    assert answer(route("r", plan=CLOSED)).closed


def test_a_question_is_asked_at_the_moment() -> None:
    asked = If((opened(DAY),), serve("main"))
    assert ends(asked, HangUp()) == ["queue main"]
    assert ends(asked, HangUp(), at=SUNDAY) == ["hangup"]
    assert ends(If((CallerIs(frozenset({CallerKind.LANDLINE})),), serve("a"), serve("b"))) == ["queue b"]


def test_every_answer_to_a_menu_is_followed() -> None:
    menu = Menu(WHAT, (Choice("1", plan=serve("a")), Choice("2")), Choice(plan=CLOSED))
    assert ends(menu, HandOver("duty", "s")) == ["queue a", "dialplan duty,s", "announcement closed"]


def test_what_a_menu_finds_out_is_known_to_the_rules_after_it() -> None:
    tell = Menu(WHAT, (Choice("1", topic=TopicName("t")), Choice("2", region=GEOGRAPHY.regions[CITY])), Choice())
    found = answer(
        route("topic", topic("t"), plan=serve("t")),
        route("place", region(CITY), plan=serve("c")),
        route("menu", plan=Plan("menu", (tell, RouteAgain()))),
    )
    assert (found.rule, found.rules) == ("menu", ("menu", "topic", "place"))
    assert [end.words for end in found.ends] == ["queue t", "queue c", "fallback menu"]
    assert found.ends[-1] == End(EndKind.FALLBACK, "menu", found.rule)
    assert (found.closed, found.queues) == (False, frozenset({QueueName("t"), QueueName("c")}))


def test_who_is_called_and_where_a_message_goes_are_ends_too() -> None:
    desk = Destination(DestinationName("desk"), "당직실", "PJSIP/301")
    message = Voicemail(BoxName("night"), PromptName("greeting"), PromptName("thanks"), PromptName("failed"))
    assert ends(Dial((desk, msgspec.structs.replace(desk, name=DestinationName("mobile")))), HangUp()) == [
        "dial desk, mobile"
    ]
    assert ends(message, HangUp()) == ["voicemail night"]
    assert answer(route("r", plan=Plan("p", (message, HangUp())))).closed


def test_who_can_be_called_back_is_and_others_go_another_way() -> None:
    busy = Plan("busy", (Announce(PromptName("busy")), HangUp()))
    for allowed, otherwise, end in (
        ((NumberClass.MOBILE,), busy, "callback main"),
        ((NumberClass.LANDLINE,), busy, "announcement busy"),
        ((NumberClass.LANDLINE,), None, "hangup"),
    ):
        steps = (Callback(QueueName("main"), allowed, otherwise), HangUp())
        assert ends(*steps) == [end]
        assert answer(route("r", plan=Plan("p", steps))).closed
