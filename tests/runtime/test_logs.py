"""The log as it comes out of the process."""

import asyncio
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from callrouter.config.settings import LogFormat, WebSettings
from callrouter.runtime.logs import configure_logging
from callrouter.web.gate import Gate
from tests.docs.markdown import ROOT
from tests.fakes.trail import FakeTrail


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, access = root.handlers[:], root.level, logging.getLogger("aiohttp.access").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("aiohttp.access").setLevel(access)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def place(caller: str) -> None:
    raise LookupError(f"no region for {caller}")


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def only(out: io.StringIO) -> dict[str, Any]:
    (line,) = lines(out)
    return line


def test_an_event_is_one_line_of_json_with_its_fields(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    structlog.get_logger("x").info("call.queued", caller="0552251234", queue="창원", note="two\nlines")
    line = only(out)
    assert "창원" in out.getvalue()
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "call.queued",
        "caller": "055225****",
        "queue": "창원",
        "note": "two\nlines",
    }


def test_what_libraries_log_goes_the_same_way(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    logging.getLogger("asyncpg").warning("lost %s for %s", "postgresql://u:s3cret@db/x", "0552251234")
    line = only(out)
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["logger"]) == ("warning", "asyncpg")
    assert line["event"] == "lost postgresql://u:***@db/x for 055225****"


def test_a_traceback_shows_neither_numbers_nor_variables(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    try:
        place("0552251234")
    except LookupError:
        structlog.get_logger().exception("call.failed")
        logging.getLogger("lib").exception("failed")
    for line in lines(out):
        assert line["exception"].startswith("Traceback")
        assert "LookupError: no region for 055225****" in line["exception"]
    assert "0552251234" not in out.getvalue()


def test_a_task_that_dies_unnoticed_is_in_the_log(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    loop = asyncio.new_event_loop()
    try:
        loop.call_exception_handler({"message": "gone wrong", "exception": ValueError("0552251234")})
    finally:
        loop.close()
    line = only(out)
    assert (line["level"], line["logger"], line["event"]) == ("error", "asyncio", "gone wrong")
    assert "055225****" in line["exception"]


def test_warnings_are_in_the_log(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging(LogFormat.JSON, stream=out)
        warnings.warn("about 0552251234", UserWarning, stacklevel=1)
    assert "about 055225****" in only(out)["event"]
    assert only(out)["level"] == "warning"


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_less_important_than_the_level_is_not_written(level: str, written: list[str], out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, level, stream=out)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)("ours")
        getattr(logging.getLogger("lib"), name)("theirs")
    assert [(line["level"], line["event"]) for line in lines(out)] == [
        (name, event) for name in written for event in ("ours", "theirs")
    ]


def test_a_level_that_does_not_exist_is_refused(out: io.StringIO) -> None:
    with pytest.raises(ValueError, match='"loud" does not exist; use debug, info, warning, error'):
        configure_logging(LogFormat.JSON, "loud", stream=out)


def test_requests_are_not_told_of_one_by_one(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    logging.getLogger("aiohttp.access").info("GET /metrics")
    assert out.getvalue() == ""


def test_the_context_of_a_call_is_on_each_of_its_lines(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    with structlog.contextvars.bound_contextvars(call="019ab345-0191-7123-8123-055225123456"):
        structlog.get_logger().info("ours")
        logging.getLogger("lib").warning("theirs")
    assert [line["call"] for line in lines(out)] == ["019ab345-0191-7123-8123-055225123456"] * 2


def test_setting_up_again_replaces_the_first_set_up(out: io.StringIO) -> None:
    log = structlog.get_logger("made before")
    configure_logging(LogFormat.CONSOLE, stream=out)
    log.info("first")
    logging.getLogger("lib").warning("first")
    again = io.StringIO()
    configure_logging(LogFormat.JSON, stream=again)
    log.info("second")
    logging.getLogger("lib").warning("second")
    assert "second" not in out.getvalue()
    assert [line["event"] for line in lines(again)] == ["second", "second"]


def test_the_console_format_is_for_people(out: io.StringIO) -> None:
    configure_logging(LogFormat.CONSOLE, stream=out)
    try:
        place("0552251234")
    except LookupError:
        structlog.get_logger().exception("call.failed", caller="01056785678")
    text = out.getvalue()
    assert "call.failed" in text
    assert "caller=0105678****" in text
    assert "LookupError: no region for 055225****" in text
    assert "\x1b[" not in text


def test_no_value_makes_logging_fail(out: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream=out)
    structlog.get_logger().info("odd", lone="\ud800", number=object(), nothing=float("nan"), key={1: {2: 3}})
    assert only(out)["key"] == {"1": {"2": 3}}


def test_the_standard_error_is_where_the_log_goes(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    structlog.get_logger().info("hello")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "hello"


@pytest.mark.parametrize("address", ["203.0.113.5", "198.51.100.200", "2001:db8:1234:5678:9012:3456:7890:1234"])
def test_who_shuts_addresses_out_finds_that_of_a_refused_log_in_whole_by_the_guides_pattern(
    out: io.StringIO, address: str
) -> None:
    guide = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"^failregex = (.+)$", guide, re.MULTILINE)
    configure_logging(LogFormat.JSON, stream=out)
    gate = Gate(dict, WebSettings("127.0.0.1", 0), FakeTrail(), lambda: datetime(2026, 11, 24, tzinfo=UTC))
    gate.refuse("admin", "wrong account or password", address)
    found = re.search(pattern.replace("<ADDR>", r"(?P<address>[0-9a-f:.]+)"), out.getvalue())
    assert found is not None, out.getvalue()
    assert found["address"] == address


NASTY = "a\x1b[31m\x9b0m\u2028b\u202ec\x7f\x00"


@pytest.mark.parametrize("format", LogFormat)
def test_what_strangers_say_gives_a_terminal_no_orders_and_begins_no_line(format: LogFormat, out: io.StringIO) -> None:
    configure_logging(format, stream=out)
    structlog.get_logger("x").info("call.queued", said=NASTY, also=[NASTY], note="창원")
    logging.getLogger("library").warning("of %s", NASTY)
    text = out.getvalue()
    assert re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text) == []
    assert text.count("\n") == 2
    assert "창원" in text
    if format is LogFormat.JSON:
        assert lines(out)[0]["said"] == NASTY
