"""Supervisors: from the model to the core's, and what can be seen to be wrong with them."""

from callrouter.config.destinations import check_endpoint
from callrouter.config.references import Context
from callrouter.core.ids import QueueName, SiteName, SupervisorName, TenantName
from callrouter.core.supervisors import HearingMode, SupervisorSpec


def compile_supervisors(context: Context) -> dict[SupervisorName, SupervisorSpec]:
    """Every supervisor; faults go to the context's problems."""
    found: dict[SupervisorName, SupervisorSpec] = {}
    phone_of: dict[tuple[str, str], str] = {}
    for text, spec in context.model.supervisors.items():
        path = ("supervisors", text)
        context.refer("sites", spec.site, (*path, "site"))
        check_endpoint(context, spec.endpoint, (*path, "endpoint"))
        for index, queue in enumerate(spec.queues):
            context.refer("queues", queue, (*path, "queues", index))
        for index, tenant in enumerate(spec.tenants):
            context.refer("tenants", tenant, (*path, "tenants", index))
        other = phone_of.setdefault((spec.site, spec.endpoint), text)
        if other != text:
            context.error((*path, "endpoint"), f'{spec.endpoint} is already the phone of "{other}"', "one phone each")
        found[SupervisorName(text)] = SupervisorSpec(
            SupervisorName(text),
            spec.name,
            SiteName(spec.site),
            spec.endpoint,
            tuple(map(QueueName, spec.queues)),
            tuple(map(TenantName, spec.tenants)),
        )
    return found


def compile_supervision_code(context: Context) -> str:
    """What supervisors dial before a counselor's name; no other code may be what some of those begin with."""
    code = context.model.supervision.code
    if code is None:
        return ""
    codes = context.model.agent_codes
    others = {spec.code: f'the switch "{name}"' for name, spec in context.model.switches.items() if spec.code}
    others |= {
        other: f"agent_codes: {name}" for name, other in (("login", codes.login), ("pause", codes.pause)) if other
    }
    for other, owner in others.items():
        if other.startswith(code):
            is_same = other == code
            message = f"the code {code} is taken by {owner}" if is_same else f"{owner} has {other}, which begins so"
            context.error(("supervision", "code"), message, "choose another")
    return code


def compile_supervision_keys(context: Context) -> dict[str, HearingMode]:
    """What supervisors press; each key means one thing."""
    spec = context.model.supervision
    found: dict[str, HearingMode] = {}
    for mode, key in (
        (HearingMode.LISTEN, spec.listen),
        (HearingMode.WHISPER, spec.whisper),
        (HearingMode.BARGE, spec.barge),
    ):
        other = found.setdefault(key, mode)
        if other is not mode:
            context.error(("supervision", mode.value), f"the key {key} is taken by {other}", "choose another")
    return found
