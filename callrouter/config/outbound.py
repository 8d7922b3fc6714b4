"""What may go out: from the model to the core's, and what is wrong with it."""

from callrouter.config import model
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.ids import TenantName, TrunkName
from callrouter.core.outbound import NumberClass, written_in
from callrouter.core.outbound_spec import OutboundLimit, OutboundRules


def compile_outbound(context: Context) -> OutboundRules:
    """The rules; faults go to the context's problems."""
    spec = context.model.outbound
    if spec.max_hops == 0:
        context.error(("outbound", "max_hops"), "no call would be taken", "write 1 or more")
    for name, limit in spec.limits.items():
        _check(context, name, limit)
    numbers = {name: one.number or written_in(one.endpoint or "") for name, one in context.model.destinations.items()}
    return OutboundRules(spec.max_hops, tuple(_limit(name, one) for name, one in spec.limits.items()), numbers)


def _limit(name: str, spec: model.OutboundLimit) -> OutboundLimit:
    return OutboundLimit(
        name,
        spec.bounds,
        frozenset(map(TenantName, spec.tenants)),
        frozenset(map(TrunkName, spec.trunks)),
        frozenset(spec.kinds),
        spec.together,
        spec.warn_at,
    )


def _check(context: Context, name: str, limit: model.OutboundLimit) -> None:
    path: Path = ("outbound", "limits", name)
    for section in ("tenants", "trunks"):
        for index, written in enumerate(getattr(limit, section)):
            context.refer(section, written, (*path, section, index))
    for bound in limit.bounds:
        if bound.most == 0:
            message = f"{bound.name} of 0 forbids every such call"
            context.error((*path, bound.name), message, "write 1 or more, or take the kind out of outbound: allow:")
    if not 1 <= limit.warn_at <= 100:
        context.error((*path, "warn_at"), f"{limit.warn_at} percent are never reached", "write 1 to 100")
    if set(limit.kinds) == {NumberClass.EMERGENCY}:
        context.error((*path, "kinds"), "emergency calls are never kept back", "take the limit out")
