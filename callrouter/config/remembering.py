"""Consent that is asked for where no menu has found out what could be remembered."""

from collections.abc import Iterable, Sequence

from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.core.plan import Menu, RouteAgain, Step


def check_consents(context: Context, plans: Iterable[tuple[Sequence[Step], Path]]) -> None:
    """Note every plan that asks whether a region may be remembered, and that no choice of a region leads to.

    ``plans`` are those of the routes: all steps of each, and its place.
    """
    found = [(path, _menus(steps), any(isinstance(step, RouteAgain) for step in steps)) for steps, path in plans]
    comes_again = any(again and _chooses_region(menus) for _, menus, again in found)
    for path, menus, _ in found:
        if any(menu.asks_consent for menu in menus) and not comes_again and not _chooses_region(menus):
            message = "there is nothing to remember: no menu before this lets the caller choose a region with a key"
            context.error(path, message, "ask for the region first, or take remember: out")


def _menus(steps: Iterable[Step]) -> list[Menu]:
    return [step for step in steps if isinstance(step, Menu)]


def _chooses_region(menus: Iterable[Menu]) -> bool:
    return any(choice.region is not None for menu in menus for choice in menu.choices)
