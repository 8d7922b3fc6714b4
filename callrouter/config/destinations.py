"""Destinations: whom plans may call outside the queues, and what must not be dialled."""

from callrouter.config.limits import LEAST_RING_S
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.config.trunks import trunk_spec
from callrouter.core.ids import DestinationName, TrunkName
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass, classify, written_in
from callrouter.core.plan import Destination

_WHY = {
    NumberClass.PREMIUM: "a premium-rate number",
    NumberClass.INTERNATIONAL: "a number abroad",
    NumberClass.UNKNOWN: "no number that the numbering plan knows",
    NumberClass.PERSONAL: "a personal number (050), which is forwarded to wherever its owner says",
}


def check_destinations(context: Context) -> None:
    """Note what is wrong with each destination, used or not."""
    for name, spec in context.model.destinations.items():
        path: Path = ("destinations", name)
        if spec.trunk is not None:
            context.refer("trunks", spec.trunk, (*path, "trunk"))
        if spec.ring_timeout < LEAST_RING_S:
            message = f"ring_timeout of {spec.ring_timeout:g} s is too little: nobody can answer in that time"
            context.error((*path, "ring_timeout"), message, f"write {LEAST_RING_S:g} s or more")
        if spec.number is not None:
            _check_number(context, spec.number, (*path, "number"))
        if spec.endpoint is not None:
            check_endpoint(context, spec.endpoint, (*path, "endpoint"))


def check_endpoint(context: Context, endpoint: str, path: Path) -> None:
    """Note a dial string that calls, over a trunk, a number of a kind that must not be called."""
    number = written_in(endpoint)
    if classify(number) is not NumberClass.UNKNOWN:  # else an extension over there
        _check_number(context, number, path)


def destination(context: Context, name: str) -> Destination | None:
    """The core's destination of that name; None if it or its trunk group is not sound."""
    spec = context.model.destinations.get(name)
    if spec is None:
        return None
    trunk = context.model.trunks.get(spec.trunk) if spec.trunk is not None else None
    if spec.endpoint is not None:
        endpoint = spec.endpoint
    elif trunk is not None and spec.trunk is not None and spec.number is not None:
        group = trunk_spec(spec.trunk, trunk)
        endpoint = group.dialled("", group.parts[0].endpoint, spec.number)
    else:
        return None
    return Destination(
        DestinationName(name),
        spec.title,
        endpoint,
        TrunkName(spec.trunk) if spec.trunk is not None else None,
        (trunk.caller_id or "") if trunk is not None else "",
        spec.ring_timeout,
        number=spec.number or "",
        emergency=spec.emergency,
    )


def _check_number(context: Context, written: str, path: Path) -> None:
    kind = classify(written)
    number = parse(written)
    if kind not in context.model.outbound.allow:
        what = _WHY.get(kind, f"a number of the kind {kind.value}")
        allowed = ", ".join(sorted({*context.model.outbound.allow, kind}))
        remedy = (
            "correct it" if kind is NumberClass.UNKNOWN else f"correct it, or write outbound: {{allow: [{allowed}]}}"
        )
        context.error(path, f'"{written}" is {what}, and calls must not go there', remedy)
        return
    for region, spec in context.model.regions.items():
        if any(parse(dialed).national == number.national for dialed in spec.dialed):
            message = f'"{written}" is the number by which "{region}" is called: the call would come back here'
            context.error(path, message, "take the number behind it")
