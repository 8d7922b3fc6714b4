"""A small configuration with routes of a test's own, and the plans that come of them."""

import shutil
from pathlib import Path

from callrouter.config.load import Loaded
from callrouter.core.plan import Plan
from callrouter.core.routing import Ruleset

BASE = Path(__file__).parents[1] / "bad_config" / "base"
ENVIRONMENT = {"TEST_PASSWORD": "x"}


def base_with(routes: str, folder: Path) -> Path:
    """The base configuration in ``folder``, with these routes (and whatever else is written with them)."""
    shutil.copytree(BASE, folder)
    (folder / "routes.yaml").write_text(routes, encoding="utf-8")
    return folder


def plan_of(loaded: Loaded, rule: str) -> Plan:
    """The plan of the only route of that id."""
    router = loaded.rulebook.router
    assert isinstance(router, Ruleset)
    (found,) = [route.plan for route in router.routes if route.rule == rule]
    return found
