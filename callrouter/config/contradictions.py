"""Conditions that no call can meet, as far as can be seen from one route."""

from callrouter.config.model import When
from callrouter.config.problems import Path
from callrouter.config.references import Context


def check_conditions(context: Context) -> None:
    """Note every ``when`` and ``not`` whose regions belong to none of its tenants."""
    for index, route in zip(context.checked.route_indexes, context.model.routes, strict=True):
        if route.when is not None:
            _check(context, route.when, ("routes", index, "when"))


def _check(context: Context, when: When, path: Path) -> None:
    regions, tenants = context.model.regions, context.names("tenants")
    if when.region and when.tenant and {*when.region} <= {*regions} and {*when.tenant} <= tenants:
        owners = {regions[name].tenant for name in when.region}
        if owners.isdisjoint(when.tenant):
            written = ", ".join(f'"{name}"' for name in when.region)
            remedy = f"take one of them out, or write: {', '.join(sorted(owners))}"
            context.error((*path, "tenant"), f"no call can be of this tenant and from {written}", remedy)
    if when.unless is not None:
        _check(context, when.unless, (*path, "not"))
