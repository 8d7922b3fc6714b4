"""Trunk groups: from the model to the core's, and what is wrong with them."""

import re
from collections.abc import Iterator, Mapping

from callrouter.config import model
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.ids import SiteName, TenantName, TrunkName
from callrouter.core.trunk_spec import MemberSpec, NumberForm, Share, TrunkSpec

_ENDPOINT = re.compile("[A-Za-z0-9._-]+")
"""It becomes part of a dial string."""
_AREA = re.compile("0[1-9][0-9]{0,2}", re.ASCII)


def compile_trunks(context: Context) -> Mapping[TrunkName, TrunkSpec]:
    """The groups; faults go to the context's problems."""
    found = {TrunkName(name): trunk_spec(name, spec) for name, spec in context.model.trunks.items()}
    for name, spec in context.model.trunks.items():
        _check_size(context, name, spec)
        _check_shares(context, name, spec, found[TrunkName(name)].channels)
        _check_overflow(context, name, spec)
        _check_form(context, name, spec)
    _check_endpoints(context)
    return found


def endpoints_of(name: str, spec: model.Trunk) -> list[str]:
    """The PJSIP endpoints that calls of a trunk group go out and come in by."""
    return [member.endpoint for member in trunk_spec(name, spec).parts]


def trunk_spec(name: str, spec: model.Trunk) -> TrunkSpec:
    """A group as the core knows it."""
    return TrunkSpec(
        TrunkName(name),
        sum(member.channels for member in spec.members) if spec.channels is None else spec.channels,
        tuple(_members(spec)),
        spec.select,
        {TenantName(tenant): Share(share.guarantee, share.ceiling) for tenant, share in spec.shares.items()},
        spec.reserve,
        TrunkName(spec.overflow) if spec.overflow is not None else None,
        spec.failures,
        spec.title or "",
        spec.format,
        spec.area or "",
        spec.caller_id or "",
        bool(spec.between),
    )


def _members(spec: model.Trunk) -> Iterator[MemberSpec]:
    """The short form stands for endpoints that could carry all of the group each; so can either end of one between."""
    for site, endpoint in spec.between.items():
        yield MemberSpec(endpoint, spec.channels or 0, SiteName(site))
    for endpoint in spec.endpoints:
        yield MemberSpec(endpoint, spec.channels or 0)
    for one in spec.members:
        yield MemberSpec(
            one.endpoint,
            one.channels,
            SiteName(one.site) if one.site is not None else None,
            one.per_second,
            one.weight,
        )


def _check_size(context: Context, name: str, spec: model.Trunk) -> None:
    if spec.channels == 0:
        context.error(("trunks", name, "channels"), f'the trunk "{name}" carries no call', "write 1 or more")
    if spec.failures == 0:
        context.error(("trunks", name, "failures"), "no call has failed after 0 failures", "write 1 or more")
    for index, member in enumerate(spec.members):
        path: Path = ("trunks", name, "members", index)
        for key, what in (
            ("channels", f'"{member.endpoint}" carries no call'),
            ("per_second", f'no call may ever be begun over "{member.endpoint}"'),
            ("weight", "a weight of 0 takes no calls"),
        ):
            if getattr(member, key) == 0:
                context.error((*path, key), what, "write 1 or more")
        if member.site is not None:
            context.refer("sites", member.site, (*path, "site"))
        elif len(context.names("sites")) > 1:
            message = f'it is not said at which site "{member.endpoint}" is'
            remedy = f"write site: with one of {', '.join(sorted(context.names('sites')))}"
            context.error((*path, "endpoint"), message, remedy)


def _check_shares(context: Context, name: str, spec: model.Trunk, channels: int) -> None:
    for tenant, share in spec.shares.items():
        path: Path = ("trunks", name, "shares", tenant)
        context.refer("tenants", tenant, path, key=True)
        if share.ceiling is not None and share.ceiling < share.guarantee:
            message = f'"{tenant}" is guaranteed {share.guarantee}, and never gets more than {share.ceiling}'
            context.error((*path, "ceiling"), message, f"write {share.guarantee} or more")
        elif share.ceiling == 0:
            context.error((*path, "ceiling"), f'"{tenant}" never gets a channel', "write 1 or more")
    promised = sum(share.guarantee for share in spec.shares.values())
    if promised + spec.reserve > channels > 0:
        key = "shares" if spec.shares else "reserve"
        message = (
            f'the trunk "{name}" has {channels} channels, and {promised + spec.reserve} are promised'
            f" (guarantees {promised}, reserve {spec.reserve})"
        )
        context.error(("trunks", name, key), message, f"promise {channels} or fewer", key=True)


def _check_overflow(context: Context, name: str, spec: model.Trunk) -> None:
    path: Path = ("trunks", name, "overflow")
    if spec.overflow is None or not context.refer("trunks", spec.overflow, path):
        return
    if context.model.trunks[spec.overflow].between:
        message = f'"{spec.overflow}" leads to another site of ours, and nowhere else'
        context.error(path, message, "name a trunk that leads where this one does")
        return
    trunks, next_one, passed = context.model.trunks, spec.overflow, {name}
    while next_one in trunks and next_one not in passed:
        passed.add(next_one)
        following = trunks[next_one].overflow
        if following is None:
            return
        next_one = following
    if next_one == name:
        context.error(path, f'calls of "{name}" would overflow in a circle', "take one overflow: of the circle out")


def _check_form(context: Context, name: str, spec: model.Trunk) -> None:
    if spec.format is NumberForm.LOCAL and spec.area is None:
        message = f'what is local to the trunk "{name}" is not known'
        context.error(("trunks", name, "format"), message, 'write area: with its area code, such as "055"')
    elif spec.area is not None and _AREA.fullmatch(spec.area) is None:
        context.error(("trunks", name, "area"), f'"{spec.area}" is no area code', 'write it as "055"')


def _check_endpoints(context: Context) -> None:
    """What carries calls of two groups, or is there twice, would be counted for each."""
    known: list[tuple[str, str | None, str]] = []
    for name, spec in context.model.trunks.items():
        for path, site, endpoint in _places(name, spec):
            if _ENDPOINT.fullmatch(endpoint) is None:
                message = f'"{endpoint}" is not the name of a PJSIP endpoint'
                context.error(path, message, "use ASCII letters, digits, -, _ and .", key=len(path) == 2)
            other = next((one for one, at, there in known if there == endpoint and _meet(site, at)), None)
            if other is not None:
                message = f'"{endpoint}" carries calls of the trunk "{other}" already'
                context.error(path, message, "take it out of one of the two", key=len(path) == 2)
            known.append((name, site, endpoint))


def _places(name: str, spec: model.Trunk) -> Iterator[tuple[Path, str | None, str]]:
    """Where each endpoint of a group is written, its site and its name."""
    if not spec.members and not spec.endpoints and not spec.between:
        yield ("trunks", name), None, name
    for at, endpoint in spec.between.items():
        yield ("trunks", name, "between", at), at, endpoint
    for index, endpoint in enumerate(spec.endpoints):
        yield ("trunks", name, "endpoints", index), None, endpoint
    for index, member in enumerate(spec.members):
        yield ("trunks", name, "members", index, "endpoint"), member.site, member.endpoint


def _meet(one: str | None, other: str | None) -> bool:
    """Whether two sites are the same, or one stands for all."""
    return one is None or other is None or one == other
