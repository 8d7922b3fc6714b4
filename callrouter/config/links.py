"""Trunks between sites, from the model to the core's: the ways from each site to others."""

from callrouter.config import model
from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.ids import SiteName, TrunkName
from callrouter.core.rulebook import Link

Links = dict[tuple[SiteName, SiteName], tuple[Link, ...]]


def compile_links(context: Context) -> Links:
    """The ways from each site to each other, in the order in which they are written; faults go to the problems."""
    links: Links = {}
    for name, spec in context.model.trunks.items():
        path: Path = ("trunks", name, "between")
        known = [context.refer("sites", site, (*path, site)) for site in spec.between]
        if not spec.between or not all(known):
            continue
        if len(spec.between) != 2:
            there = ", ".join(spec.between)
            context.error(path, f"a trunk leads from one site to one other, and this one joins {there}", "write two")
            continue
        _check_alone(context, name, spec)
        (one, there), (other, back) = spec.between.items()
        for origin, to, endpoint, peer in ((one, other, there, back), (other, one, back, there)):
            pair = (SiteName(origin), SiteName(to))
            links[pair] = (*links.get(pair, ()), Link(TrunkName(name), endpoint, peer))
    return links


def _check_alone(context: Context, name: str, spec: model.Trunk) -> None:
    """What is for lines to elsewhere. ``shares`` and the like: who waits for a counselor waits at one of two sites."""
    if spec.endpoints:
        remedy = "take endpoints: out, or make it a trunk group of its own"
        context.error(("trunks", name, "endpoints"), "the endpoints of a trunk between sites stand in between:", remedy)
    for key in ("shares", "reserve", "overflow"):
        if getattr(spec, key):
            message = f"a trunk between sites has no {key}:"
            context.error(("trunks", name, key), message, f"take {key}: out", key=True)
