"""The operator's guide names the metrics, variables, events, columns and outcomes that there are."""

import inspect
import re
from pathlib import Path

import pytest

from callrouter.agi import route, server
from callrouter.config.daemon import _SECTIONS
from callrouter.core.cdr import Outcome
from callrouter.core.output import NoticeKind
from callrouter.web.metrics import Metrics
from tests.docs.markdown import PAGES, ROOT, rows, sections
from tests.fakes.status import FakeStatus

GUIDE = sections(ROOT / "docs" / "operator.md")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("callrouter", "dialplan", "lab", "config", "bench", "packaging")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".conf", ".yaml", ".service"}
)


def named(chapter: str, pattern: str) -> set[str]:
    """What the first column of a chapter's tables names."""
    return {word for row in rows(GUIDE[chapter]) for word in re.findall(pattern, row[0])}


async def test_every_metric_is_in_the_guide_with_its_labels_and_no_other() -> None:
    text = Metrics(FakeStatus()).exposition("")[0].decode()
    there = set()
    for name, _, labels in re.findall(r"^(callrouter_\w+)(\{(.*)\})? ", text, re.MULTILINE):
        there.add((name, frozenset(re.findall(r'(\w+)="', labels))))
    told = set()
    for name, _, labels in re.findall(
        r"^\| `(callrouter_\w+)(\{(.*)\})?`", GUIDE["Watching: status, health, metrics"], re.MULTILINE
    ):
        told.add((name, frozenset(labels.split(",")) - {""}))
    assert told == there


def test_every_event_in_the_guide_is_logged_somewhere() -> None:
    events = named("Logs", r"`([a-z]+\.[a-z_-]+)`")
    notices = {f"exchange.{kind.value}" for kind in NoticeKind}
    assert notices <= events
    assert [event for event in sorted(events - notices) if f'"{event}"' not in SOURCES] == []


def test_every_outcome_that_can_be_is_in_the_guide() -> None:
    assert named("PostgreSQL", r"`(\w+)`") == {outcome.value for outcome in Outcome}


def test_every_variable_that_fastagi_sets_is_in_the_guide() -> None:
    written = (inspect.getsource(module) for module in (route, server))
    assert named("FastAGI: only asking", r"`(CALLROUTER_\w+)`") == set(
        re.findall(r'"(CALLROUTER_\w+)"', "".join(written))
    )


def test_every_variable_that_fastagi_sets_is_in_the_sample_dialplan() -> None:
    head = (ROOT / "dialplan" / "agi-sample.conf").read_text(encoding="utf-8").partition("\n[")[0]
    assert named("FastAGI: only asking", r"`(CALLROUTER_\w+)`") <= set(re.findall(r"CALLROUTER_[A-Z_]*[A-Z]", head))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_of_the_environment_is_one_that_something_reads(page: Path) -> None:
    overrides = {
        f"CALLROUTER_{section}_{key}".upper() for section, kind in _SECTIONS.items() for key in kind.model_fields
    }
    for variable in set(re.findall(r"\b(?:CALLROUTER|LAB)_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))):
        assert variable in overrides or variable in SOURCES, variable
