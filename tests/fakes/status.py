"""A small call centre at one moment, for pages, API, metrics and ``callrouter status``."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.cdr import OfferResult, Outcome, RecordingResult, ReturnResult
from callrouter.core.ids import (
    AgentId,
    BoxName,
    CalendarName,
    CallId,
    QueueName,
    SiteName,
    SwitchName,
    TenantName,
    TopicName,
    TrunkName,
)
from callrouter.core.leading import CopyNow, LeadingNow, Role, Sign
from callrouter.core.live import Figures, GroupLive, Live, QueueLive
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.states import CallState, Signal
from callrouter.core.stats import (
    AgentNow,
    CallNow,
    Counters,
    ExchangeNow,
    MemberOfTrunk,
    QueueNow,
    SwitchNow,
    TenantOfTrunk,
    TrunkNow,
)
from callrouter.core.surge import TopicNow
from callrouter.core.trunk_tally import TrunkHour
from callrouter.web.sources import (
    BoxNow,
    CallbackNow,
    CallbackQueueNow,
    CallbacksNow,
    DatabaseHealth,
    Health,
    InboxHealth,
    JournalHealth,
    MessageNow,
    SiteHealth,
    SurgesNow,
    VoicemailNow,
)

AT = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
CALLER = "0552251234"
LEADS = LeadingNow(Role.LEADING, AT - timedelta(hours=1), 7, 1, 2, Sign.LOCK_OURS, "leads")
COPIED = replace(LEADS, has_copies=True, copy=CopyNow(True, 1, 0.01))
"""The same where each daemon has a journal of its own."""
SITE = SiteName("gyeongnam")


def exchange_now() -> ExchangeNow:
    """One caller talks to counselor 201, another has waited for 95 seconds."""
    queue, tenant = QueueName("changwon"), TenantName("changwon")
    talking = CallNow(
        call=CallId("019ab3c4-0000-7000-8000-000000000001"),
        state=CallState.CONNECTED,
        since=AT - timedelta(minutes=62, seconds=9),
        site=SITE,
        caller=CALLER,
        dialed="120",
        region="changwon",
        tenant=tenant,
        queue=queue,
        agent=AgentId("201"),
    )
    waiting = CallNow(
        call=CallId("019ab3c4-0000-7000-8000-000000000002"),
        state=CallState.QUEUED,
        since=AT - timedelta(seconds=100),
        site=SITE,
        caller="01023456789",
        dialed="120",
        region="unknown",
        tenant=tenant,
        queue=queue,
        agent=None,
    )
    return ExchangeNow(
        at=AT,
        draining=False,
        config_hash="abc123abc123",
        sites_up=(SITE,),
        calls=(talking, waiting),
        queues=(
            QueueNow(
                queue=queue,
                title="창원시",
                waiting=1,
                ringing=0,
                oldest=AT - timedelta(seconds=95),
                agents=2,
                available=0,
            ),
        ),
        agents=(
            AgentNow(
                agent=AgentId("201"),
                name="도청 상담사 1",
                site=SITE,
                state=AgentState.ON_CALL,
                since=AT - timedelta(minutes=61),
                misses=0,
            ),
            AgentNow(
                agent=AgentId("301"),
                name="창원 <상담사> 1",
                site=SITE,
                state=AgentState.RESTING,
                since=AT - timedelta(seconds=7),
                misses=2,
            ),
        ),
        trunks=(
            TrunkNow(
                trunk=TrunkName("city"),
                channels=4,
                in_use=1,
                title="국선",
                reserve=1,
                peak=3,
                blocked=7,
                tenants=(
                    TenantOfTrunk(TenantName("changwon"), 1, 2, 3, 3, 7),
                    TenantOfTrunk(TenantName("jinju"), 0, 0, None, 0, 0),
                ),
                members=(
                    MemberOfTrunk("kt", None, 3, 1, True, BreakerState.CLOSED),
                    MemberOfTrunk("sk", SITE, 1, 0, True, BreakerState.OPEN, 2),
                ),
                hours=(TrunkHour(AT.replace(minute=0, second=0, microsecond=0), 3, 7),),
            ),
        ),
        limits=(
            LimitNow("mobile", TenantName("changwon"), "calls_per_hour", 12, 60, 0),
            LimitNow("premium", TenantName(""), "minutes_per_day", 30.5, 30, 2),
        ),
        switches=(
            SwitchNow(
                switch=SwitchName("typhoon"),
                title="태풍 <비상>",
                on=True,
                by="kim",
                since=AT - timedelta(minutes=10),
                until=AT + timedelta(hours=6),
                note="태풍 카눈",
                code="*21",
                max_s=86_400.0,
            ),
            SwitchNow(switch=SwitchName("night"), title="연장 근무", on=False, max_s=5400.0),
        ),
    )


def live() -> Live:
    """A day on which the queue was answered late, with callers of no topic and of one."""
    figures = Figures(20, 15, 4, 1, 1, 0, 73.7, 80, 17.25, 95.0, 20.0)
    agents = {AgentState.ON_CALL: 1, AgentState.RESTING: 1}
    nothing = Figures(0, 0, 0, 0, 0, 0, None, None, None, None, None)
    return Live(
        at=AT,
        day=date(2026, 11, 24),
        since=datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        queues=(QueueLive(QueueName("changwon"), "창원 <시>", 1, 0, 95.0, agents, figures, 61.5),),
        tenants=(GroupLive("changwon", 1, 0, 95.0, figures, 61.5),),
        topics=(GroupLive("", 1, 0, 95.0, figures), GroupLive("<passport>", 0, 0, 0.0, nothing)),
    )


def surges() -> SurgesNow:
    """Passports have more calls than usual, and tourism has not."""
    passport = TopicNow(
        TopicName("passport"), "여권 <발급>", 34, 12.3, 24, True, SwitchName("passport-surge"), "여권 폭주 안내"
    )
    return SurgesNow((passport, TopicNow(TopicName("tourism"), "관광", 2, 1.5, 9, False)))


def counters() -> Counters:
    """Five calls came in, two were handled, one was abandoned."""
    return Counters(
        returns=Counter({ReturnResult.NOT_REACHED: 1}),
        arrived=5,
        ended=Counter({Outcome.HANDLED: 2, Outcome.ABANDONED: 1}),
        offers=Counter({OfferResult.ANSWERED: 3, OfferResult.NO_ANSWER: 1}),
        recordings=Counter({RecordingResult.KEPT: 2}),
        stale=Counter({(CallState.QUEUED, Signal.RING_OVER): 4}),
        impossible=Counter({(CallState.QUEUED, Signal.LEG_ANSWERED): 1}),
        defects=2,
        unknown_channel=6,
    )


def health() -> Health:
    """All is well."""
    return Health(
        title="경상남도 120 <민원>",
        version="0.1.0",
        config_hash="abc123abc123",
        started_at=AT - timedelta(hours=2),
        sites=(SiteHealth(SITE, "경상남도청", True, "up", AT - timedelta(hours=1), "22.10.1"),),
        journal=JournalHealth(alarm=None, waiting=3),
        database=DatabaseHealth(connected=True, backlog=7, last_error=None, since=AT, delivered=9),
        inbox=InboxHealth(depth=2, capacity=10_000),
        timezone=ZoneInfo("Asia/Seoul"),
        agi_sessions={"served": 8, "malformed": 1},
        agi_open=1,
        reloads={"taken": 2, "unchanged": 1, "refused": 0},
        ari_requests={(SITE, "done"): 20},
        holidays_end_days={CalendarName("weekday-day"): 402, CalendarName("city"): -3},
        ari_turned_away={SITE: 3},
        ari_late={SITE: 4},
        clock_drift_s=0.25,
        leading=COPIED,
    )


def voicemail() -> VoicemailNow:
    """One message that nobody has heard, for a quarter of an hour, and one that somebody has."""
    box = BoxName("night")
    new = MessageNow(
        id=12,
        call=CallId("019ab3c4-0000-7000-8000-000000000003"),
        box=box,
        tenant=TenantName("changwon"),
        caller=CALLER,
        region="changwon",
        left_at=AT - timedelta(minutes=15),
        duration_s=21.5,
        heard_at=None,
        heard_by=None,
        fault=None,
    )
    old = replace(new, id=11, left_at=AT - timedelta(days=1), heard_at=AT - timedelta(hours=1), heard_by="201")
    return VoicemailNow((BoxNow(box, "야간 <민원>", 2, 1, new.left_at),), (new, old))


def callbacks() -> CallbacksNow:
    """One caller waits to be called back, for twenty minutes; another was reached."""
    queue = QueueName("changwon")
    waiting = CallbackNow(
        id=8,
        call=CallId("019ab3c4-0000-7000-8000-000000000005"),
        queue=queue,
        tenant=TenantName("changwon"),
        number="+82552251234",
        region="changwon",
        topic="passport",
        asked_at=AT - timedelta(minutes=20),
        tries=1,
        done_at=None,
        done_by=None,
        result=None,
    )
    done = replace(waiting, id=7, done_at=AT - timedelta(hours=1), done_by="201", result="reached")
    return CallbacksNow((CallbackQueueNow(queue, "창원 <상담>", 1, waiting.asked_at),), (waiting, done))


@dataclass
class FakeStatus:
    """A source that says what it is told to."""

    exchange: ExchangeNow = field(default_factory=exchange_now)
    figures: Live = field(default_factory=live)
    topics: SurgesNow = field(default_factory=surges)
    counted: Counters = field(default_factory=counters)
    condition: Health = field(default_factory=health)
    left: VoicemailNow = field(default_factory=voicemail)
    asked: CallbacksNow = field(default_factory=callbacks)
    error: Exception | None = None

    def now(self) -> ExchangeNow:
        if self.error is not None:
            raise self.error
        return self.exchange

    def live(self) -> Live:
        return self.figures

    def surges(self) -> SurgesNow:
        return self.topics

    def counters(self) -> Counters:
        return self.counted

    def health(self) -> Health:
        return self.condition

    def voicemail(self) -> VoicemailNow:
        return self.left

    def callbacks(self) -> CallbacksNow:
        return self.asked
