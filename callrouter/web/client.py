"""Asking the daemon that runs, over its web server."""

import asyncio
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from callrouter.config.settings import WebSettings
from callrouter.errors import AccessError, CallrouterError, UnreachableError
from callrouter.web.agents import AgentReport, AgentRequest, AgentsDocument
from callrouter.web.callback import CallbacksDocument
from callrouter.web.calling_back import CallbackOrderRequest, CallbackReport
from callrouter.web.calls import CallReport, CallRequest
from callrouter.web.leading import HandOverReport, HandOverRequest, TakeOverReport, TakeOverRequest
from callrouter.web.openapi import Fault
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingReport
from callrouter.web.reload import ReloadReport, ReloadRequest
from callrouter.web.remembered import ForgetReport, ForgetRequest, RememberedReport
from callrouter.web.status import StatusDocument
from callrouter.web.supervision import SupervisionReport, SupervisionRequest
from callrouter.web.switches import SwitchesDocument, SwitchReport, SwitchRequest

TIMEOUT_S: Final = 3.0
RELOAD_TIMEOUT_S: Final = 60.0
"""Ten thousand rules and their golden cases take a few seconds."""
ORDER_TIMEOUT_S: Final = 12.0
"""The daemon itself says after five seconds that it did not come to it, and after as many that the disk did not."""
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
FILE_TIMEOUT_S: Final = 120.0
"""An hour of speech is 58 MB."""
_NOT_LET: Final = (401, 403, 429)
_REMEDY: Final = "is it running (systemctl status callrouter)? Another place is named with --url"

LOCAL_TOKEN_FILE: Final = "local.token"  # noqa: S105 - a file's name
"""In the daemon's state directory, made anew at each start; who may read it may do everything here."""
TOKEN_ENV: Final = "CALLROUTER_TOKEN"  # noqa: S105 - the variable's name

_Document = TypeVar("_Document")


class LocalUrl(str):
    """Where a daemon of this machine serves, with its state directory: its token is shown to nobody else."""

    state_dir: Path

    def __new__(cls, url: str, state_dir: Path) -> Self:
        """``url`` is as configured, beside ``state_dir``."""
        made = super().__new__(cls, url)
        made.state_dir = state_dir
        return made


