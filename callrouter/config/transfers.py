"""Transfers: whom conversations may be passed on to, and what phones dial for them."""

import re

from callrouter.config.destinations import destination
from callrouter.config.limits import LEAST_RING_S
from callrouter.config.problems import Path, nearest
from callrouter.config.references import Context
from callrouter.config.trunks import trunk_spec
from callrouter.core.ids import DestinationName
from callrouter.core.numbers import parse
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.transfers import Outside, TransferRules

_SHORT = re.compile(r"\*?[0-9]{1,6}", re.ASCII)
_TARGETS = ("agents", "queues", "destinations")


def compile_transfers(context: Context) -> TransferRules:
    """The rules of transfers; faults go to the context's problems."""
    spec = context.model.transfers
    for written, name in spec.short.items():
        _check_short(context, written, name)
    if spec.ring_timeout < LEAST_RING_S:
        message = f"ring_timeout of {spec.ring_timeout:g} s is too little: nobody can answer in that time"
        context.error(("transfers", "ring_timeout"), message, f"write {LEAST_RING_S:g} s or more")
    found = {name: destination(context, name) for name in context.model.destinations}
    return TransferRules(
        short=dict(spec.short),
        destinations={DestinationName(name): one for name, one in found.items() if one is not None},
        outside=_outside(context),
        own=_own_numbers(context),
        music_class=spec.music_class,
    )


def _check_short(context: Context, written: str, name: str) -> None:
    path: Path = ("transfers", "short", written)
    if _SHORT.fullmatch(written) is None:
        message = f'"{written}" cannot be dialled as a short number'
        context.error(path, message, "write up to six digits, or a star and digits", key=True)
        return
    if written in context.names("agents") and written != name:
        context.error(path, f'"{written}" is the agent of that name already', "choose another number", key=True)
    elif classify(written) is NumberClass.EMERGENCY and name not in context.names("destinations"):
        message = f'who dials "{written}" wants the emergency service, and would get "{name}"'
        context.error(path, message, "choose another number, or name a destination", key=True)
    refer_target(context, name, path)


def refer_target(context: Context, name: str, path: Path) -> None:
    """Note a name that nobody has who could be called in."""
    known = frozenset().union(*map(context.names, _TARGETS))
    if name not in known and context.whole(*_TARGETS):
        context.error(path, f'"{name}" is no agent, queue or destination', nearest(name, known))


def _outside(context: Context) -> Outside | None:
    spec = context.model.transfers
    if spec.trunk is None or not context.refer("trunks", spec.trunk, ("transfers", "trunk")):
        return None
    trunk = context.model.trunks[spec.trunk]
    return Outside(
        trunk_spec(spec.trunk, trunk),
        frozenset(context.model.outbound.allow),
        caller_number=trunk.caller_id or "",
        ring_timeout_s=spec.ring_timeout,
    )


def _own_numbers(context: Context) -> frozenset[str]:
    """National numbers that residents call us by."""
    dialed = (number for region in context.model.regions.values() for number in region.dialed)
    return frozenset(parse(number).national for number in dialed)
