"""Requests made from the description of the API: rightly, nearly rightly, and as strangers and tools make them.

Whoever answers is asked over a plain socket, byte by byte as drawn: no client puts anything right before it is sent.
"""

import http.client
import json
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

import jsonschema
import msgspec
from hypothesis import strategies as st

from callrouter.web.asking import MAX_BODY_BYTES
from callrouter.web.openapi import openapi
from callrouter.web.server import HEADERS

DOCUMENT: Final[dict[str, Any]] = msgspec.json.decode(openapi())
TIMEOUT_S: Final = 10.0
STRANGE: Final = (
    "",
    " ",
    "\x00",
    "a\r\nSet-Cookie: x=1",
    "\x1b[31mred\x9b0m",
    "'; DROP TABLE callrouter.cdr; --",
    "<script>alert(1)</script>",
    "${SHELL(id)}",
    "PJSIP/201&PJSIP/202",
    "../../etc/passwd",
    "%00%ff",
    "서울\u202e\u0000",
    "\U0001f4de" * 20,
    "x" * 81,
    "9" * 300,
    "٣٤",
)
NUMBERS: Final = (0, -1, 1, 0.5, 1e-320, 60, 1e9, 1e18, 1e308, 2**31, 2**63, 2**64, 10**400)
MOMENTS: Final = (
    "2026-11-24T10:00:00Z",
    "2026-11-24T23:59:60Z",
    "2026-11-24T10:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2030-01-01T00:00:00+23:59",
    "2026-02-30T00:00:00Z",
    "-0001-01-01T00:00:00Z",
)
RAW: Final = (
    b"",
    b"null",
    b"[]",
    b"0",
    b'"text"',
    b"{",
    b'{"a":',
    b"{}{}",
    b"[" * 2500,
    b'{"a":' * 700,
    b'{"who": "\\ud800"}',
    b'{"who": "\xff\xfe"}',
    b'{"who": "\xed\xa0\x80"}',
    b'{"who": "a", "who": "b"}',
    b'{"who": 1e999}',
    b'{"who": NaN}',
    b"\xef\xbb\xbf{}",
    b'{"note": "' + b"x" * (MAX_BODY_BYTES - 20) + b'"}',
    b"x" * (MAX_BODY_BYTES + 1),
    b" " * MAX_BODY_BYTES + b"{}",
)
"""Bodies that no schema tells of."""
ODD_HEADERS: Final = (
    ("Content-Type", "text/plain"),
    ("Content-Type", "application/json; charset=utf-16"),
    ("Content-Type", "application/json; charset=nothing"),
    ("Content-Type", "application/json;;;="),
    ("Content-Type", ""),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "deflate"),
    ("Content-Encoding", "br"),
    ("Content-Encoding", "zstd"),
    ("Content-Encoding", "nothing"),
    ("Transfer-Encoding", "gzip"),
    ("Expect", "100-continue"),
    ("Expect", "a miracle"),
    ("Origin", "http://[::1"),
    ("Origin", "null"),
    ("Origin", "http://evil.example"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Host", ""),
    ("Host", "[::1"),
    ("Host", "a b"),
    ("Host", "x:99999"),
    ("X-Forwarded-For", "not, an, address"),
    ("X-Forwarded-For", "::1%lo, 127.0.0.1"),
    ("Cookie", 'callrouter="\\'),
    ("Cookie", "callrouter=; callrouter=x"),
    ("Cookie", "\xff=\xfe;;;="),
    ("Range", "bytes=5-1"),
    ("Range", "bytes=999999999-"),
    ("If-Modified-Since", "yesterday"),
    ("If-None-Match", "*"),
    ("If-Range", "x"),
    ("Upgrade", "websocket"),
    ("Accept", "application/openmetrics-text;q=nothing"),
    ("X-Http-Method-Override", "DELETE"),
)
"""What does not say who asks; it may take the place of what was right."""