def token_for(url: str) -> str | None:
    """What says to the daemon at ``url`` who asks: ``$CALLROUTER_TOKEN``, else that of this machine; None: nothing."""
    if token := os.environ.get(TOKEN_ENV, "").strip():
        return token
    if not isinstance(url, LocalUrl):
        return None
    try:
        return (url.state_dir / LOCAL_TOKEN_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def web_url(web: WebSettings) -> str:
    """The URL at which this machine reaches what listens there."""
    try:
        address = ip_address(web.host)
    except ValueError:
        return f"http://{web.host}:{web.port}"
    if address.is_unspecified:  # all addresses of the machine: its loopback is one of them
        return f"http://{'[::1]' if address.version == 6 else '127.0.0.1'}:{web.port}"
    return f"http://[{address}]:{web.port}" if address.version == 6 else f"http://{address}:{web.port}"


async def fetch_status(url: str, *, timeout_s: float = TIMEOUT_S) -> StatusDocument:
    """The status of the daemon at ``url``.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _get(url, "/api/v1/status", StatusDocument, timeout_s)


async def ask_reload(url: str, request: ReloadRequest, *, timeout_s: float = RELOAD_TIMEOUT_S) -> ReloadReport:
    """Have the daemon at ``url`` take its configuration anew.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _order(url, "/api/v1/reload", request, ReloadReport, timeout_s)


async def ask_hand_over(url: str, request: HandOverRequest, *, timeout_s: float = ORDER_TIMEOUT_S) -> HandOverReport:
    """Have the daemon at ``url`` hand the lead over to one that waits.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _order(url, "/api/v1/hand-over", request, HandOverReport, timeout_s)


async def ask_take_over(url: str, request: TakeOverRequest, *, timeout_s: float = ORDER_TIMEOUT_S) -> TakeOverReport:
    """Have the daemon at ``url`` lead without PostgreSQL's word, the other being dead.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _order(url, "/api/v1/take-over", request, TakeOverReport, timeout_s)


async def fetch_remembered(url: str, *, timeout_s: float = TIMEOUT_S) -> RememberedReport:
    """How many callers' choices the daemon at ``url`` remembers.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _get(url, "/api/v1/remembered", RememberedReport, timeout_s)


async def ask_to_forget(url: str, request: ForgetRequest, *, timeout_s: float = TIMEOUT_S) -> ForgetReport | None:
    """Have the daemon at ``url`` forget one caller or all; None if nothing is ever remembered of such a number.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    place = f"{url.rstrip('/')}/api/v1/remembered/forget"
    status, body = await _exchange(url, "POST", place, timeout_s, msgspec.json.encode(request))
    return None if status == 400 else _decoded(place, status, body, ForgetReport)


async def fetch_agents(url: str, *, timeout_s: float = TIMEOUT_S) -> AgentsDocument:
    """What the counselors of the daemon at ``url`` are doing.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _get(url, "/api/v1/agents", AgentsDocument, timeout_s)


async def ask_agent(url: str, request: AgentRequest, *, timeout_s: float = ORDER_TIMEOUT_S) -> AgentReport:
    """Have the daemon at ``url`` log a counselor in or out, or pause one.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether the
            order was carried out is not known then.
    """
    return await _order(url, "/api/v1/agents", request, AgentReport, timeout_s)


async def ask_call(url: str, request: CallRequest, *, timeout_s: float = ORDER_TIMEOUT_S) -> CallReport:
    """Have the daemon at ``url`` hold a call, pass it on, or call somebody in.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether the
            order was carried out is not known then.
    """
    return await _order(url, "/api/v1/calls", request, CallReport, timeout_s)


async def fetch_callbacks(url: str, *, timeout_s: float = TIMEOUT_S) -> CallbacksDocument:
    """The requests to be called back, as the daemon at ``url`` sees them.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _get(url, "/api/v1/callbacks", CallbacksDocument, timeout_s)


async def ask_callback(
    url: str, request: CallbackOrderRequest, *, timeout_s: float = ORDER_TIMEOUT_S
) -> CallbackReport:
    """Have the daemon at ``url`` call a resident back now, or no more.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether the
            order was carried out is not known then.
    """
    return await _order(url, "/api/v1/callbacks", request, CallbackReport, timeout_s)


async def ask_supervision(
    url: str, call: str, request: SupervisionRequest, *, timeout_s: float = ORDER_TIMEOUT_S
) -> SupervisionReport:
    """Have the daemon at ``url`` let a supervisor hear a call, or no longer.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether the
            order was carried out is not known then.
    """
    path = f"/api/v1/calls/{quote(call, safe='')}/supervision"
    return await _order(url, path, request, SupervisionReport, timeout_s)


async def fetch_recording(
    url: str, number: int, request: FetchRequest, *, timeout_s: float = FILE_TIMEOUT_S
) -> bytes | str:
    """The WAV file of a recorded conversation of the daemon at ``url``; or why there is none to be had.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    place = f"{url.rstrip('/')}/api/v1/recordings/{number}/fetch"
    status, body = await _exchange(url, "POST", place, timeout_s, msgspec.json.encode(request), most=MAX_FILE_BYTES)
    return body if status == 200 else _decoded(place, status, body, Fault, fine=(404, 503)).error


async def ask_to_delete_recording(
    url: str, number: int, request: DeleteRequest, *, timeout_s: float = ORDER_TIMEOUT_S
) -> RecordingReport:
    """Have the daemon at ``url`` delete a recorded conversation.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether it
            was deleted is not known then.
    """
    return await _order(url, f"/api/v1/recordings/{number}/delete", request, RecordingReport, timeout_s)


async def fetch_switches(url: str, *, timeout_s: float = TIMEOUT_S) -> SwitchesDocument:
    """How the switches of the daemon at ``url`` stand.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter.
    """
    return await _get(url, "/api/v1/switches", SwitchesDocument, timeout_s)


async def ask_switch(url: str, request: SwitchRequest, *, timeout_s: float = ORDER_TIMEOUT_S) -> SwitchReport:
    """Have the daemon at ``url`` set a switch.

    Raises:
        UnreachableError: nobody answers there within ``timeout_s``, or something that is not callrouter. Whether the
            switch was set is not known then.
    """
    return await _order(url, "/api/v1/switches", request, SwitchReport, timeout_s)


async def _get(url: str, path: str, kind: type[_Document], timeout_s: float) -> _Document:
    place = f"{url.rstrip('/')}{path}"
    status, body = await _exchange(url, "GET", place, timeout_s)
    return _decoded(place, status, body, kind)


async def _order(url: str, path: str, request: object, kind: type[_Document], timeout_s: float) -> _Document:
    """An order is answered by a report, also when it is refused."""
    place = f"{url.rstrip('/')}{path}"
    status, body = await _exchange(url, "POST", place, timeout_s, msgspec.json.encode(request))
    return _decoded(place, status, body, kind, fine=(200, 409))


async def _exchange(
    url: str, method: str, place: str, timeout_s: float, data: bytes | None = None, *, most: int = MAX_BODY_BYTES
) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} if data is not None else {}
    if token := token_for(url):
        headers["Authorization"] = f"Bearer {token}"
    try:
        async with (
            asyncio.timeout(timeout_s),
            aiohttp.ClientSession() as session,
            session.request(method, place, data=data, headers=headers, allow_redirects=False) as answer,
        ):
            status, body = answer.status, await _read(answer, most)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
        why = f"no answer within {timeout_s:g} s" if isinstance(exc, TimeoutError) else str(exc) or type(exc).__name__
        raise UnreachableError(f"the daemon cannot be reached at {url}: {why}; {_REMEDY}") from exc
    if status in _NOT_LET:
        raise _refusal(place, status, body, has_token="Authorization" in headers)
    return status, body


def _refusal(place: str, status: int, body: bytes, *, has_token: bool) -> CallrouterError:
    try:
        why = msgspec.json.decode(body, type=Fault).error
    except msgspec.MsgspecError:
        return UnreachableError(f"what answers at {place} says {status}; {_REMEDY}")
    if has_token or status != 401:
        return AccessError(f"the daemon says: {why}")
    remedy = f"run this as root or as the daemon's user, who may read {LOCAL_TOKEN_FILE} in its state directory"
    return AccessError(f"the daemon wants to know who asks; {remedy}, or set {TOKEN_ENV}")


def _decoded(
    place: str, status: int, body: bytes, kind: type[_Document], *, fine: tuple[int, ...] = (200,)
) -> _Document:
    if status not in fine:
        raise UnreachableError(f"what answers at {place} says {status}; {_REMEDY}")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as exc:
        raise UnreachableError(f"what answers at {place} is not callrouter, or of another version; {_REMEDY}") from exc


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    chunks, length = [], 0
    async for chunk in answer.content.iter_any():
        length += len(chunk)
        if length > most:
            raise ValueError(f"its answer is longer than {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
