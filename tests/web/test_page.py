"""The page: complete, escaped, and fit for those who do not see it."""

from dataclasses import replace
from datetime import UTC, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.cdr import Outcome
from callrouter.core.ids import AgentId
from callrouter.core.outbound_spec import Bound, Unit, Window
from callrouter.core.states import CallState
from callrouter.web import words
from callrouter.web.page import page
from callrouter.web.sources import SurgesNow
from callrouter.web.status import StatusDocument, status_document
from tests.fakes.status import FakeStatus

VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """Tags in order; fails where one is closed that is not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def status() -> StatusDocument:
    source = FakeStatus()
    return status_document(source.now(), source.counters(), source.health())


def test_the_page_shows_queues_counselors_calls_and_sites(status: StatusDocument) -> None:
    text = page(status, ZoneInfo("Asia/Seoul"))
    for part in ("창원시", "1:35", "도청 상담사 1", "통화 중", "055-225-****", "1:02:09", "경상남도청", "연결됨"):
        assert part in text
    assert "2026-11-24 10:30:00" in text
    assert "정상 운영 중" in text
    assert "수신 5 · 응대 2 · 포기 1" in text


def test_a_call_that_rings_at_several_phones_says_at_how_many_more() -> None:
    source = FakeStatus()
    first, *others = source.now().calls
    calls = (msgspec.structs.replace(first, also_rings=(AgentId("202"), AgentId("203"))), *others)
    now = msgspec.structs.replace(source.now(), calls=calls)
    assert "상담사 1 외 2명" in page(status_document(now, source.counters(), source.health()), UTC)


def test_a_call_whose_site_is_away_says_for_how_long_and_so_do_the_remarks() -> None:
    source = FakeStatus()
    first, *others = source.now().calls
    away = msgspec.structs.replace(first, away_since=source.now().at - timedelta(seconds=75))
    now = msgspec.structs.replace(source.now(), calls=(away, *others))
    document = status_document(now, source.counters(), source.health())
    assert "(교환기 연결 끊김 1:15)" in page(document, UTC)
    told = f"of the site {away.site} nothing is heard: 1 calls are told of as they were when it was lost"
    assert told in document.remarks


def test_what_comes_from_the_configuration_is_escaped(status: StatusDocument) -> None:
    text = page(status, UTC)
    assert "경상남도 120 &lt;민원&gt;" in text
    assert "창원 &lt;상담사&gt; 1" in text
    assert "<민원>" not in text


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(status: StatusDocument) -> None:
    outline = Outline(page(status, UTC))
    assert outline.open == []
    assert ("html", {"lang": "ko"}) in outline.tags
    tables = [tag for tag, _ in outline.tags].count("table")
    assert tables == [tag for tag, _ in outline.tags].count("caption") == 7
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in outline.tags if tag == "th")
    places = [value for _, attrs in outline.tags for key, value in attrs.items() if key in ("src", "href")]
    assert all(value is not None and value.startswith(("/", "data:")) for value in places)


def test_trouble_is_on_top_in_words(status: StatusDocument) -> None:
    source = FakeStatus()
    source.condition = replace(source.condition, draining=True)
    text = page(status_document(source.now(), source.counters(), source.health()), UTC)
    assert "전화를 받지 못하고 있습니다" in text
    assert "draining: calls in progress go on" in text


def test_an_empty_call_centre_is_said_to_be_empty(status: StatusDocument) -> None:
    empty = msgspec.structs.replace(status, calls=(), trunks=())
    text = page(empty, UTC)
    assert '<td colspan="7" class="none">없음</td>' in text
    assert "국선" not in text


def with_live(source: FakeStatus) -> StatusDocument:
    return status_document(source.now(), source.counters(), source.health(), live=source.live(), surges=source.surges())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "스위치 ‘여권 폭주 안내’: 켜 보십시오."),
        ({"suggest_on": True}, "스위치 ‘여권 폭주 안내’: 켜져 있습니다."),
        ({"suggest": None}, "문의 급증: 여권 &lt;발급&gt; – 이번 시간 34건 (평소 12.3건).</li>"),
    ],
)
def test_a_topic_that_surges_is_on_top_with_the_switch_that_it_suggests(change: dict[str, Any], says: str) -> None:
    source = FakeStatus()
    topics = tuple(msgspec.structs.replace(topic, **change) for topic in source.topics.topics)
    source.topics = SurgesNow(topics)
    text = page(with_live(source), UTC)
    assert "문의 급증: 여권 &lt;발급&gt; – 이번 시간 34건 (평소 12.3건)." in text
    assert says in text
    assert "관광" not in text
    assert Outline(text).open == []


def test_that_nothing_is_known_of_surges_is_said_and_is_no_alert() -> None:
    source = FakeStatus()
    source.topics = SurgesNow(unknown="PostgreSQL cannot be reached")
    text = page(with_live(source), UTC)
    assert "whether topics surge is not known: PostgreSQL cannot be reached" in text
    assert "문의 급증" not in text


def test_that_what_is_usual_is_being_asked_is_no_news() -> None:
    source = FakeStatus()
    source.topics = SurgesNow(is_asking=True)
    assert "whether topics surge" not in page(with_live(source), UTC)


def test_the_day_so_far_is_a_table_of_queues_and_of_what_there_are_several_of() -> None:
    text = page(with_live(FakeStatus()), ZoneInfo("Asia/Seoul"))
    assert "<caption>오늘 11-24: 대기열</caption>" in text
    assert "<caption>오늘 11-24: 업무</caption>" in text
    assert "오늘 11-24: 기관" not in text  # there is but one
    row = '<tr class="warn"><th scope="row">창원 &lt;시&gt;</th>'  # 74 % of 80 %
    cells = ("1", "20", "15", "4", "1", "74%", "80%", "0:17", "1:35", "20%", "62%")
    assert row + "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert Outline(text).open == []
    assert "&lt;passport&gt;" in text


def test_a_queue_shows_what_its_counselors_do() -> None:
    text = page(with_live(FakeStatus()), UTC)
    assert "<td>통화 중 1 · 잠시 쉼 1</td>" in text


def test_a_day_that_is_not_counted_from_its_beginning_says_so() -> None:
    source = FakeStatus()
    source.figures = msgspec.structs.replace(source.figures, since=source.figures.at)
    assert "<caption>오늘 11-24, 10:30부터: 대기열</caption>" in page(with_live(source), ZoneInfo("Asia/Seoul"))


def test_every_state_and_outcome_has_a_korean_word() -> None:
    assert set(words.AGENT_STATES) == set(AgentState)
    assert set(words.CALL_STATES) == set(CallState)
    assert set(words.OUTCOMES) == set(Outcome)


def test_limits_of_calls_that_go_out_are_shown_with_what_is_used_of_them(status: StatusDocument) -> None:
    text = page(status, UTC)
    assert '<th scope="row">mobile</th><td>changwon</td><td>1시간 통화 수</td><td>12</td><td>60</td><td>0</td>' in text
    assert '<tr class="warn"><th scope="row">premium</th><td>전체</td><td>24시간 통화 시간(분)</td><td>30.5' in text
    assert "발신 한도" not in page(msgspec.structs.replace(status, limits=()), UTC)
    assert set(words.BOUNDS) == {Bound(unit, window, 1).name for unit in Unit for window in Window}


def test_trunk_groups_are_shown_with_who_has_them_and_what_does_not_carry_calls(status: StatusDocument) -> None:
    text = page(status, UTC)
    assert (
        '<tr class="warn"><th scope="row">국선</th><td>1</td><td>4</td><td>3</td><td>7</td>'
        "<td>changwon 1/2 · jinju 0/0</td><td>sk: 쉬는 중</td></tr>"
    ) in text
    (trunk,) = status.trunks
    kt, sk = trunk.members
    away = msgspec.structs.replace(kt, online=False)
    tried = msgspec.structs.replace(sk, breaker=BreakerState.HALF_OPEN)
    trunk = msgspec.structs.replace(trunk, members=(away, tried), tenants=())
    text = page(msgspec.structs.replace(status, trunks=(trunk,)), UTC)
    assert "<td>–</td><td>kt: 연결 안 됨 · sk: 시험 중</td>" in text
    trunk = msgspec.structs.replace(trunk, members=(kt,))
    assert "<td>정상</td></tr>" in page(msgspec.structs.replace(status, trunks=(trunk,)), UTC)
