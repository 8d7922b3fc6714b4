"""Asking the daemon that runs, over its web server."""

import asyncio
from ipaddress import ip_address
from typing import Final

import aiohttp
import msgspec

from callrouter.config.settings import WebSettings
from callrouter.errors import UnreachableError
from callrouter.web.status import StatusDocument

TIMEOUT_S: Final = 3.0
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_REMEDY: Final = "is it running (systemctl status callrouter)? Another place is named with --url"


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
    place = f"{url.rstrip('/')}/api/v1/status"
    try:
        async with (
            asyncio.timeout(timeout_s),
            aiohttp.ClientSession() as session,
            session.get(place, allow_redirects=False) as answer,
        ):
            status, body = answer.status, await _read(answer)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
        why = f"no answer within {timeout_s:g} s" if isinstance(exc, TimeoutError) else str(exc) or type(exc).__name__
        raise UnreachableError(f"the daemon cannot be reached at {url}: {why}; {_REMEDY}") from exc
    if status != 200:
        raise UnreachableError(f"what answers at {place} says {status}; {_REMEDY}")
    try:
        return msgspec.json.decode(body, type=StatusDocument)
    except msgspec.MsgspecError as exc:
        raise UnreachableError(f"what answers at {place} is not callrouter, or of another version; {_REMEDY}") from exc


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    chunks, length = [], 0
    async for chunk in answer.content.iter_any():
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise ValueError(f"its answer is longer than {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
