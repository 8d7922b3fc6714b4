"""The schema for editors takes what ``check`` takes, refuses what can be seen to be wrong, and is shipped as it is."""

import copy
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, BeforeValidator

from callrouter.config import case_model, model, scalars
from callrouter.config.account_model import AccountFile
from callrouter.config.case_model import CaseFile
from callrouter.config.model import Model
from callrouter.config.nodes import parse
from callrouter.config.problems import Problems
from callrouter.config.schema import _Generator, accounts_schema, cases_schema, config_schema, section_schema, sections
from callrouter.config.schema_files import ACCOUNTS_SCHEMA, CASES_SCHEMA, CONFIG_SCHEMA, rendered
from callrouter.config.schema_kinds import KINDS
from callrouter.config.source import ACCOUNT_FILES, CASE_FILES

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config"
BAD = ROOT / "tests" / "bad_config"
GOOD_FILES = sorted([*SAMPLE.glob("*.yaml"), *(BAD / "base").glob("*.yaml")])

SCHEMAS = {"config": config_schema(), "cases": cases_schema(), "accounts": accounts_schema()}

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def faults(value: object, file: str) -> list[str]:
    """What an editor would underline."""
    schema = SCHEMAS["cases" if file in CASE_FILES else "accounts" if file in ACCOUNT_FILES else "config"]
    found = Draft202012Validator(schema).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def as_editors_see(text: str) -> Any:
    """The file by the core schema of YAML 1.2, which the YAML language server goes by."""

    def value(node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {key.value: value(inner) for key, inner in node.value if isinstance(key, yaml.ScalarNode)}
        if not isinstance(node, yaml.ScalarNode):
            return [value(item) for item in node.value]
        written = node.value
        if node.style:  # quoted
            return written
        if written in {"", "~", "null"}:
            return None
        if _INTEGER.fullmatch(written):
            return int(written, 10 if written[:2] not in {"0o", "0x"} else 0)
        if _FLOAT.fullmatch(written):
            return float(written)
        return _BOOLEANS.get(written, written)

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return value(node) if node is not None else {}


def by_yaml_1_1(text: str) -> Any:
    """The file as PyYAML's loader takes it: 010 is 8, ``no`` is false, dates are dates; keys are texts in JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.isoformat() if isinstance(value, date | datetime) else value

    return plain(yaml.safe_load(text)) or {}


class TestGoodFiles:
    @pytest.mark.parametrize("path", GOOD_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
    @pytest.mark.parametrize("read", [as_editors_see, by_yaml_1_1])
    def test_are_taken(self, path: Path, read: Callable[[str], Any]) -> None:
        assert faults(read(path.read_text(encoding="utf-8")), path.name) == []

    def test_are_taken_with_every_natural_way_to_write_a_value(self) -> None:
        text = """
service: {title: 120, fallback_context: yes, drain: 1.5 h}
sites: {1: {title: true, password_file: secret}}
web: {port: 8080, host: 0.0.0.0}
agi: {port: "4573", allow: [10.0.0.0/8]}
reload: {on_save: true}
limits: {max_calls: 2000, connect: 5, announcement: 1 MIN 30 s, dead_man: 0.5, clearing: ,
  calls_per_second: 50, behind: 1s, when_full: busy}
tenants: {2: {title: 2}}
topics:
numbering: {table: null}
regions: {r: {title: 3.5, tenant: 2, prefixes: 05521, dialed: [055120, "+8255120"], trunks: t}}
timezone: Asia/Seoul
holidays: {h: {2026-12-25: 1225}, k: {country: KR, language: ko, until: 2027-12-31, 2026-12-25: 성탄절, 2027-01-01: no}}
calendars:
  day: {open: MON-fri 9:00-18:00, closed_on: [h], exceptions: {2026-12-31: 09:00 - 13:00, 2027-01-02: [closed]}}
  night: {open: [daily 18:00-24:00, "sat , sun 00:00–09:00"], exceptions: {2026-12-31: [01:00-02:00, 03:00-04:00]}}
  any: {union: day, except: [night]}
  city: {like: day, open: [2nd sat 9:00-13:00, "1st, 3rd SUN 09:00-13:00"], closed: daily 12:00-13:00}
  town: {like: city, closed_on: [k, last fri], exceptions: {2026-12-31: usual}}
queues: {main: {title: 1, sound: ringback, ring_timeout: 20, wrap_up: 500ms,
  short_abandon: 3, service_level: {target: 80}}}
agents: {201: {name: 201, site: 1, endpoint: PJSIP/201, queues: main, tenant: 2, trunk: , wrap_up: 10 sec}}
trunks: {t: {channels: 30, endpoints: pstn}}
prompts: {welcome: 119, closed: {text: true, media: tone:ring}}
plans:
  wait: [announce: welcome, {queue: main, max_wait: 60}, hangup]
  ask:
    parameters: [what]
    do:
      - menu: $what
        keys: {1: next, 2: wait, "#": [hangup], 0: {topic: passport, plan: wait}}
        default: {do: [{route: again}]}
        timeout: 5
        tries: 2
      - {if: {queue: {name: main, waiting: ">= 10", longest_wait: "> 5 min"}}, then: wait, else: [hangup]}
      - hangup
routes:
  - {id: 1, when: {dialed: 120, caller: [mobile, foreign], not: {region: r}}, plan: wait}
  - {id: 2, when: {dialed: [0559*], calendar: day}, do: [hangup: ]}
  - {id: last, when: , do: [{dialplan: "from-internal,200"}]}
"""
        assert faults(as_editors_see(text), "more.yaml") == []
        Model.model_validate(_as_text(text) | {"numbering": {"default_region": "r"}, "topics": {}})

    def test_may_hold_any_section_and_leave_out_any(self) -> None:
        for section in Model.model_fields:
            value: object = {} if section != "routes" else []
            assert faults({section: "Asia/Seoul" if section == "timezone" else value}, "more.yaml") == []
        assert faults({}, "more.yaml") == []


def _as_text(text: str) -> dict[str, Any]:
    """The file as :mod:`callrouter.config.source` takes it."""
    written = parse("file.yaml", text, Problems())
    assert written is not None
    assert isinstance(written[0], dict)
    return written[0]


VISIBLE = re.compile(
    r"unknown (key|section) "
    r"|the key .* is missing (?!in \"numbering\")"
    r"|is not (a list|a mapping|a text|a name|a duration|an endpoint|a whole number|an HTTP address|a TCP port|a time;)"
    r"|is no host and port"
    r"|is not (a weight|a level|a lower level)"
    r"|is not known here|nothing is written here|nothing is expected here|is empty"
    r"|is not (a date;|hours;|opening hours;)|this is not closed and not hours"
    r"|a password stands in|needs one source of its password|a route does one plan"
    r"|there is no condition here|is no mapping|nothing that Asterisk plays|is not a key|section .cases. is missing"
    r"|is not a code (that phones dial|to press)|this is no hashed PIN"
    r"|is neither yes nor no|holds no user and no password"
)
"""Faults that an editor can see in one file."""

UNREADABLE = re.compile(
    r"is not YAML|nested deeper|written twice|a key must be text|a second document|the tag|the alias"
)
"""Faults of the YAML itself, of which the schema has no say."""


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.name)
def test_of_bad_files_those_are_refused_whose_faults_can_be_seen_in_the_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file = f"{path.name.split('.')[0]}.yaml"
    said = re.findall(rf"^#=> {file}:[0-9:]+ (.*)", text, re.MULTILINE)
    visible = [line for line in said if VISIBLE.search(line)]
    try:
        found = faults(as_editors_see(text), file)
    except yaml.YAMLError:
        assert any(UNREADABLE.search(line) for line in said)
        return
    if any(UNREADABLE.search(line) for line in said):
        return
    assert bool(found) == bool(visible), (found, visible)


class TestUnknownKeys:
    @pytest.mark.parametrize("path", GOOD_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
    def test_are_refused_wherever_they_stand(self, path: Path) -> None:
        good = as_editors_see(path.read_text(encoding="utf-8"))
        tried = 0
        for way in _mappings(good):
            bad = copy.deepcopy(good)
            place = bad
            for step in way:
                place = place[step]
            place["no such key"] = 1
            assert faults(bad, path.name), way
            tried += 1
        assert tried > 1 or good == {"trunks": None}


def _mappings(value: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every mapping within ``value``."""
    if isinstance(value, dict):
        yield way
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from _mappings(inner, (*way, key))


PARSED: dict[str, Callable[[str], object]] = {
    "duration": scalars.parse_duration,
    "retention": scalars.parse_retention,
    "flag": scalars.parse_flag,
    "whole-number": scalars.parse_whole,
    "date": scalars.parse_date,
    "moment": case_model.parse_moment,
    "window": scalars.parse_window,
    "other-hours": scalars.parse_hours,
    "name": model.parse_name,
    "port": model.parse_port,
    "network": model.parse_network,
    "address": model.parse_url,
    "endpoint": model.parse_endpoint,
    "media": model.parse_media,
    "text": scalars._written,
}
PIECES = [
    *("0", "1", "20", "59", "24", "2026", "-", "–", ":", " ", ",", ".", "/", "T", "Z", "+09:00", "a", "x_1", "::"),
    *(
        "ms",
        "s",
        "SEC",
        "min",
        "h",
        "d",
        "True",
        "no",
        "mon",
        "Fri",
        "SUN",
        "daily",
        "09:00",
        "18:00",
        "24:00",
        "9:30",
        "18:00-24:00",
    ),
    *("2026-12-25", "2026-02-30", "10:00-9:00", "http://", "PJSIP/", "10.0.0.0", "192.0.2.0/24", "8080", "65536"),
    *("tone:", "sound:"),
]


@given(st.sampled_from(sorted(PARSED)), st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_the_schema_is_never_stricter_than_the_parser(kind: str, text: str) -> None:
    try:
        PARSED[kind](text)
    except ValueError:
        return
    assert Draft202012Validator(KINDS[kind]).is_valid(text), f"{text!r} is a good {kind}"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            "duration",
            ["20", "20s", "1 Min 30 s", 0, 1.5],
            ["", "20 parsecs", "s", "1 min 30", -1, 99999999, True, None],
        ),
        ("retention", ["180d", "1 H", 86400], ["", "half a year", 3599, 31536001, True, None]),
        ("flag", [True, "yes", "No"], ["", "on", 1, None]),
        ("whole-number", ["30", 30], ["-1", "3.0", "ten", 3.5, -1, True]),
        ("date", ["2026-12-25"], ["2026-13-01", "25.12.2026", "12-25"]),
        ("moment", ["2026-11-24T19:30", "2026-11-24 19:30:15+09:00"], ["2026-11-24", "19:30", "noon"]),
        (
            "window",
            ["mon-fri 09:00-18:00", "sat,sun 9:00-24:00"],
            ["mo-fr 09:00-18:00", "18:00-22:00", "mon 09:00-25:00"],
        ),
        ("other-hours", ["09:00-13:00", "closed"], ["clsoed", "9-18", "24:00-25:00"]),
        ("name", ["night-1", 201, True], ["본청", "a b", "", 1.5]),
        ("port", ["80", 8080], [65536, -1, "http"]),
        ("network", ["10.0.0.0/8", "::1/128"], ["localhost", "10.0.0.0/8,10.1.0.0/16"]),
        ("address", ["http://127.0.0.1:8088"], ["127.0.0.1:8088", "ftp://x"]),
        ("endpoint", ["PJSIP/201@hall"], ["201", "PJSIP/1&PJSIP/2", "PJSIP/"]),
        ("media", ["tone:ring", "sound:a"], ["ring", "sound:", "file:a", "sound: "]),
        ("text", ["x", 120, 1.5, False], ["", " ", None, []]),
    ],
)
def test_each_kind_of_scalar_is_told_from_others(kind: str, good: list[object], bad: list[object]) -> None:
    validator = Draft202012Validator(KINDS[kind])
    assert [value for value in good if not validator.is_valid(value)] == []
    assert [value for value in bad if validator.is_valid(value)] == []


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), *map(section_schema, sections())])
def test_every_schema_is_a_sound_one_that_needs_no_other(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    links = set(re.findall(r"'\$ref': '#/\$defs/([^']+)'", str(schema)))
    assert links <= set(schema.get("$defs", ()))
    assert "x-kind" not in str(schema)
    Draft202012Validator(schema).is_valid({"a": {"b": [1]}})


@pytest.mark.parametrize("root", [Model, CaseFile, AccountFile])
def test_every_key_of_the_models_is_offered_and_no_other(root: type[BaseModel]) -> None:
    schema = SCHEMAS[{Model: "config", CaseFile: "cases", AccountFile: "accounts"}[root]]
    assert [*schema["properties"]] == [*root.model_fields]
    kinds = {cls.__name__: cls for cls in model.Section.__subclasses__()}
    offered = {name: definition["properties"] for name, definition in schema["$defs"].items() if name in kinds}
    assert offered
    for name, properties in offered.items():
        keys = [info.alias or key for key, info in kinds[name].model_fields.items()]
        assert [*properties] == [key for key in keys if key != model.DATES]
        assert ("patternProperties" in schema["$defs"][name]) is (model.DATES in keys)


def test_editors_are_told_what_a_key_means_its_default_and_its_unit() -> None:
    definitions = SCHEMAS["config"]["$defs"]
    drain = definitions["Service"]["properties"]["drain"]
    assert drain["default"] == 600.0
    assert drain["description"] == (
        "How long a stopping daemon waits for calls in progress. "
        "A duration: seconds, or numbers with ms, s, min, h or d (20s, 2 min, 1 min 30 s)."
    )
    assert definitions["LimitsSection"]["properties"]["max_calls"]["default"] == 2000
    assert definitions["Queue"]["properties"]["sound"]["default"] == "music"
    assert definitions["WaitingSound"]["enum"] == ["music", "ringback"]
    assert "default" not in definitions["Region"]["properties"]["prefixes"]


def test_a_parser_that_the_schema_does_not_know_is_no_silent_hole() -> None:
    class Other(BaseModel):
        key: Annotated[int, BeforeValidator(len)]

    with pytest.raises(TypeError, match=r"the schema does not know what len takes; say it in schema_kinds\.PARSERS"):
        Other.model_json_schema(schema_generator=_Generator)


@pytest.mark.parametrize(
    ("name", "schema"),
    [(CONFIG_SCHEMA, config_schema), (CASES_SCHEMA, cases_schema), (ACCOUNTS_SCHEMA, accounts_schema)],
)
def test_the_shipped_schema_is_the_one_of_the_models(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    shipped = (SAMPLE / name).read_text(encoding="utf-8")
    assert shipped == rendered(schema()), "write it anew: callrouter schema --write config"
