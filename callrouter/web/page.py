"""The page at ``/``: sites, queues, counselors and calls of this moment.

The whole page is rendered here, once for the first look and again for every refresh: the script only puts the new
``<main>`` in the place of the old one, so there is no second renderer that could disagree.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from html import escape

from callrouter.core.agent import AgentState
from callrouter.core.breaker import BreakerState
from callrouter.core.cdr import Outcome
from callrouter.core.ids import QueueName
from callrouter.core.live import GroupLive, Live, QueueLive
from callrouter.core.outbound_meter import LimitNow
from callrouter.core.stats import MemberOfTrunk, SwitchNow, TrunkNow
from callrouter.core.surge import TopicNow
from callrouter.web import words
from callrouter.web.callback import CallbackQueue
from callrouter.web.status import Agent, Call, Queue, Site, StatusDocument
from callrouter.web.voicemail import Box

REFRESH_S = 3

_FRAME = """\
<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · 현황</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/status.css">
<script src="/static/status.js" defer data-refresh-s="{refresh_s}"></script>
<noscript><meta http-equiv="refresh" content="{refresh_s}"></noscript>
</head>
<body>
<header>
<h1>{title}</h1>
<p id="connection" role="status"></p>
{door}</header>
{main}
<footer><a href="/api/v1/status">JSON</a> · <a href="/metrics">metrics</a> · \
<a href="/api/v1/openapi.json">OpenAPI</a></footer>
</body>
</html>
"""


def page(status: StatusDocument, zone: tzinfo, account: str | None = None) -> str:
    """The HTML; ``zone`` is in which people here read times, ``account`` who looks at it, if that is known."""
    door = "" if account is None else f'<p>{escape(account)} <button id="log-out">로그아웃</button></p>\n'
    return _FRAME.format(title=escape(status.service.title), refresh_s=REFRESH_S, main=_main(status, zone), door=door)


def _main(status: StatusDocument, zone: tzinfo) -> str:
    names = {agent.agent: agent.name for agent in status.agents}
    titles = {queue.queue: queue.title for queue in status.queues}
    parts = [
        _state(status, zone),
        *(
            [_table("전환 스위치", ("스위치", "상태", "설정자", "해제 예정", "메모"), _switches(status, zone))]
            if status.switches
            else []
        ),
        _table("대기열", _QUEUE_HEADS, _queues(status)),
        *(_today(status.live, zone) if status.live is not None else ()),
        _table(
            "상담사", ("내선", "이름", "상태", "경과", "사유"), (_agent(agent, status.at) for agent in status.agents)
        ),
        _table(
            "진행 중인 통화",
            ("상태", "경과", "발신 번호", "수신 번호", "지역", "대기열", "상담사"),
            (_call(call, status.at, titles, names) for call in status.calls),
        ),
    ]
    if status.boxes:
        columns = ("음성 사서함", "새 메시지", "가장 오래된 것", "보관")
        parts.append(_table("음성 사서함", columns, (_box(box, status.at) for box in status.boxes)))
    if status.callbacks:
        heads = ("회신 예약", "대기", "가장 오래된 것")
        parts.append(_table("회신 예약", heads, (_callbacks(queue, status.at) for queue in status.callbacks)))
    if status.trunks:
        columns_of_trunks = ("국선", "사용", "전체", "최대", "차단", "기관별 사용/보장", "회선")
        parts.append(_table("국선", columns_of_trunks, map(_trunk, status.trunks)))
    if status.limits:
        columns_of_limits = ("발신 한도", "기관", "기준", "사용", "한도", "차단")
        parts.append(_table("발신 한도", columns_of_limits, map(_limit, status.limits)))
    parts.append(_table("교환기", ("교환기", "상태", "경과", "Asterisk"), (_site(s, status.at) for s in status.sites)))
    return f"<main>\n{''.join(parts)}</main>"


def _state(status: StatusDocument, zone: tzinfo) -> str:
    kind, word = ("good", "정상 운영 중") if status.ready else ("bad", "전화를 받지 못하고 있습니다")
    told = (*status.hindrances, *status.remarks)
    items = "".join(f"<li>{escape(text)}</li>" for text in (*map(_surge, status.surges), *told))
    ended = " · ".join(
        f"{words.OUTCOMES[outcome]} {status.totals.ended[outcome.value]}"
        for outcome in Outcome
        if status.totals.ended.get(outcome.value)
    )
    totals = f"수신 {status.totals.arrived}" + (f" · {ended}" if ended else "")
    local = status.at.astimezone(zone)
    return (
        f'<section aria-label="상태"><p class="state {kind}">{word}</p>\n'
        + (f'<ul class="trouble">{items}</ul>\n' if items else "")
        + f'<p><time datetime="{local.isoformat()}">{local:%Y-%m-%d %H:%M:%S}</time> · '
        + f"{_since_start(status, zone)} · {escape(totals)}</p></section>\n"
    )


def _surge(topic: TopicNow) -> str:
    text = f"문의 급증: {topic.title} – 이번 시간 {topic.calls}건 (평소 {topic.usual:g}건)."
    if topic.suggest is None:
        return text
    word = "켜져 있습니다" if topic.suggest_on else "켜 보십시오"
    return f"{text} 스위치 ‘{topic.suggest_title}’: {word}."


def _since_start(status: StatusDocument, zone: tzinfo) -> str:
    return f"{status.service.started_at.astimezone(zone):%Y-%m-%d %H:%M}부터"


def _switches(status: StatusDocument, zone: tzinfo) -> Iterable[str]:
    return (_switch(switch, zone) for switch in status.switches)


def _switch(switch: SwitchNow, zone: tzinfo) -> str:
    until = f"{switch.until.astimezone(zone):%m-%d %H:%M}" if switch.until is not None else "–"
    cells = ("켜짐" if switch.on else "꺼짐", switch.by or "–", until, switch.note or "–")
    return _row(switch.title, cells, kind="warn" if switch.on else "")


_QUEUE_HEADS = ("대기열", "대기", "벨 울림", "최장 대기", "상담 가능", "상담사", "상담사 상태")


def _queues(status: StatusDocument) -> Iterable[str]:
    do = {queue.queue: queue.agents for queue in status.live.queues} if status.live is not None else {}
    return (_queue(queue, status.at, do.get(QueueName(queue.queue), {})) for queue in status.queues)


def _queue(queue: Queue, at: datetime, do: Mapping[AgentState, int]) -> str:
    is_stuck = queue.waiting and not queue.available
    states = " · ".join(f"{words.AGENT_STATES[state]} {do[state]}" for state in AgentState if do.get(state))
    cells = (
        queue.waiting,
        queue.ringing,
        words.duration(queue.oldest, at),
        queue.available,
        queue.agents,
        states or "–",
    )
    return _row(queue.title, cells, kind="warn" if is_stuck else "")


_FIGURES = (
    "지금 대기",
    "인입",
    "응대",
    "포기",
    "전환",
    "서비스 수준",
    "목표",
    "평균 응답",
    "최장 대기",
    "포기율",
    "점유율",
)


def _today(live: Live, zone: tzinfo) -> Iterable[str]:
    """The day so far: by queue always, by tenant and topic where there are several."""
    since = live.since.astimezone(zone)
    day = f"오늘 {live.day:%m-%d}" + (f", {since:%H:%M}부터" if (since.hour, since.minute) != (0, 0) else "")
    yield _table(f"{day}: 대기열", ("대기열", *_FIGURES), (_figures(q.title, q) for q in live.queues))
    for word, groups in (("기관", live.tenants), ("업무", live.topics)):
        if len(groups) > 1:
            yield _table(f"{day}: {word}", (word, *_FIGURES), (_figures(g.name or "–", g) for g in groups))


def _figures(head: str, of: QueueLive | GroupLive) -> str:
    f = of.today
    cells = (
        of.waiting,
        f.offered,
        f.answered,
        f.abandoned,
        f.overflowed,
        _percent(f.service_level),
        _percent(f.target_percent),
        words.clock(f.asa_s),
        words.clock(f.longest_wait_s),
        _percent(f.abandon_rate),
        _percent(of.occupancy),
    )
    is_low = f.service_level is not None and f.target_percent is not None and f.service_level < f.target_percent
    return _row(head, cells, kind="warn" if is_low else "")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}%"


def _agent(agent: Agent, at: datetime) -> str:
    state = words.AGENT_STATES[agent.state]
    cells = (agent.name, state, words.duration(agent.since, at), agent.reason or "–")
    return _row(agent.agent, cells, kind=agent.state.value)


def _call(call: Call, at: datetime, titles: Mapping[str, str], names: Mapping[str, str]) -> str:
    party = names.get(call.agent, call.agent) if call.agent else call.destination or "–"
    cells = (
        words.duration(call.since, at),
        call.caller,
        call.dialed,
        call.region,
        titles.get(call.queue, call.queue) if call.queue else "–",
        words.and_others(party, len(call.also_rings)),
    )
    away = "" if call.away_since is None else f" (교환기 연결 끊김 {words.duration(call.away_since, at)})"
    return _row(f"{words.CALL_STATES[call.state]}{away}", cells, kind="warn" if away else "")


def _box(box: Box, at: datetime) -> str:
    cells = (box.unheard, words.duration(box.oldest, at), box.kept)
    return _row(box.title, cells, kind="warn" if box.unheard else "")


def _callbacks(queue: CallbackQueue, at: datetime) -> str:
    cells = (queue.waiting, words.duration(queue.oldest, at))
    return _row(queue.title, cells, kind="warn" if queue.waiting else "")


def _trunk(trunk: TrunkNow) -> str:
    tenants = " · ".join(f"{one.tenant or '–'} {one.in_use}/{one.guarantee}" for one in trunk.tenants)
    down = [one for one in trunk.members if not one.online or one.breaker is not BreakerState.CLOSED]
    members = " · ".join(f"{one.endpoint}: {_member(one)}" for one in down) or "정상"
    cells = (trunk.in_use, trunk.channels, trunk.peak, trunk.blocked, tenants or "–", members)
    return _row(trunk.title or trunk.trunk, cells, kind="warn" if down or trunk.in_use >= trunk.channels else "")


def _limit(limit: LimitNow) -> str:
    cells = (limit.tenant or "전체", words.BOUNDS[limit.bound], f"{limit.used:g}", limit.most, limit.blocked)
    return _row(limit.limit, cells, kind="warn" if limit.used >= limit.most else "")


def _member(member: MemberOfTrunk) -> str:
    if not member.online:
        return "연결 안 됨"
    return "시험 중" if member.breaker is BreakerState.HALF_OPEN else "쉬는 중"


def _site(site: Site, at: datetime) -> str:
    state = "연결됨" if site.up else f"연결 안 됨: {site.state}"
    return _row(
        site.title, (state, words.duration(site.since, at), site.version or "–"), kind="" if site.up else "warn"
    )


def _row(head: str, cells: Iterable[str | int], *, kind: str = "") -> str:
    tag = f'<tr class="{escape(kind)}">' if kind else "<tr>"
    rest = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
    return f'{tag}<th scope="row">{escape(head)}</th>{rest}</tr>\n'


def _table(caption: str, columns: tuple[str, ...], rows: Iterable[str]) -> str:
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(rows) or f'<tr><td colspan="{len(columns)}" class="none">없음</td></tr>\n'
    return (
        f'<section><div class="scroll"><table><caption>{caption}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div></section>\n"
    )
