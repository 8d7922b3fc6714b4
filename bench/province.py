"""The sample's rules, scaled up: a configuration of as many routes as wanted, and the calls that come to it.

Every office has a direct number, every city a tenant, calendars and a queue of its own. Narrow routes come first, as
people write them, so that none takes all calls of a later one.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from callrouter.core.ids import SiteName, TopicName
from callrouter.core.inbound import CallFacts

SAMPLE = Path(__file__).resolve().parent.parent / "config"
SEOUL = ZoneInfo("Asia/Seoul")
TUESDAY = datetime(2026, 11, 24, 9, tzinfo=SEOUL).astimezone(UTC)
CALLS_AN_HOUR = 6000
"""Thirty-odd times what a day of the hotline brings: a minute's calls share what its calendars say."""
TOPICS = ("civil-affairs", "tourism", "welfare", "covid-19", "passport")
KINDS = ("landline", "mobile", "internet", "personal")
LANGUAGES = ("ko", "en")
HOURS = ("day", "night", "lunch")
TRUNKS = 200

_SHARES = (("block", 0.05), ("list", 0.10), ("trunk", 0.10), ("crowd", 0.05), ("caller", 0.20))
"""How much of the routes asks for what; the rest asks for the direct numbers of offices."""

Route = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Province:
    """So many routes, the last of which takes every call."""

    routes: int

    def write(self, folder: Path) -> None:
        """The configuration's files."""
        for name in ("callrouter.yaml", "prompts.yaml", "calendars.yaml"):
            (folder / name).write_text((SAMPLE / name).read_text(encoding="utf-8"), encoding="utf-8")
        sections = yaml.safe_load((SAMPLE / "regions.yaml").read_text(encoding="utf-8"))
        regions = sections["regions"]
        for name, region in regions.items():
            region["tenant"] = name
        sections["tenants"] = {name: {"title": region["title"]} for name, region in regions.items()}
        sections["topics"] = {name: {"title": name} for name in TOPICS}
        _dump(folder / "regions.yaml", sections)
        written = list(self._routes(tuple(regions)))
        lists = {route["when"]["caller_list"] for route in written if "caller_list" in route.get("when", ())}
        _dump(
            folder / "offices.yaml",
            {
                "calendars": {
                    f"{region}-{hours}": _calendar(hours, number)
                    for number, region in enumerate(regions)
                    for hours in HOURS
                },
                "queues": {region: {"title": spec["title"]} for region, spec in regions.items()},
                "agents": {
                    f"a{number}": {
                        "name": region,
                        "site": "gyeongnam",
                        "endpoint": f"PJSIP/{number}",
                        "queues": [region],
                        "tenant": region,
                    }
                    for number, region in enumerate(regions)
                },
                "trunks": {f"office-{number}": {"channels": "4"} for number in range(TRUNKS)},
                "caller_lists": {name: [listed(int(name[5:]))] for name in sorted(lists)},
            },
        )
        _dump(folder / "routes.yaml", {"routes": written})

    def _routes(self, regions: Sequence[str]) -> Iterator[Route]:
        """Every route, narrow ones first."""
        wanted = {kind: int((self.routes - 1) * share) for kind, share in _SHARES}
        wanted = {"office": self.routes - 1 - sum(wanted.values()), **wanted}
        makers = {
            "office": _offices(regions),
            "block": ({"dialed": f"0557{number:03d}*", "caller": "mobile"} for number in itertools.count()),
            "list": ({"caller_list": f"list-{number}"} for number in itertools.count()),
            "trunk": _of_trunks(),
            "crowd": _crowded(regions),
            "caller": _of_callers(regions),
        }
        for kind, count in wanted.items():
            for number, when in enumerate(itertools.islice(makers[kind], count)):
                queue = regions[number % len(regions)]
                steps = [{"announce": "welcome"}, {"queue": queue, "max_wait": "10 min"}, {"announce": "all-busy"}]
                yield {"id": f"{kind}-{number}", "when": when, "do": [*steps, "hangup"]}
        yield {"id": "closed", "do": [{"announce": "closed"}, "hangup"]}

    def calls(self, count: int, seed: int = 120) -> Iterator[tuple[CallFacts, datetime]]:
        """Calls of a working day from nine on, no caller twice, each with its time."""
        chance = random.Random(seed)
        offices = max(1, self.routes // 4)
        for number in range(count):
            facts = CallFacts(
                dialed=_dialed(chance, offices),
                site=SiteName("gyeongnam"),
                caller=_caller(chance, number, self.routes),
                trunk=f"office-{chance.randrange(TRUNKS)}" if chance.random() < 0.3 else "kt",
                topic=TopicName(chance.choice(TOPICS)) if chance.random() < 0.7 else None,
                language=chance.choice(LANGUAGES),
            )
            yield facts, TUESDAY + timedelta(hours=number / CALLS_AN_HOUR % 14)


def office(number: int) -> str:
    """An office's direct number."""
    return f"0552{number // 10000 + 10:02d}{number % 10000:04d}"


def listed(number: int) -> str:
    """The number of a caller who stands in a list."""
    return f"0104{number:07d}"


def _offices(regions: Sequence[str]) -> Iterator[Route]:
    """Two routes for each direct number: in the hours of its city, and else."""
    for number in itertools.count():
        yield {"dialed": office(number), "calendar": f"{regions[number % len(regions)]}-day"}
        yield {"dialed": office(number)}


def _of_trunks() -> Iterator[Route]:
    for hours, topic, number in itertools.product(HOURS, TOPICS, range(TRUNKS)):
        yield {"trunk": f"office-{number}", "topic": topic, "calendar": f"gyeongnam-{hours}"}


def _crowded(regions: Sequence[str]) -> Iterator[Route]:
    """What is done when many wait, but not with those who speak English."""
    for waiting, topic, region in itertools.product(range(10_000, 0, -1), TOPICS, regions):
        yield {
            "tenant": region,
            "topic": topic,
            "queue": {"name": region, "waiting": f">= {waiting}"},
            "not": {"language": "en"},
        }


def _of_callers(regions: Sequence[str]) -> Iterator[Route]:
    for kind, hours, language, topic, region in itertools.product(KINDS, HOURS, LANGUAGES, TOPICS, regions):
        yield {"region": region, "topic": topic, "caller": kind, "language": language, "calendar": f"{region}-{hours}"}


def _calendar(hours: str, number: int) -> dict[str, Any]:
    minute = number % 30
    if hours == "lunch":
        return {"open": f"mon-fri 12:{minute:02d}-13:{minute:02d}"}
    start, end = ("09", "18") if hours == "day" else ("18", "22")
    return {"open": f"mon-fri {start}:{minute:02d}-{end}:{minute:02d}", "closed_on": "public"}


def _dialed(chance: random.Random, offices: int) -> str:
    draw = chance.random()
    if draw < 0.65:
        return chance.choice(("120", "055120", "055-120"))
    return office(chance.randrange(offices)) if draw < 0.95 else f"0557{chance.randrange(1000):03d}{1000:04d}"


def _caller(chance: random.Random, number: int, routes: int) -> str:
    """A number that was not there before; one in a hundred is from abroad."""
    draw = chance.random()
    if draw < 0.55:
        return f"010{50000000 + number}"
    if draw < 0.90:
        return f"+8255{chance.randrange(220, 990)}{number % 10000:04d}"
    if draw < 0.94:
        return f"070{70000000 + number}"
    if draw < 0.96:
        return listed(chance.randrange(max(1, routes // 10)))
    return f"+1212{2000000 + number}" if draw < 0.97 else "anonymous"


def _dump(path: Path, sections: object) -> None:
    text = yaml.dump(sections, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
