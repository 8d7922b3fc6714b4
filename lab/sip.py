"""Just enough of SIP for a phone of the laboratory: messages as text, and digest access (RFC 3261, RFC 2617)."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from lab.errors import LabError

_TAG = re.compile(r";tag=(?P<tag>[^;>\s]+)")
_URI = re.compile(r"<(?P<uri>[^>]+)>")
_PARAMETER = re.compile(r'(?P<name>\w+)="?(?P<value>[^",]+)"?')


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response; header names are in lower case, each with its values in order."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @property
    def method(self) -> str:
        """What is wanted; of a response, what it answers."""
        return self.header("cseq").partition(" ")[2] if self.is_response else self.start.partition(" ")[0]

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        """The number of a response."""
        return int(self.start.split(" ", 2)[1])

    @property
    def branch(self) -> str:
        """Which request it is, or answers."""
        return self.header("via").partition("branch=")[2].partition(";")[0]

    def header(self, name: str) -> str:
        """The first value of a header; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name]


def parse(data: bytes) -> Message:
    """Read one datagram.

    Raises:
        LabError: it is no SIP message.
    """
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    if "SIP/2.0" not in start:
        raise LabError(f"no SIP message: {start!r}")
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Message(start, headers, body)


def render(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    """Write one datagram; the length of the body is added."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def tag_of(value: str) -> str:
    """The tag of a From or To header; empty if it has none yet."""
    found = _TAG.search(value)
    return found["tag"] if found else ""


def uri_of(value: str) -> str:
    """The URI of a From, To or Contact header."""
    found = _URI.search(value)
    return found["uri"] if found else value.partition(";")[0].strip()


def new_branch() -> str:
    """A name for a request that nobody has used."""
    return f"z9hG4bK{secrets.token_hex(8)}"


def authorization(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """What answers a digest challenge (MD5, with or without ``qop=auth``)."""
    wants = {match["name"].lower(): match["value"] for match in _PARAMETER.finditer(challenge)}
    realm, nonce = wants["realm"], wants["nonce"]
    secret, asked = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    head = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5'
    if "opaque" in wants:
        head += f', opaque="{wants["opaque"]}"'
    if "qop" not in wants:
        return f'{head}, response="{_md5(f"{secret}:{nonce}:{asked}")}"'
    own = secrets.token_hex(8)
    response = _md5(f"{secret}:{nonce}:00000001:{own}:auth:{asked}")
    return f'{head}, qop=auth, nc=00000001, cnonce="{own}", response="{response}"'


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