@dataclass(frozen=True, repr=False)
class Operation:
    """One of the description."""

    method: str
    path: str
    said: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any] | None:
        """Of its body."""
        body = self.said.get("requestBody")
        return body["content"]["application/json"]["schema"] if body is not None else None

    @property
    def is_open(self) -> bool:
        """To anybody."""
        return bool(self.said.get("security") == [])

    @property
    def roles(self) -> set[str]:
        """Who may, at least of themselves."""
        return {*self.said.get("x-roles", ()), *self.said.get("x-own", ())}

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


OPERATIONS: Final = [
    Operation(method.upper(), path, {**operations[method], "parameters": operations.get("parameters", ())})
    for path, operations in DOCUMENT["paths"].items()
    for method in ("get", "post", "delete")
    if method in operations
]


@dataclass(frozen=True, repr=False)
class Asked:
    """A request as it goes over the wire."""

    operation: Operation
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    is_plain: bool
    """Whether nothing but the body is unusual: then the gate decides by who asks, and by nothing else."""

    def __repr__(self) -> str:
        return repr(self.wire()[:1000])

    def by(self, headers: Mapping[str, str]) -> "Asked":
        """The same, of who says so of himself."""
        return replace(self, headers=(*self.headers, *headers.items()))

    def wire(self) -> bytes:
        """Its bytes."""
        length = (("Content-Length", str(len(self.body))),) if self.body is not None else ()
        names = {name for name, _ in self.headers}
        lines = [f"{self.operation.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *length)]
        lines += ["Host: 127.0.0.1"] * ("Host" not in names) + ["Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1") + (self.body or b"")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def answer_to(port: int, wire: bytes) -> Answer:
    """What is answered on loopback. Raises OSError or http.client.HTTPException where nothing is."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as asking:
        asking.sendall(wire)
        answer = http.client.HTTPResponse(asking, method=wire.partition(b" ")[0].decode())
        answer.begin()
        return Answer(answer.status, {name.title(): value for name, value in answer.getheaders()}, answer.read())


OF_HTTP: Final = (400, 417)
"""What is answered to headers of no sense, before it is known of which operation they are."""
Words = Mapping[str, Sequence[str]]
"""What means something to who answers, by the names of fields and parameters; ``""``: whatever the name is."""


def requests(words: Words, operations: Sequence[Operation] = OPERATIONS) -> st.SearchStrategy[Asked]:
    """Requests for any operation."""
    return st.sampled_from(operations).flatmap(lambda one: _request(one, words))


@st.composite
def _request(draw: st.DrawFn, operation: Operation, words: Words) -> Asked:
    headers = {"Content-Type": "application/json"} if operation.schema is not None else {}
    body = draw(_body(operation.schema, words)) if operation.schema is not None else None
    odd = draw(st.just([]) | st.just([]) | st.lists(st.sampled_from(ODD_HEADERS), min_size=1, max_size=2))
    headers |= dict(odd)
    if any(name == "Expect" for name, _ in odd) and body is None:
        body = b""
    return Asked(operation, draw(_target(operation, words)), tuple(headers.items()), body, not odd)


@st.composite
def _target(draw: st.DrawFn, operation: Operation, words: Words) -> str:
    path, query = operation.path, dict[str, str]()
    for one in operation.said["parameters"]:
        anything = _anyone(one["name"], words)
        if one["in"] == "path":
            numbers = st.sampled_from(("1", "12", "0", "-1", "9" * 18, "9" * 19, "٣", "1e3"))
            value = draw(numbers if one["schema"]["type"] == "integer" and draw(st.booleans()) else anything)
            path = path.replace(f"{{{one['name']}}}", quote(value, safe="") or "x")
        elif draw(st.booleans()):
            shown = draw(st.one_of(_value(one["schema"], words, one["name"]), anything))
            query[one["name"]] = str(shown)
    if draw(st.integers(0, 9)) == 0:
        query[draw(_anyone("", words))] = draw(_anyone("", words))
    said = urlencode(query, errors="surrogatepass") + draw(st.sampled_from(("", "", "", "", "&&=", "%ff=%fe", "%")))
    return f"{path}?{said}" if said else path


def _anyone(name: str, words: Words) -> st.SearchStrategy[str]:
    """What may stand in that place, mostly something known."""
    known = st.sampled_from((*words.get(name, ()), *words[""])) if name not in words else st.sampled_from(words[name])
    return st.one_of(known, known, known, st.sampled_from((*words[""], *STRANGE)), st.text(max_size=30))


@st.composite
def _body(draw: st.DrawFn, schema: dict[str, Any], words: Words) -> bytes:
    how: str = draw(st.sampled_from(("right", "right", "right", "altered", "altered", "raw", "random")))
    if how == "raw":
        return draw(st.sampled_from(RAW))
    if how == "random":
        return draw(st.binary(max_size=64))
    said: Any = draw(_value(schema, words))
    if how == "altered" and isinstance(said, dict):
        for key in list(said):
            if draw(st.integers(0, 2)) == 0:
                said[key] = draw(_anything(words))
        if draw(st.booleans()) and said:
            del said[draw(st.sampled_from(sorted(said)))]
        if draw(st.integers(0, 3)) == 0:
            said[draw(st.text(max_size=5))] = draw(_anything(words))
    return json.dumps(said, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def _anything(words: Words) -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(STRANGE), st.sampled_from(MOMENTS),
        st.sampled_from(words[""]), st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False),
    )  # fmt: skip
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | _mapping(inner), max_leaves=6)


def _mapping(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=5), inner, max_size=3)


def _value(schema: dict[str, Any], words: Words, name: str = "") -> st.SearchStrategy[Any]:
    """A value that the schema allows, or nearly: what text is in it may be of no known form."""
    if "$ref" in schema:
        return _value(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], words, name)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([_value(one, words, name) for one in schema["anyOf"]])
    return _KINDS[schema["type"]](schema, words, name)


def _text(schema: dict[str, Any], words: Words, name: str) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.sampled_from(MOMENTS) | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
    longest, shortest = schema.get("maxLength", 40), schema.get("minLength", 0)
    known = st.sampled_from(words.get(name, words[""]))
    return st.one_of(
        known,
        known,
        known,
        st.sampled_from([one for one in STRANGE if shortest <= len(one) <= longest]),
        st.text(min_size=shortest, max_size=min(longest, 40)),
        st.just("\N{TELEPHONE RECEIVER}" * longest),
    )


def _object(schema: dict[str, Any], words: Words, _: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = {key: _value(inner, words, key) for key, inner in schema["properties"].items()}
    needed = {key: fields.pop(key) for key in schema.get("required", ())}
    return st.fixed_dictionaries(needed, optional=fields)


_KINDS: Final[Mapping[str, Callable[[dict[str, Any], Words, str], st.SearchStrategy[Any]]]] = {
    "string": _text,
    "object": _object,
    "array": lambda schema, words, name: st.lists(_value(schema["items"], words, name), max_size=4),
    "integer": lambda schema, *_: st.integers(schema.get("minimum"), schema.get("maximum")),
    "number": lambda schema, *_: st.sampled_from([one for one in NUMBERS if one > 0]) | st.floats(1e-9, 1e9),
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


def assert_as_described(asked: Asked, answer: Answer) -> None:
    """The status is one of those that are told of the operation, the body what is told of it, and the headers ours."""
    told = f"{asked}\n{answer}"
    described = asked.operation.said["responses"]
    missing = {name: value for name, value in HEADERS.items() if answer.headers.get(name.title()) != value}
    assert not missing, told
    if not asked.is_plain and answer.status in OF_HTTP:
        return
    assert str(answer.status) in described, f"not told of it: {told}"
    content = described[str(answer.status)].get("content")
    if content is None:
        assert not answer.body, told
        return
    ((kind, body),) = content.items()
    assert answer.headers["Content-Type"].partition(";")[0] == kind, told
    if kind == "application/json":
        said = json.loads(answer.body)
        schema = {**body["schema"], "components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(schema).validate(said)
        assert not re.search(r"Traceback|\.py\b", answer.body.decode()), told
