"""What the scalars of the YAML files may look like to an editor, and the short forms and rules between keys."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from callrouter.config import account_model, case_model, model, scalars
from callrouter.config.model import section
from callrouter.core import remembering

Schema = dict[str, Any]


def _pattern(text: str) -> str:
    """``text`` without blanks, and with letters in either case, as JSON Schema knows no flags."""
    return re.sub(r"<(\w+)>", lambda word: "".join(f"[{c}{c.upper()}]" for c in word[1]), text.replace(" ", ""))


_CLOCK = "[0-2][0-9]:[0-5][0-9]"
_TIME = "([01]?[0-9]|2[0-3]):[0-5][0-9]"
_HOURS = f"{_TIME}%[-–]%({_TIME}|24:00)"
_DAY = "(<mon>|<tue>|<wed>|<thu>|<fri>|<sat>|<sun>)"
_DAYS = _pattern(rf"(<daily>|{_DAY}(\s*-\s*{_DAY})?(\s*,\s*{_DAY}(\s*-\s*{_DAY})?)*)")
_OF_THE_MONTH = _pattern(rf"([1-5](<st>|<nd>|<rd>|<th>)|<last>)(\s*,\s*([1-5](<st>|<nd>|<rd>|<th>)|<last>))*\s+{_DAY}")
_PART = _pattern(r"[0-9]+(\.[0-9]+)?\s*(<ms>|<sec>|<min>|<s>|<m>|<h>|<d>)")
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

KIND = "x-kind"
"""Marks a kind of scalar until it becomes a link."""

KINDS: Mapping[str, Schema] = {
    "text": {"type": ["string", "number", "boolean"], "pattern": r"\S"},
    "name": {"type": ["string", "integer", "boolean"], "pattern": "^[A-Za-z0-9_-]+$"},
    "reference": {
        "description": "A name, or $parameter of the plan in which it stands.",
        "type": ["string", "integer", "boolean"],
        "pattern": r"^\$?[A-Za-z0-9_-]+$",
    },
    "key": {"description": "A key of a telephone.", "type": ["string", "integer"], "pattern": "^[0-9*#]$"},
    "comparison": {
        "description": "A comparison: < 1, >= 10, > 5 min.",
        "type": "string",
        "pattern": r"^\s*(<|<=|>|>=|=)\s*[0-9].*$",
    },
    "steps": {"type": "array", "items": {"anyOf": [{"const": "hangup"}, {"$ref": "#/$defs/Step"}]}},
    "duration": {
        "description": "A duration: seconds, or numbers with ms, s, min, h or d (20s, 2 min, 1 min 30 s).",
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": int(scalars.MAX_DURATION_S),
        "pattern": rf"^\s*([0-9]+(\.[0-9]+)?|{_PART}(\s*{_PART})*)\s*$",
    },
    "retention": {
        "description": "How long: from 1h to 365d.",
        "type": ["number", "string"],
        "minimum": remembering.LEAST_S,
        "maximum": remembering.MOST_S,
        "pattern": rf"^\s*([0-9]+(\.[0-9]+)?|{_PART}(\s*{_PART})*)\s*$",
    },
    "lifetime": {
        "description": "How long: from 1 min to 7d.",
        "type": ["number", "string"],
        "minimum": int(section.LEAST_LIFETIME_S),
        "maximum": int(section.MOST_LIFETIME_S),
        "pattern": rf"^\s*([0-9]+(\.[0-9]+)?|{_PART}(\s*{_PART})*)\s*$",
    },
    "rate": {
        "description": f"How many a second: 1 to {section.MOST_RATE}.",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": section.MOST_RATE,
        "pattern": "^[0-9]+$",
    },
    "password-hash": {
        "description": "A hashed password, as callrouter account hash prints it.",
        "type": "string",
        "pattern": r"^\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$",
    },
    "token-digest": {
        "description": "A hashed token, as callrouter account token prints it.",
        "type": "string",
        "pattern": "^sha256:[0-9a-f]{64}$",
    },
    "flag": {
        "description": "true or false.",
        "type": ["boolean", "string"],
        "pattern": _pattern(r"^\s*(<true>|<yes>|<false>|<no>)\s*$"),
    },
    "whole-number": {
        "description": "A whole number.",
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 999_999_999,
        "pattern": r"^\s*[0-9]{1,9}\s*$",
    },
    "percent": {
        "description": "A share in percent, 1 to 100.",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 100,
        "pattern": "^([1-9][0-9]?|100)$",
    },
    "times": {
        "description": "How many times as many: a number, such as 1.5.",
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": 999.999,
        "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?$",
    },
    "weight": {
        "description": "A weight, 1 or more.",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 999_999_999,
        "pattern": r"^\s*[0-9]*[1-9][0-9]*\s*$",
    },
    "level": {
        "description": "The level of a skill, 1 to 10.",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 10,
        "pattern": "^([1-9]|10)$",
    },
    "lower-level": {
        "description": "A lower level of a skill; 0: not needed any more.",
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 9,
        "pattern": "^[0-9]$",
    },
    "date": {"description": "A date: 2026-12-25.", "type": "string", "pattern": rf"^\s*{_DATE}\s*$"},
    "moment": {
        "description": "A time: 2026-11-24T19:30.",
        "type": "string",
        "pattern": rf"^\s*{_DATE}[T ]{_CLOCK}(:[0-5][0-9])?(Z|[+-]{_CLOCK})?\s*$",
    },
    "window": {
        "description": "Days and hours: mon-fri 09:00-18:00, sat,sun 10:00-14:00, 2nd sat 09:00-13:00.",
        "type": "string",
        "pattern": rf"^\s*({_DAYS}|{_OF_THE_MONTH})\s+{_HOURS.replace('%', '')}\s*$",
    },
    "closed-on": {
        "description": "A set of holidays, or days of the month: 2nd sat, last fri.",
        "type": ["string", "number", "boolean"],
        "pattern": rf"^\s*(\S+|{_OF_THE_MONTH})\s*$",
    },
    "other-hours": {
        "description": "Hours such as 09:00-13:00, or closed, or usual.",
        "type": "string",
        "pattern": rf"^\s*({_HOURS.replace('%', ' *')}|closed|usual)\s*$",
    },
    "port": {
        "description": "A TCP port; 0: any free one.",
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 65535,
        "pattern": "^[0-9]+$",
    },
    "switch": {
        "description": "yes or no.",
        "type": ["string", "boolean"],
        "pattern": "^(yes|no|true|false|on|off)$",
    },
    "network": {
        "description": "A network: 192.0.2.0/24.",
        "type": "string",
        "pattern": "^[0-9A-Fa-f:.]+(/[0-9.]+)?$",
    },
    "address": {
        "description": "An address: http://127.0.0.1:8088.",
        "type": "string",
        "pattern": "^https?://[^@]+$",
    },
    "host-and-port": {
        "description": "Host and port: 10.0.0.1:4570, or [fd00::1]:4570.",
        "type": "string",
        "pattern": r"^([^\[\]:/@ ]+|\[[^\[\]]+\]):[0-9]{1,5}$",
    },
    "media": {
        "description": "What Asterisk plays: sound:…, tone:… and the like.",
        "type": "string",
        "pattern": rf"^({'|'.join(model.MEDIA_SCHEMES)}):.*\S",
    },
    "endpoint": {
        "description": "What Asterisk dials: PJSIP/201.",
        "type": "string",
        "pattern": r"^[A-Za-z0-9@:.;=+*#_~%\[\]-]+/[A-Za-z0-9/@:.;=+*#_~%\[\]-]+$",
    },
    "code": {
        "description": "What a phone dials: *21.",
        "type": "string",
        "pattern": r"^\*[0-9]{2,3}$",
    },
    "pin": {
        "description": "A hashed PIN, as callrouter agent pin prints it.",
        "type": "string",
        "pattern": r"^scrypt:[0-9a-f]{32}:[0-9a-f]{64}$",
    },
    "call-code": {
        "description": "What is pressed during a call: *7.",
        "type": "string",
        "pattern": r"^\*[0-9]{1,3}$",
    },
}
"""What scalars may look like. A pattern holds only for what YAML takes for a text."""


def _kind(name: str) -> Schema:
    return {KIND: name}


PARSERS: Mapping[Callable[..., Any], Schema] = {
    scalars._written: _kind("text"),
    scalars.parse_duration: _kind("duration"),
    scalars.parse_long_duration: _kind("duration"),
    scalars.parse_retention: _kind("retention"),
    scalars.parse_flag: _kind("flag"),
    scalars.parse_whole: _kind("whole-number"),
    scalars.parse_date: _kind("date"),
    case_model.parse_moment: _kind("moment"),
    scalars.parse_window: _kind("window"),
    scalars.parse_closed_on: _kind("closed-on"),
    model.parse_holiday: _kind("text"),
    scalars.parse_count: _kind("comparison"),
    scalars.parse_wait: _kind("comparison"),
    model.parse_name: _kind("name"),
    model.parse_reference: _kind("reference"),
    model.parse_key: _kind("key"),
    model.parse_port: _kind("port"),
    model.parse_lifetime: _kind("lifetime"),
    model.parse_rate: _kind("rate"),
    account_model.parse_password: _kind("password-hash"),
    account_model.parse_token: _kind("token-digest"),
    model.parse_yes_no: _kind("switch"),
    model.parse_network: _kind("network"),
    model.parse_url: _kind("address"),
    model.parse_host_and_port: _kind("host-and-port"),
    model.parse_media: _kind("media"),
    model.parse_endpoint: _kind("endpoint"),
    model.parse_code: _kind("code"),
    model.parse_pin: _kind("pin"),
    model.parse_call_code: _kind("call-code"),
    model.parse_percent: _kind("percent"),
    model.parse_factor: _kind("times"),
    model.parse_level: _kind("level"),
    model.parse_lower_level: _kind("lower-level"),
    model.parse_weight: _kind("weight"),
    model.parse_exception: {
        "anyOf": [_kind("other-hours"), {"type": "array", "items": _kind("other-hours"), "minItems": 1}],
    },
}
"""What each parser of texts takes."""

SHORT_FORMS: Mapping[Callable[..., Any], Callable[[Schema], Schema]] = {
    scalars.one_or_many: lambda many: {"anyOf": [many["items"], many]},
    model.as_plan: lambda plan: {"anyOf": [_kind("steps"), plan]},
    model.as_use: lambda use: {"anyOf": [_kind("steps"), _kind("reference"), use]},
    model.as_choice: lambda choice: {"anyOf": [{"const": "next"}, _kind("steps"), _kind("reference"), choice]},
    model.as_prompt: lambda prompt: {"anyOf": [_kind("text"), prompt]},
    model.dates_apart: lambda holidays: holidays,
    model.as_step: lambda step: {"anyOf": [{"const": "hangup"}, step]},
}
"""What may be written instead of the full form, which is given."""


def _written(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


BETWEEN_KEYS: Mapping[str, Schema] = {
    "AccountSpec": {"anyOf": [_written("password"), _written("tokens")]},
    "Site": {"oneOf": [_written("password_env"), _written("password_file")]},
    "Route": {"oneOf": [_written("do"), _written("plan")]},
    "When": {"minProperties": 1},
    "Step": {"minProperties": 1},
    "Expectation": {"minProperties": 1},
}
"""Rules between the keys of a model that an editor can say well."""
