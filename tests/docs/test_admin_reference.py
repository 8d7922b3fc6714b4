"""The reference for admins names every key that the model takes, each with the default it has, and no other."""

import dataclasses
import re
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from callrouter.config import account_model, case_model, model
from callrouter.core.rulebook import Limits
from tests.docs.markdown import ROOT, rows, sections

REFERENCE = sections(ROOT / "docs" / "admin.md")

TABLES: dict[str, type[model.Section]] = {
    "`service:`": model.Service,
    "`sites:`": model.Site,
    "`web:`": model.Web,
    "`agi:`": model.Agi,
    "`dial_in:`": model.DialIn,
    "`state:`": model.State,
    "`database:`": model.Database,
    "`logging:`": model.Logging,
    "`reload:`": model.Reload,
    "`standby:`": model.Standby,
    "`limits:`": model.LimitsSection,
    "`tenants:`": model.Tenant,
    "`topics:`": model.Topic,
    "`numbering:`": model.Numbering,
    "`regions:`": model.Region,
    "`holidays:`": model.Holidays,
    "`calendars:`": model.Calendar,
    "`queues:`": model.Queue,
    "Service level: `service_level:`": model.ServiceLevel,
    "Length of conversations: `length:`": model.TalkLength,
    "Recording of conversations: `recording:`": model.Recording,
    "What who waits is told: `announce:`": model.QueueAnnounce,
    "When many call: `surge:`": model.QueueSurge,
    "Calling back: `call_back:`": model.QueueCallBack,
    "Skills: `skills:`": model.Wish,
    "Easing: `relax:`": model.Relaxation,
    "`agents:`": model.Agent,
    "`agent_codes:`": model.AgentCodes,
    "`supervisors:`": model.Supervisor,
    "`supervision:`": model.SupervisionKeys,
    "`call_keys:`": model.CallKeys,
    "`trunks:`": model.Trunk,
    "Members: `members:`": model.TrunkMember,
    "Shares: `shares:`": model.TrunkShare,
    "`outbound:`": model.Outbound,
    "Limits of calls that go out: `limits:`": model.OutboundLimit,
    "`destinations:`": model.Destination,
    "`transfers:`": model.Transfers,
    "`prompts:`": model.Prompt,
    "`switches:`": model.Switch,
    "`voicemail:`": model.Box,
    "`callbacks:`": model.Callbacks,
    "`surge:`": model.Surge,
    "`routes:`": model.Route,
    "`plans:`": model.Plan,
    "Conditions: `when:`": model.When,
    "Queues in conditions: `queue:`": model.QueueWhen,
    "Steps: `do:`": model.Step,
    "Answers: `keys:`": model.Choice,
    "`accounts:`": account_model.AccountSpec,
    "Golden cases: `cases:`": case_model.CaseSpec,
    "Expectations: `expect:`": case_model.Expectation,
}
LIMITS = {field.name.removesuffix("_s"): field.default for field in dataclasses.fields(Limits)}


def keys(kind: type[model.Section]) -> dict[str, FieldInfo]:
    """The keys as they are written in YAML."""
    return {info.alias or name: info for name, info in kind.model_fields.items()}


def written(cell: str, info: FieldInfo) -> Any:
    """What a default in the table means to the model."""
    annotated: Any = Annotated
    kind: Any = annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    values = re.findall(r"`([^`]*)`", cell)
    is_list = isinstance(info.get_default(call_default_factory=True), list)
    return TypeAdapter(kind).validate_python(values if is_list else values[0])


def test_every_section_has_its_heading() -> None:
    named = {re.sub(r"^.*`(\w+):`$", r"\1", heading) for heading in REFERENCE if heading.endswith(":`")}
    assert set(model.Model.model_fields) <= named
    parts = {"accounts", "when", "do", "queue", "keys", "cases", "expect", "service_level"}
    parts |= {"length", "recording", "announce", "skills", "relax", "members", "shares", "call_back"}
    assert named - set(model.Model.model_fields) == parts


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_in_its_table_and_no_other(heading: str) -> None:
    assert [row[0].strip("`") for row in rows(REFERENCE[heading])] == list(keys(TABLES[heading]))


@pytest.mark.parametrize("heading", TABLES)
def test_every_default_is_the_one_that_holds(heading: str) -> None:
    known = keys(TABLES[heading])
    for key, _, cell, _ in rows(REFERENCE[heading]):
        info = known[key.strip("`")]
        default = info.get_default(call_default_factory=True)
        if TABLES[heading] is model.LimitsSection:
            default = LIMITS[key.strip("`")]
        if info.is_required():
            assert cell == "required", key
        elif default is None:
            assert cell == "–", key
        elif default in ([], {}):
            assert cell == "none", key
        else:
            assert written(cell, info) == default, f"{key}: {cell} is not {default}"


def test_the_default_time_zone_is_said() -> None:
    assert f"`{model.Model.model_fields['timezone'].default}` if it is left out" in REFERENCE["`timezone:`"]
