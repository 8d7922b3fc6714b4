"""The counselors' phones, as Asterisk knows them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from callrouter.ari.snapshots import Endpoint
from callrouter.core.rulebook import AgentSpec
from callrouter.doctor.finding import Finding, error, ok, some, warning
from callrouter.errors import AriProtocolError

_NOT_LISTED: Final = frozenset({"LOCAL"})
"""Technologies that are no phones: Asterisk lists none of theirs."""


def technologies(agents: Sequence[AgentSpec]) -> frozenset[str]:
    """Those of the phones: ``PJSIP``, ``IAX2``."""
    return frozenset(_technology(agent) for agent in agents)


def endpoint_of(dialled: str) -> tuple[str, str]:
    """Technology and name of the endpoint in what is dialled.

    ``PJSIP/201`` and ``PJSIP/201/sip:201@host`` are dialled at endpoint 201, ``PJSIP/7201@city`` at endpoint city.
    """
    technology, _, rest = dialled.partition("/")
    name = rest.partition("/")[0]
    return technology.upper(), name.rpartition("@")[2] if "@" in name else name


def check_phones(check: str, agents: Sequence[AgentSpec], endpoints: bytes | str) -> list[Finding]:
    """Whether each counselor's phone exists and is registered; ``endpoints`` is Asterisk's list, as JSON.

    Raises:
        AriProtocolError: it is something else.
    """
    try:
        listed = msgspec.json.decode(endpoints, type=tuple[Endpoint, ...])
    except msgspec.MsgspecError as exc:
        raise AriProtocolError(f"Asterisk's list of endpoints cannot be read: {exc}") from exc
    states = {(endpoint.technology.upper(), endpoint.resource): endpoint.state for endpoint in listed}
    own = [agent for agent in agents if agent.endpoint]
    wanted = {agent.endpoint: endpoint_of(agent.endpoint) for agent in own if _technology(agent) not in _NOT_LISTED}
    missing = [dialled for dialled, key in wanted.items() if key not in states]
    offline = [dialled for dialled, key in wanted.items() if states.get(key) == "offline"]
    found = []
    if missing:
        remedy = "define them in pjsip.conf (or your PBX's pages), or correct endpoint in agents.yaml"
        found.append(error(check, f"Asterisk knows no {some(missing)}", remedy))
    if offline:
        remedy = 'see that the phones are on and have the right password: asterisk -rx "pjsip show endpoints"'
        found.append(warning(check, f"not registered: {some(offline)}", remedy))
    there = len(wanted) - len(missing) - len(offline)
    if there or not wanted:
        found.append(ok(check, f"{there} of {len(agents)} counselors' phones can be called"))
    return found


def _technology(agent: AgentSpec) -> str:
    return agent.endpoint.partition("/")[0].upper()
