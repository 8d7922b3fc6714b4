"""Of the daemon's log, a person at the terminal is told of calls and of what is amiss."""

import io
from pathlib import Path

import structlog

from callrouter.config.settings import LogFormat
from callrouter.runtime.logs import configure_logging
from lab.news import News, told_of


def logged(level: str, event: str, **fields: object) -> str:
    """The line that the daemon writes for this, in the format that the laboratory gives it."""
    out = io.StringIO()
    try:
        configure_logging(LogFormat.CONSOLE, "info", stream=out)
        getattr(structlog.get_logger(), level)(event, **fields)
    finally:
        structlog.reset_defaults()
    return out.getvalue().rstrip("\n")


def ended(**fields: object) -> str:
    call = {"call": "01a20b11-1b51-7d5b-b46a-36299546691a", "caller": "0552251234", "outcome": "handled"}
    return logged("info", "call.ended", **{**call, "rule": "day", "agent": "201", "talk_s": 3.035, **fields})


def test_a_call_that_was_talked_through_is_told_with_its_counselor() -> None:
    told = told_of(ended())

    assert told is not None
    assert told.startswith("call 01a20b11-1b51-7d5b from 055")
    assert "0552251234" not in told
    assert told.endswith(": handled by rule day, 3.0 s with 201")


def test_a_call_that_nobody_answered_is_told_without_one() -> None:
    told = told_of(ended(outcome="closed", agent=None, talk_s=0.0))

    assert told is not None
    assert told.endswith(": closed by rule day")


def test_what_is_amiss_is_told_and_what_is_well_is_not() -> None:
    assert told_of(logged("warning", "ari.not_connected", site="gyeongnam")) == (
        "warning: ari.not_connected site=gyeongnam"
    )
    assert told_of(logged("error", "inbox.full")) == "error: inbox.full"
    assert told_of(logged("info", "daemon.ready")) is None
    assert told_of("Traceback (most recent call last):") is None
    assert told_of(logged("info", "call.ended", call="x")) is None


def test_a_line_is_told_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    old, new = logged("warning", "old"), logged("warning", "new")
    log.write_text(f"{old}\n")
    news = News(log)
    half = new.index("[") + 3

    with log.open("a") as writing:
        writing.write(new[:half])
        writing.flush()
        assert news.fresh() == []
        writing.write(f"{new[half:]}\n")
    assert news.fresh() == ["warning: new"]
    assert news.fresh() == []
