"""Whatever callers send and people dial: nothing is left of it in what Asterisk dials and shows but a number."""

import re
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.ari.orders import HOPS_HEADER, RELAY_HEADER, TRANSFERS_TO_US, orders
from callrouter.core import commands as cmd
from callrouter.core import events as ev
from callrouter.core.call_keys import CallKey, CallKeys
from callrouter.core.call_orders import CallVerb
from callrouter.core.dial_string import (
    MOST_NAME,
    MOST_NUMBER,
    MOST_SAID,
    endpoint,
    is_endpoint,
    legible,
    shown_name,
    shown_number,
    to_dial,
)
from callrouter.core.ids import CallId, ChannelId
from callrouter.core.outbound import NumberClass
from callrouter.core.plan import Destination, Dial, HangUp, Plan
from callrouter.core.rulebook import Rulebook
from callrouter.core.transfers import Outside, TransferRules
from callrouter.core.trunk_spec import NumberForm, TrunkSpec
from tests.core.driver import CALL_BACK, CALLS_BACK, CITY, DUTY_MOBILE, PLANS, Driver, agent, rulebook

NASTY = [
    "&",
    "/",
    "@",
    ",",
    "\r\n",
    "${EXTEN}",
    '"',
    "<",
    ">",
    ";",
    "|",
    "\\",
    "\x00",
    "sip:a@b",
    "Local/1@c/n",
    "\u2028",
]
NUMBERS = ["0552251234", "01012345678", "+82552251234", "+14155550100", "119", "00700", "*21", "201", "lee"]
hostile = st.lists(st.sampled_from(NASTY + NUMBERS) | st.text(max_size=6), max_size=5).map("".join)
ALLOWED_ENDPOINT = re.compile(r"PJSIP/(?:[0-9+*#]+@)?[a-z]+", re.ASCII)
ALLOWED_ID = re.compile(r'"[\w .()·-]*" <[0-9A-Za-z+*#]{0,40}>')
ALLOWED_HEADER = re.compile(r"[0-9a-z-]*", re.ASCII)
EVERY_KIND = frozenset(NumberClass) - {NumberClass.UNKNOWN}
ANYBODY = msgspec.structs.replace(CALL_BACK, allowed=tuple(EVERY_KIND))
MOBILE = Destination(DUTY_MOBILE.name, "당직", "PJSIP/01098765432@city", CITY, number="01098765432")


def rules(form: NumberForm) -> Rulebook:
    """Everything may be called, so that nothing but the filter stands between a caller and the dial string."""
    trunk = TrunkSpec(CITY, 99, form=form, area="055")
    plans = {
        **PLANS,
        "129": Plan("duty", (Dial((MOBILE,)), HangUp())),
        "144": Plan("back", (ANYBODY, HangUp())),
    }
    plain = rulebook(agent("kim"), agent("lee"), queues=[CALLS_BACK], plans=plans)
    transfers = TransferRules(outside=Outside(trunk, EVERY_KIND), destinations={MOBILE.name: MOBILE})
    keys = CallKeys({"*5": CallKey(CallVerb.CONFERENCE, "")})
    return replace(plain, trunks={CITY: trunk}, transfers=transfers, call_keys=keys)


def check(hall: Driver) -> None:
    for command in hall.given(cmd.Originate):
        (order,) = orders(command, "callrouter")
        query = dict(order.request.query)
        assert ALLOWED_ENDPOINT.fullmatch(query["endpoint"]), query
        assert ALLOWED_ID.fullmatch(query["callerId"]), query
        assert set(query) <= {"endpoint", "app", "appArgs", "callerId", "timeout", "originator"}
        variables = order.request.body or ""
        assert "\n" not in variables
        for header in (command.relay, command.hops):
            assert ALLOWED_HEADER.fullmatch(header)


def test_every_header_of_ours_is_one_that_was_looked_at() -> None:
    command = cmd.Originate(
        agent("kim").site, CallId("c"), ChannelId("x"), "PJSIP/kim", "", "1", 1.0, ChannelId(""), "r", "h"
    )
    (order,) = orders(command, "callrouter")
    for name in (HOPS_HEADER, RELAY_HEADER, *TRANSFERS_TO_US):
        assert name in (order.request.body or "")
    assert (order.request.body or "").count(":") == 4, "the variables and these three"


