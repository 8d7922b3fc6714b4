"""The FastAGI protocol, byte by byte."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.agi.protocol import (
    COMMAND_BYTES,
    EXCERPT_CHARS,
    AgiEvent,
    AgiReply,
    AgiRequest,
    AgiSession,
    CallerHungUp,
    SessionState,
    WireLimits,
    set_variable,
    verbose,
)
from callrouter.errors import AgiError, AgiProtocolError

HEADERS = (
    b"agi_network: yes\n"
    b"agi_network_script: route?dialed=120&note=%EC%B0%BD%EC%9B%90+city\n"
    b"agi_request: agi://127.0.0.1:4573/route?dialed=120\n"
    b"agi_channel: PJSIP/trunk-00000001\n"
    b"agi_language: ko\n"
    b"agi_uniqueid: 1795491000.1\n"
    b"agi_callerid: 0552251234\n"
    b"agi_calleridname: \xea\xb9\x80 \xec\xb2\xa0\xec\x88\x98\n"
    b"agi_dnid: 120\n"
    b"agi_context: from-trunk\n"
    b"agi_extension: 120\n"
    b"agi_accountcode: \n"
    b"agi_arg_1: first\n"
    b"agi_arg_2: \n"
    b"agi_arg_3: third: with colon\n"
    b"\n"
)
SMALL = WireLimits(line_bytes=40, header_lines=3, reply_lines=3, total_bytes=200)


def request_of(data: bytes) -> AgiRequest:
    (event,) = AgiSession().receive(data)
    assert isinstance(event, AgiRequest)
    return event


def ready(limits: WireLimits | None = None) -> AgiSession:
    session = AgiSession(limits)
    session.receive(b"agi_network: yes\n\n")
    return session


def awaiting(limits: WireLimits | None = None) -> AgiSession:
    session = ready(limits)
    session.send(set_variable("A", "1"))
    return session


def test_headers_become_a_request() -> None:
    request = request_of(HEADERS)
    assert request.script == "route"
    assert request.parameters == {"dialed": "120", "note": "창원 city"}
    assert request.arguments == ("first", "", "third: with colon")
    assert (request.caller, request.caller_name, request.dialed) == ("0552251234", "김 철수", "120")
    assert (request.channel, request.channel_id) == ("PJSIP/trunk-00000001", "1795491000.1")
    assert (request.language, request.context, request.extension) == ("ko", "from-trunk", "120")
    assert request.headers["accountcode"] == ""


def test_unknown_numbers_and_names_are_absent() -> None:
    request = request_of(b"agi_callerid: unknown\nagi_calleridname: unknown\nagi_dnid: unknown\n\n")
    assert (request.caller, request.caller_name, request.dialed) == (None, None, None)


def test_a_url_without_a_path_has_an_empty_script() -> None:
    assert request_of(b"agi_network: yes\n\n").script == ""


def test_a_script_that_is_not_utf8_is_taken_as_far_as_it_goes() -> None:
    assert request_of(b"agi_network_script: /%ffroute%/?x=%ff\n\n").script == "\ufffdroute%"


def test_a_caller_name_that_is_not_utf8_is_taken_as_far_as_it_goes() -> None:
    request = request_of("agi_calleridname: 김\nagi_callerid: 120\n\n".encode("euc-kr"))
    assert request.caller == "120"
    assert request.caller_name is not None


def test_a_request_is_the_same_however_its_bytes_arrive() -> None:
    session = AgiSession()
    events = [event for byte in HEADERS for event in session.receive(bytes([byte]))]
    assert events == [request_of(HEADERS)]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("", '""'),
        ("queue", '"queue"'),
        ("two words", '"two words"'),
        ('say "hello"', '"say \\"hello\\""'),
        ("C:\\dir", '"C:\\\\dir"'),
        ("tail\\", '"tail\\\\"'),
        ("one\r\nSET VARIABLE B 2\n", '"one SET VARIABLE B 2 "'),
        ("nul\x00byte", '"nul byte"'),
        ("창원시", '"창원시"'),
    ],
)
def test_a_value_is_one_argument_of_one_line(value: str, sent: str) -> None:
    assert set_variable("CALLROUTER_TARGET", value) == f"SET VARIABLE CALLROUTER_TARGET {sent}\n".encode()


@given(st.text())
def test_asterisk_reads_back_the_value_that_was_set(value: str) -> None:
    try:
        command = set_variable("A_1", value)
    except AgiError:
        assert len(value.encode("utf-8", "replace")) * 2 > COMMAND_BYTES - 20
        return
    assert command.count(b"\n") == 1
    words = _as_asterisk_parses(command.decode().rstrip("\n"))
    assert words[:3] == ["SET", "VARIABLE", "A_1"]
    expected = value.encode("utf-8", "replace").decode()
    assert len(words) == 4
    if not any(ord(c) < 32 or c == "\x7f" for c in expected):
        assert words[3] == expected


def _as_asterisk_parses(line: str) -> list[str]:
    """Quotes group, a backslash takes the next character as it is, blanks divide: as in res_agi."""
    words: list[str] = []
    quoted = escaped = False
    between = True
    for char in line:
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and between:
                words.append("")
                between = False
        elif char in " \t" and not quoted and not escaped:
            between = True
        elif char == "\\" and not escaped:
            escaped = True
            continue
        else:
            if between:
                words.append("")
                between = False
            words[-1] += char
        escaped = False
    return words


@pytest.mark.parametrize("name", ["", "lower", "A B", 'A"', "A\nB", "FUNC(x)", "가", "A-B"])
def test_a_name_that_is_no_plain_variable_is_refused(name: str) -> None:
    with pytest.raises(AgiError, match=r"\[A-Z0-9_\]\+"):
        set_variable(name, "1")


def test_a_command_longer_than_asterisk_reads_is_refused() -> None:
    room = COMMAND_BYTES - len(set_variable("A", ""))
    assert len(set_variable("A", "x" * room)) == COMMAND_BYTES
    with pytest.raises(AgiError, match="Asterisk reads 2047"):
        set_variable("A", "x" * (room + 1))


def test_verbose_has_a_message_and_a_level() -> None:
    assert verbose("no script", 3) == b'VERBOSE "no script" 3\n'
    with pytest.raises(AgiError, match="1 to 4"):
        verbose("no script", 0)


@pytest.mark.parametrize(
    ("line", "reply", "done"),
    [
        (b"200 result=1\n", AgiReply(200, "1", "result=1"), True),
        (b"200 result=1\r\n", AgiReply(200, "1", "result=1"), True),
        (b"100 Trying\n200 result=0\n", AgiReply(200, "0", "result=0"), True),
        (b"200 result=-1\n", AgiReply(200, "-1", "result=-1"), False),
        (b"510 Invalid or unknown command\n", AgiReply(510, "", "Invalid or unknown command"), False),
        (b"511 Command Not Permitted\n", AgiReply(511, "", "Command Not Permitted"), False),
        (
            b"520-Invalid command syntax.\nUsage: X\n520 End of proper usage.\n",
            AgiReply(520, "", "Invalid command syntax.\nUsage: X"),
            False,
        ),
        (b"520 Invalid command syntax.\n", AgiReply(520, "", "Invalid command syntax."), False),
    ],
)
def test_replies_are_understood(line: bytes, reply: AgiReply, done: bool) -> None:
    session = awaiting()
    assert session.receive(line) == [reply]
    assert reply.is_done is done
    assert session.state is SessionState.READY


def test_a_hang_up_may_come_at_any_time_after_the_headers() -> None:
    assert ready().receive(b"HANGUP\n") == [CallerHungUp()]
    assert awaiting().receive(b"HANGUP\n200 result=1\n") == [CallerHungUp(), AgiReply(200, "1", "result=1")]


def test_a_second_command_must_wait_for_the_first_ones_reply() -> None:
    session = awaiting()
    with pytest.raises(AgiError, match="AWAITING_REPLY"):
        session.send(verbose("too early"))
    session.receive(b"200 result=1\n")
    assert session.send(verbose("now")) == b'VERBOSE "now" 1\n'


@pytest.mark.parametrize(
    ("session", "data", "message"),
    [
        (AgiSession(), b"GET / HTTP/1.1\r\n", "not an \"agi_name: value\" header: 'GET / HTTP/1.1'"),
        (AgiSession(), b"HANGUP\n", "not an \"agi_name: value\" header: 'HANGUP'"),
        (AgiSession(), b"agi_x: 1\nagi_x: 2\n", "header sent twice: 'agi_x: 2'"),
        (ready(), b"200 result=1\n", "a line that answers no command: '200 result=1'"),
        (awaiting(), b"\n", "not a reply: ''"),
        (awaiting(), b"OK\n", "not a reply: 'OK'"),
        (awaiting(), b"\xd9\xa2\xd9\xa0\xd9\xa0 result=1\n", "not a reply: '٢٠٠ result=1'"),
        (AgiSession(SMALL), b"agi_a:1\n" * 1 + b"agi_b: 1\nagi_c: 1\nagi_d: 1\n", "not an"),
        (AgiSession(SMALL), b"agi_a: 1\nagi_b: 1\nagi_c: 1\nagi_d: 1\n", "more than 3 headers, then 'agi_d: 1'"),
        (AgiSession(SMALL), b"x" * 41, "line longer than 40 bytes: b'xxx"),
        (AgiSession(SMALL), b"x" * 41 + b"\n", "line longer than 40 bytes: b'xxx"),
        (AgiSession(SMALL), b"\n" * 201, "more than 200 bytes in one session"),
        (awaiting(SMALL), b"520-a\nb\nc\nd\n", "reply of more than 3 lines, then 'd'"),
        (AgiSession(), b"agi_network_script: route?" + b"a=1&" * 65 + b"\n\n", "query string not understood"),
    ],
)
def test_what_breaks_the_protocol_is_named(session: AgiSession, data: bytes, message: str) -> None:
    with pytest.raises(AgiProtocolError) as caught:
        session.receive(data)
    assert message in str(caught.value)
    assert session.state is SessionState.ENDED
    with pytest.raises(AgiProtocolError, match="after the end"):
        session.receive(b"agi_network: yes\n")


@pytest.mark.parametrize("filler", [b"x", b"\x00", b"\xff", "가".encode(), b"\\", b"'\""])
@pytest.mark.parametrize("times", [1000, 50])
def test_an_error_quotes_at_most_a_hundred_characters(filler: bytes, times: int) -> None:
    with pytest.raises(AgiProtocolError) as caught:
        AgiSession().receive(filler * times + b"\n")
    message = str(caught.value)
    assert len(message.removeprefix('not an "agi_name: value" header: ')) <= EXCERPT_CHARS
    assert message.isprintable()


@pytest.mark.parametrize(
    ("session", "data", "message"),
    [
        (AgiSession(), b"agi_netw", "within the line b'agi_netw'"),
        (AgiSession(), b"agi_network: yes\n", "after 1 headers, without the empty line"),
        (awaiting(), b"520-Usage\n", "within a reply of several lines"),
    ],
)
def test_a_connection_that_closes_midway_is_an_error(session: AgiSession, data: bytes, message: str) -> None:
    session.receive(data)
    with pytest.raises(AgiProtocolError) as caught:
        session.receive_eof()
    assert message in str(caught.value)


@pytest.mark.parametrize("session", [AgiSession(), ready(), awaiting()])
def test_a_connection_may_close_between_lines(session: AgiSession) -> None:
    session.receive_eof()
    assert session.state is SessionState.ENDED


LINES = st.sampled_from(
    [
        b"agi_network: yes",
        b"agi_network_script: route?a=%ff&b;;=&%",
        b"agi_arg_1: x",
        b"agi_:",
        b"",
        b"\r",
        b"HANGUP",
        b"100 Trying",
        b"200 result=1",
        b"511 dead",
        b"520-usage",
        b"520 End",
        b"agi_callerid: " + b"9" * 60,
    ]
)
STREAMS = st.one_of(
    st.binary(max_size=400),
    st.lists(st.one_of(LINES, st.binary(max_size=50)), max_size=30).map(lambda lines: b"\n".join(lines) + b"\n"),
)


@given(st.lists(STREAMS, max_size=6), st.booleans())
def test_no_bytes_raise_anything_but_a_protocol_error_nor_outgrow_the_limits(
    chunks: list[bytes], we_speak: bool
) -> None:
    limits = WireLimits(line_bytes=64, header_lines=8, reply_lines=4, total_bytes=1000)
    session = AgiSession(limits)
    taken = 0
    with contextlib.suppress(AgiProtocolError):
        for chunk in chunks:
            events: list[AgiEvent] = session.receive(chunk)
            taken += len(chunk)
            assert session.buffered_bytes <= limits.line_bytes
            assert taken <= limits.total_bytes
            assert sum(isinstance(event, AgiReply) for event in events) <= 1
            if we_speak and session.state is SessionState.READY:
                session.send(verbose("hello"))
        session.receive_eof()
    assert session.state is SessionState.ENDED
    assert session.buffered_bytes == 0


@given(st.lists(LINES, max_size=20), st.data())
def test_the_cut_into_packets_changes_nothing(lines: list[bytes], data: st.DataObject) -> None:
    stream = HEADERS + b"".join(line + b"\n" for line in lines)
    at = data.draw(st.integers(0, len(stream)))

    def outcome(*parts: bytes) -> tuple[list[AgiEvent], str]:
        session = AgiSession()
        events: list[AgiEvent] = []
        try:
            for part in parts:
                events += session.receive(part)
        except AgiProtocolError as exc:
            return [], str(exc)
        return events, ""

    assert outcome(stream) == outcome(stream[:at], stream[at:])
