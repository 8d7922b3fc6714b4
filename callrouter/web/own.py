"""What a counselor sees: himself, his call, and the queues that he serves."""

from msgspec.structs import replace

from callrouter.core.ids import AgentId
from callrouter.core.stats import ExchangeNow
from callrouter.web.status import StatusDocument


def own_status(document: StatusDocument, agent: AgentId) -> StatusDocument:
    """The document without what is others'."""
    himself = tuple(one for one in document.agents if one.agent == agent)
    served = {queue for one in himself for queue in one.queues}
    return replace(
        document,
        agents=himself,
        calls=tuple(call for call in document.calls if agent in (call.agent, *call.also_rings)),
        queues=tuple(queue for queue in document.queues if queue.queue in served),
        trunks=(),
        boxes=(),
        callbacks=(),
        switches=(),
        surges=(),
        live=None,
    )


def is_own_call(now: ExchangeNow, call: str, agent: AgentId) -> bool:
    """Whether an order for ``call``, an id or a counselor, is one for the conversation of that counselor."""
    return call == agent or any(one.call == call and one.agent == agent for one in now.calls)
