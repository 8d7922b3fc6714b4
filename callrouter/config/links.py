"""Trunks between sites, from the model to the core's: the ways from each site to others."""

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
        if spec.endpoints:
            remedy = "take endpoints: out, or make it a trunk group of its own"
            context.error((*path[:2], "endpoints"), "the endpoints of a trunk between sites stand in between:", remedy)
        (one, there), (other, back) = spec.between.items()
        for origin, to, endpoint, peer in ((one, other, there, back), (other, one, back, there)):
            pair = (SiteName(origin), SiteName(to))
            links[pair] = (*links.get(pair, ()), Link(TrunkName(name), endpoint, peer))
    return links
