"""What the page calls things, in Korean."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from callrouter.core.agent import AgentState
from callrouter.core.cdr import Outcome
from callrouter.core.states import CallState

AGENT_STATES: Final[Mapping[AgentState, str]] = {
    AgentState.AVAILABLE: "대기",
    AgentState.RESERVED: "연결 준비",
    AgentState.RINGING: "벨 울림",
    AgentState.ON_CALL: "통화 중",
    AgentState.WRAP_UP: "후처리",
    AgentState.RESTING: "잠시 쉼",
    AgentState.PAUSED: "일시 중지",
    AgentState.LOGGED_OUT: "로그아웃",
    AgentState.UNREACHABLE: "전화기 연결 안 됨",
    AgentState.OWN_CALL: "개인 통화",
}

CALL_STATES: Final[Mapping[CallState, str]] = {
    CallState.ROUTING: "분배 중",
    CallState.ASKING: "메뉴 안내 중",
    CallState.DICTATING: "회신 번호 확인 중",
    CallState.RECORDING: "메시지 녹음 중",
    CallState.ANNOUNCING: "안내 방송",
    CallState.QUEUED: "대기",
    CallState.OFFERED: "벨 울림",
    CallState.CONFIRMING: "응답 확인 중",
    CallState.BRIEFING: "상담원 안내 중",
    CallState.CONNECTING: "연결 중",
    CallState.CONNECTED: "통화 중",
    CallState.CALLING: "민원인에게 거는 중",
    CallState.GREETING: "민원인 안내 중",
    CallState.POSTPONED: "회신 대기",
    CallState.CLEARING: "종료 중",
    CallState.ENDED: "종료",
}

OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.HANDLED: "응대",
    Outcome.ABANDONED: "포기",
    Outcome.OVERFLOWED: "전환",
    Outcome.VOICEMAIL: "음성 사서함",
    Outcome.CALLBACK: "회신 예약",
    Outcome.CLOSED: "업무 시간 외",
    Outcome.REJECTED: "거절",
    Outcome.FAILED: "실패",
}


BOUNDS = {
    "calls_per_hour": "1시간 통화 수",
    "calls_per_day": "24시간 통화 수",
    "minutes_per_hour": "1시간 통화 시간(분)",
    "minutes_per_day": "24시간 통화 시간(분)",
}
"""What a limit of calls that go out counts."""


def and_others(name: str, others: int) -> str:
    """``김민지 외 2명`` for a name and two more; the name alone for none."""
    return f"{name} 외 {others}명" if others else name


def duration(since: datetime | None, at: datetime) -> str:
    """``3:07`` or ``1:02:09`` from ``since`` until ``at``; a dash where there is no ``since``."""
    if since is None:
        return "–"
    return clock(max(0.0, (at - since).total_seconds()))


def clock(seconds: float | None) -> str:
    """The same of a number of seconds."""
    if seconds is None:
        return "–"
    whole_s = int(seconds)
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
