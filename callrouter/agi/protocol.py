"""The FastAGI protocol without sockets: bytes in, events out; commands in, bytes out.

Asterisk opens the connection and speaks first: ``agi_name: value`` lines and an empty line. From then on we send one
command a line, and each gets one reply. ``HANGUP`` on a line of its own says, at any time, that the caller has gone.
Source: Asterisk documentation, "Asterisk Gateway Interface (AGI)", and the behaviour of ``res_agi``.

Commands are never pipelined: ``res_agi`` polls the socket, not its own read buffer, so that a second command which
arrives together with the first may lie there unseen until more bytes come.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

from callrouter.errors import AgiError, AgiProtocolError

EXCERPT_CHARS = 100
"""How much of what a peer sent is quoted in an error."""

COMMAND_BYTES = 2047
"""The longest command that Asterisk reads as one, newline included (``AGI_BUF_LEN`` less the closing NUL)."""

_HEADER = re.compile(r"agi_([A-Za-z0-9_]+):(?: (.*))?", re.DOTALL)
_REPLY = re.compile(r"([0-9]{3})(?:([ -])(.*))?", re.DOTALL | re.ASCII)
_RESULT = re.compile(r"result=(\S*)")
_VARIABLE = re.compile(r"[A-Z0-9_]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_VERBOSE_LEVELS = range(1, 5)
_ABSENT = "unknown"
"""What Asterisk writes for a caller id, caller name or dialled number that it does not have."""


@dataclass(frozen=True, slots=True)
class WireLimits:
    """How much one session may send us.

    A line holds a channel's caller name, a URL or an argument: Asterisk's own buffers are shorter than the default.
    ``total_bytes`` counts everything of a session, so that not even a peer of well-formed lines can go on for ever.
    """

    line_bytes: int = 4096
    header_lines: int = 192
    reply_lines: int = 64
    total_bytes: int = 65_536


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """What the dialplan asked. Absent numbers and names are None, other absent values empty.

    ``AGI(agi://host:4573/route?dialed=120,first,second)`` gives the script ``route``, the parameters
    ``{"dialed": "120"}`` and the arguments ``("first", "second")``.
    """

    script: str
    caller: str | None
    caller_name: str | None
    dialed: str | None
    extension: str
    channel: str
    channel_id: str
    language: str
    context: str
    arguments: tuple[str, ...]
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    """Every header as sent, by its name without ``agi_``."""


@dataclass(frozen=True, slots=True)
class AgiReply:
    """The answer to one command: 200 done, 510 unknown command, 511 the channel is dead, 520 wrong usage."""

    code: int
    result: str
    """The value of ``result=``; empty where there is none."""
    text: str

    @property
    def is_done(self) -> bool:
        """Whether Asterisk carried the command out. ``result=-1`` is AGI's word for a failure."""
        return self.code == 200 and self.result != "-1"


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller has gone; the channel takes no more of what we would say."""


AgiEvent = AgiRequest | AgiReply | CallerHungUp


class SessionState(Enum):
    """Where a session stands."""

    HEADERS = auto()
    """Asterisk is telling who calls."""
    READY = auto()
    """It is our turn to send a command."""
    AWAITING_REPLY = auto()
    READING_USAGE = auto()
    """In the midst of a reply of several lines."""
    ENDED = auto()
    """Closed, or broken: nothing more may come or go."""


def set_variable(name: str, value: str) -> bytes:
    """The command that sets a channel variable.

    Line breaks and other control characters, which would end the command early, become one space each run.

    Raises AgiError for a name that is not ``[A-Z0-9_]+`` and for a command longer than Asterisk reads.
    """
    if not _VARIABLE.fullmatch(name):
        raise AgiError(f"channel variable {_excerpt(name)} has a name other than [A-Z0-9_]+; rename it")
    return _command(f"SET VARIABLE {name} {_quoted(value)}")


def verbose(message: str, level: int = 1) -> bytes:
    """The command that writes a line on Asterisk's console, at verbosity 1 (always of interest) to 4.

    Raises AgiError for another level and for a command longer than Asterisk reads.
    """
    if level not in _VERBOSE_LEVELS:
        raise AgiError(f"verbosity {level} does not exist; use 1 to 4")
    return _command(f"VERBOSE {_quoted(message)} {level}")


class AgiSession:
    """One FastAGI session, fed with bytes.

    ``receive`` and ``receive_eof`` raise AgiProtocolError, and nothing else, whatever the peer sends; the session has
    then ended. It never holds more than its limits allow.
    """

    def __init__(self, limits: WireLimits | None = None) -> None:
        self.state = SessionState.HEADERS
        self._limits = limits or WireLimits()
        self._buffer = bytearray()
        self._received_bytes = 0
        self._headers: dict[str, str] = {}
        self._usage: list[str] = []

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished line is held."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[AgiEvent]:
        """Take what came from the peer and return what it says, in order."""
        if self.state is SessionState.ENDED:
            raise AgiProtocolError(f"bytes after the end of the session: {_excerpt(data)}")
        try:
            return list(self._events(data))
        except AgiProtocolError:
            self._end()
            raise

    def receive_eof(self) -> None:
        """The peer will send nothing more. Only between lines, and not within headers or a reply, is that fine."""
        state, rest, headers = self.state, bytes(self._buffer), len(self._headers)
        self._end()
        if rest:
            raise AgiProtocolError(f"connection closed within the line {_excerpt(rest)}")
        if state is SessionState.HEADERS and headers:
            raise AgiProtocolError(f"connection closed after {headers} headers, without the empty line")
        if state is SessionState.READING_USAGE:
            raise AgiProtocolError("connection closed within a reply of several lines")

    def send(self, command: bytes) -> bytes:
        """Note that ``command`` goes out, and return the bytes to write.

        Raises AgiError when it is not our turn: a command before the headers are complete or while another waits.
        """
        if self.state is not SessionState.READY:
            raise AgiError(f"no command may be sent while the session is in {self.state.name}")
        self.state = SessionState.AWAITING_REPLY
        return command

    def _end(self) -> None:
        self.state = SessionState.ENDED
        self._buffer.clear()
        self._headers = {}
        self._usage = []

    def _events(self, data: bytes) -> Iterator[AgiEvent]:
        self._received_bytes += len(data)
        if self._received_bytes > self._limits.total_bytes:
            raise AgiProtocolError(
                f"more than {self._limits.total_bytes} bytes in one session, of late {_excerpt(data)}"
            )
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._refuse_long(line)
            event = self._event(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if event is not None:
                yield event
        self._refuse_long(self._buffer)

    def _refuse_long(self, line: bytes | bytearray) -> None:
        if len(line) > self._limits.line_bytes:
            raise AgiProtocolError(f"line longer than {self._limits.line_bytes} bytes: {_excerpt(bytes(line))}")

    def _event(self, line: str) -> AgiEvent | None:
        if self.state is SessionState.HEADERS:
            return self._header(line)
        if self.state is SessionState.READING_USAGE:
            return self._usage_line(line)
        if line == "HANGUP":
            return CallerHungUp()
        if self.state is SessionState.AWAITING_REPLY:
            return self._reply(line)
        raise AgiProtocolError(f"a line that answers no command: {_excerpt(line)}")

    def _header(self, line: str) -> AgiRequest | None:
        if not line:
            self.state = SessionState.READY
            headers, self._headers = self._headers, {}
            return _request(headers)
        match = _HEADER.fullmatch(line)
        if match is None:
            raise AgiProtocolError(f'not an "agi_name: value" header: {_excerpt(line)}')
        name = match[1]
        if name in self._headers:
            # A value with a smuggled line break would look like this; the first one alone is not to be trusted.
            raise AgiProtocolError(f"header sent twice: {_excerpt(line)}")
        if len(self._headers) >= self._limits.header_lines:
            raise AgiProtocolError(f"more than {self._limits.header_lines} headers, then {_excerpt(line)}")
        self._headers[name] = match[2] or ""
        return None

    def _reply(self, line: str) -> AgiReply | None:
        match = _REPLY.fullmatch(line)
        if match is None:
            raise AgiProtocolError(f"not a reply: {_excerpt(line)}")
        code, separator, text = int(match[1]), match[2], match[3] or ""
        if code < 200:
            return None  # "100 Trying": the reply proper is still to come
        if separator == "-":
            self.state = SessionState.READING_USAGE
            self._usage = [text]
            return None
        self.state = SessionState.READY
        result = _RESULT.search(text)
        return AgiReply(code, result[1] if result else "", text)

    def _usage_line(self, line: str) -> AgiReply | None:
        if line.startswith("520 "):
            self.state = SessionState.READY
            text, self._usage = "\n".join(self._usage), []
            return AgiReply(520, "", text)
        if len(self._usage) >= self._limits.reply_lines:
            raise AgiProtocolError(f"reply of more than {self._limits.reply_lines} lines, then {_excerpt(line)}")
        self._usage.append(line)
        return None


def _request(headers: Mapping[str, str]) -> AgiRequest:
    script, _, query = headers.get("network_script", "").partition("?")
    try:
        parameters = dict(parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=64))
    except ValueError as exc:
        raise AgiProtocolError(f"query string not understood: {_excerpt(query)}") from exc
    return AgiRequest(
        script=unquote(script, errors="replace").strip("/"),
        caller=_known(headers.get("callerid")),
        caller_name=_known(headers.get("calleridname")),
        dialed=_known(headers.get("dnid")),
        extension=headers.get("extension", ""),
        channel=headers.get("channel", ""),
        channel_id=headers.get("uniqueid", ""),
        language=headers.get("language", ""),
        context=headers.get("context", ""),
        arguments=_arguments(headers),
        parameters=MappingProxyType(parameters),
        headers=MappingProxyType(dict(headers)),
    )


def _arguments(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The ``agi_arg_1``, ``agi_arg_2``, … that follow the URL, as far as they are numbered without a gap."""
    arguments: list[str] = []
    while (value := headers.get(f"arg_{len(arguments) + 1}")) is not None:
        arguments.append(value)
    return tuple(arguments)


def _known(value: str | None) -> str | None:
    return None if value in (None, "", _ABSENT) else value


def _quoted(text: str) -> str:
    """One argument as ``res_agi`` parses it: within double quotes, a backslash before a quote or a backslash."""
    plain = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _command(line: str) -> bytes:
    command = line.encode("utf-8", "replace") + b"\n"
    if len(command) > COMMAND_BYTES:
        raise AgiError(f"command of {len(command)} bytes, Asterisk reads {COMMAND_BYTES}; shorten {_excerpt(line)}")
    return command


def _excerpt(received: str | bytes) -> str:
    """At most EXCERPT_CHARS printable characters of what was received, for an error message."""
    # Cut before escaping: the escapes of a long line of binary are not worth making.
    shown = ascii(received[:EXCERPT_CHARS]) if isinstance(received, bytes) else repr(received[:EXCERPT_CHARS])
    if len(received) <= EXCERPT_CHARS and len(shown) <= EXCERPT_CHARS:
        return shown
    return shown[: EXCERPT_CHARS - 1] + "…"