@settings(max_examples=150, deadline=None)
@given(
    caller=hostile,
    diversion=hostile,
    hops=hostile,
    dialed=st.sampled_from(["120", "129", "144"]),
    form=st.sampled_from(NumberForm),
)
def test_what_comes_in_with_a_call(caller: str, diversion: str, hops: str, dialed: str, form: NumberForm) -> None:
    hall = Driver(rules(form))
    hall.arrive(dialed, caller, hops=hops, diversion=diversion)
    hall.settle()
    for call in list(hall.exchange.calls.values()):
        if call.offer is not None:
            hall.pick_up(call)
    check(hall)


@settings(max_examples=150, deadline=None)
@given(written=hostile, caller=hostile, form=st.sampled_from(NumberForm), verb=st.sampled_from([*CallVerb]))
def test_what_phones_transfer_to_and_dial_and_what_people_order(
    written: str, caller: str, form: NumberForm, verb: CallVerb
) -> None:
    hall = Driver(rules(form))
    call = hall.dial("120", caller)
    hall.pick_up(call)
    hall.order_call(call.id, verb, written)
    hall.order_call(call.id, CallVerb.CANCEL)
    hall.dial_on("kim", written)
    if call.offer is not None:
        hall.tell(ev.TransferAsked(hall.leg(call), written))
        hall.settle()
    check(hall)


def test_what_begins_as_a_number_abroad_and_is_none_is_not_dialled() -> None:
    hall = Driver(rules(NumberForm.E164))
    call = hall.dial("120")
    hall.pick_up(call)
    answer = hall.order_call(call.id, CallVerb.CONFERENCE, "+1415&PJSIP/999")
    assert (answer.ok, answer.message) == (False, '"+1415&PJSIP/999" is no number that can be called')
    assert hall.called() == ["kim"]


@settings(max_examples=60, deadline=None)
@given(keys=st.text("0123456789*#", max_size=16))
def test_what_counselors_press(keys: str) -> None:
    hall = Driver(rules(NumberForm.E164))
    call = hall.dial("120")
    hall.pick_up(call)
    for key in f"*5{keys}#":
        hall.tell(ev.LegDigit(hall.leg(call), key))
    check(hall)


@given(st.text(max_size=80))
def test_numbers_names_and_dial_strings_keep_what_is_theirs_and_nothing_else(text: str) -> None:
    assert re.fullmatch(r"\+?[0-9*#]*", to_dial(text), re.ASCII)
    assert re.fullmatch(r"[0-9A-Za-z+*#]*", shown_number(text), re.ASCII)
    assert re.fullmatch(r"[\w .()·-]*", shown_name(text))
    assert is_endpoint(endpoint(text))
    assert not set(endpoint(text)) & set('&,$ {}"<>\\|\r\n\x00')
    assert (len(shown_name(text)) <= MOST_NAME, len(to_dial(text)) <= MOST_NUMBER + 1) == (True, True)


def test_what_is_usual_stays_as_it_is() -> None:
    assert [to_dial(one) for one in ("01012345678", "+8210", "*21#", "055-211 1120")] == [
        "01012345678",
        "+8210",
        "*21#",
        "0552111120",
    ]
    assert shown_name("창원 (여권)·2") == "창원 (여권)·2"
    assert shown_name('a"<b>\r\nc') == "a b c"
    assert shown_number("resident") == "resident"
    assert endpoint("PJSIP/carrier/sip:0552111120@192.0.2.1") == "PJSIP/carrier/sip:0552111120@192.0.2.1"


@given(said=st.text() | hostile)
def test_what_strangers_say_of_themselves_is_one_line_that_can_be_seen(said: str) -> None:
    kept = legible(said)
    assert kept.isprintable()
    assert len(kept) <= MOST_SAID
    assert legible(kept) == kept


def test_what_can_be_seen_already_stays_as_it_is() -> None:
    for said in ("0552251234", "+82-55-225-1234", "경상남도청 (민원)", "anonymous", ""):
        assert legible(said) == said
    assert legible("0552251234\u2028\x1b[31m\r\nX-Evil: 1") == "0552251234 [31m X-Evil: 1"
