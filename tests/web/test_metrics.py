"""Metrics say what the daemon says, at the moment they are asked."""

import asyncio
from collections import Counter
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from callrouter.core.cdr import Outcome
from callrouter.web.metrics import Metrics
from callrouter.web.sources import InboxHealth, JournalHealth, SurgesNow
from tests.fakes.status import FakeStatus

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(source: FakeStatus) -> Samples:
    text = Metrics(source).exposition("")[0].decode()
    return {
        (sample.name.removeprefix("callrouter_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_plain(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("calls", {"state": "connected"}, 1),
        ("calls", {"state": "offered"}, 0),
        ("calls_arrived_total", {}, 5),
        ("calls_ended_total", {"outcome": "handled"}, 2),
        ("calls_ended_total", {"outcome": "closed"}, 0),
        ("offers_total", {"result": "no-answer"}, 1),
        ("queue_waiting", {"queue": "changwon"}, 1),
        ("queue_oldest_wait_seconds", {"queue": "changwon"}, 95),
        ("queue_agents_available", {"queue": "changwon"}, 0),
        ("agents", {"site": "gyeongnam", "state": "on-call"}, 1),
        ("agents", {"site": "gyeongnam", "state": "available"}, 0),
        ("queue_agents_by_state", {"queue": "changwon", "state": "on-call"}, 1),
        ("queue_agents_by_state", {"queue": "changwon", "state": "available"}, 0),
        ("waiting", {"by": "tenant", "group": "changwon"}, 1),
        ("longest_wait_seconds", {"by": "topic", "group": ""}, 95),
        ("today_offered", {"by": "queue", "group": "changwon"}, 20),
        ("today_answered", {"by": "tenant", "group": "changwon"}, 15),
        ("today_abandoned", {"by": "topic", "group": ""}, 4),
        ("today_service_level_ratio", {"by": "queue", "group": "changwon"}, 0.737),
        ("today_abandoned_ratio", {"by": "queue", "group": "changwon"}, 0.2),
        ("today_answer_seconds", {"by": "queue", "group": "changwon"}, 17.25),
        ("today_occupancy_ratio", {"by": "queue", "group": "changwon"}, 0.615),
        ("today_since_seconds", {}, 1795446000),
        ("topic_calls_hour", {"topic": "passport"}, 34),
        ("topic_calls_usual", {"topic": "passport"}, 12.3),
        ("topic_surge", {"topic": "passport"}, 1),
        ("topic_surge", {"topic": "tourism"}, 0),
        ("surge_known", {}, 1),
        ("voicemail_unheard", {"box": "night"}, 1),
        ("voicemail_oldest_unheard_seconds", {"box": "night"}, 900),
        ("voicemail_kept", {"box": "night"}, 2),
        ("voicemail_recordings_total", {"result": "kept"}, 2),
        ("voicemail_recordings_total", {"result": "failed"}, 0),
        ("callbacks_open", {"queue": "changwon"}, 1),
        ("callbacks_oldest_open_seconds", {"queue": "changwon"}, 1200),
        ("callbacks_made_total", {"result": "not-reached"}, 1),
        ("callbacks_made_total", {"result": "reached"}, 0),
        ("trunk_channels_in_use", {"trunk": "city"}, 1),
        ("outbound_used", {"limit": "premium", "tenant": "", "bound": "minutes_per_day"}, 30.5),
        ("outbound_allowed", {"limit": "mobile", "tenant": "changwon", "bound": "calls_per_hour"}, 60),
        ("outbound_blocked_total", {"limit": "premium", "tenant": "", "bound": "minutes_per_day"}, 2),
        ("loops_total", {"sign": "leg"}, 0),
        ("events_stale_total", {"state": "queued", "signal": "ring-over"}, 4),
        ("events_impossible_total", {"state": "queued", "signal": "leg-answered"}, 1),
        ("events_unknown_channel_total", {}, 6),
        ("site_up", {"site": "gyeongnam"}, 1),
        ("ari_requests_total", {"site": "gyeongnam", "outcome": "done"}, 20),
        ("agi_sessions_total", {"outcome": "malformed"}, 1),
        ("ari_requests_turned_away_total", {"site": "gyeongnam"}, 3),
        ("ari_answers_late_total", {"site": "gyeongnam"}, 4),
        ("clock_drift_seconds", {}, 0.25),
        ("defects_total", {}, 2),
        ("inbox_depth", {}, 2),
        ("calendar_holidays_end_days", {"calendar": "weekday-day"}, 402),
        ("calendar_holidays_end_days", {"calendar": "city"}, -3),
        ("journal_ok", {}, 1),
        ("cdr_backlog", {}, 7),
        ("ready", {}, 1),
    ],
)
def test_every_metric_has_the_daemons_value(name: str, labels: dict[str, str], value: float) -> None:
    assert samples(FakeStatus())[name, tuple(sorted(labels.items()))] == value


def test_a_scrape_sees_what_has_happened_since_the_last() -> None:
    source = FakeStatus()
    metrics = Metrics(source)
    before = metrics.exposition("")[0]
    source.counted.ended = Counter({Outcome.CLOSED: 41})
    source.condition = replace(source.condition, journal=JournalHealth("disk full"), database=None)
    after = metrics.exposition("")[0].decode()
    assert b'outcome="closed"} 0.0' in before
    assert 'outcome="closed"} 41.0' in after
    assert "callrouter_journal_ok 0.0" in after
    assert "callrouter_ready 1.0" in after
    assert "callrouter_cdr_backlog" not in after


@pytest.mark.parametrize(
    "journal", [JournalHealth("full"), JournalHealth(None, dropped=1), JournalHealth(None, lost=("x",))]
)
def test_a_journal_that_has_lost_records_is_not_well(journal: JournalHealth) -> None:
    source = FakeStatus()
    source.condition = replace(source.condition, journal=journal)
    assert samples(source)["journal_ok", ()] == 0


def test_events_that_were_lost_or_failed_are_counted() -> None:
    source = FakeStatus()
    source.condition = replace(source.condition, inbox=InboxHealth(2, 10, dropped=8, failures=9, hastened=7))
    counted = samples(source)
    assert (counted["inbox_dropped_total", ()], counted["event_failures_total", ()]) == (8, 9)
    assert counted["orders_hastened_total", ()] == 7


@pytest.mark.parametrize("surges", [SurgesNow(unknown="PostgreSQL cannot be reached"), SurgesNow(is_asking=True)])
def test_while_it_is_not_known_what_is_usual_no_surge_could_be_seen(surges: SurgesNow) -> None:
    source = FakeStatus()
    source.topics = surges
    assert samples(source)["surge_known", ()] == 0


def test_a_figure_of_nothing_is_no_sample() -> None:
    group = ("by", "topic"), ("group", "<passport>")
    found = samples(FakeStatus())
    assert found["today_offered", group] == 0
    assert ("today_service_level_ratio", group) not in found


async def test_tasks_are_counted_by_what_they_do() -> None:
    over = asyncio.Event()

    async def wait() -> None:
        await over.wait()

    function = "test_tasks_are_counted_by_what_they_do.wait"
    async with asyncio.TaskGroup() as waiting:
        for _ in range(3):
            waiting.create_task(wait())
        counted = samples(FakeStatus())
        over.set()
    assert counted["tasks", (("doing", function),)] == 3
    assert ("tasks", (("doing", function),)) not in samples(FakeStatus())


async def test_labels_never_name_a_person() -> None:
    labels = {key for _, pairs in samples(FakeStatus()) for key, _ in pairs}
    assert labels - {"implementation", "major", "minor", "patchlevel"} == {
        *("state", "box", "outcome", "result", "queue", "site", "trunk", "switch", "signal", "version", "config_hash"),
        *("calendar", "by", "group", "topic", "tenant", "endpoint", "drift", "sign", "limit", "bound", "role", "why"),
        "doing",
    }


async def test_both_formats_are_served_as_asked(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        plain = {family.name for family in parse_plain(await answer.text())}
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=banana"}) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        modern = {family.name for family in parse_openmetrics(await answer.text())}  # type: ignore[no-untyped-call]
    assert plain == modern
    assert {"callrouter_calls_ended", "process_cpu_seconds"} <= plain
