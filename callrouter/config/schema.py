"""JSON Schema of the YAML files, for editors that complete and check while one types.

It is made from the models that ``check`` uses. Values are texts there, but an editor sees what YAML makes of them: 201
is a number to it and ``true`` a boolean. So the schema says of each kind of text which of YAML's types it may be.
It is never stricter than ``check``; of names that refer to others it knows nothing, of rules between keys little.
"""

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from callrouter.config.account_model import AccountFile
from callrouter.config.case_model import CaseFile
from callrouter.config.model import LimitsSection, Model, Section
from callrouter.config.schema_kinds import BETWEEN_KEYS, KIND, KINDS, PARSERS, SHORT_FORMS, Schema
from callrouter.core.rulebook import Limits

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> Schema:
    """Of every file that holds sections: any of them may hold any."""
    schema = Model.model_json_schema(schema_generator=_Generator)
    definitions = schema["$defs"]
    # What is missing in this file may stand in another, for sections and for the keys of those that are no lists.
    schema.pop("required", None)
    for name, info in Model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            definitions[kind.__name__].pop("required", None)
        if not info.is_required():
            schema["properties"][name] = _or_null(schema["properties"][name])
    return _headed("callrouter: configuration", schema)


def cases_schema() -> Schema:
    """Of ``routes-test.yaml``."""
    return _headed("callrouter: golden cases", CaseFile.model_json_schema(schema_generator=_Generator))


def accounts_schema() -> Schema:
    """Of ``accounts.yaml``."""
    return _headed("callrouter: accounts", AccountFile.model_json_schema(schema_generator=_Generator))


def section_schema(section: str) -> Schema:
    """Of what stands below ``section:``. Raises KeyError if there is no such section."""
    whole = _schema_with(section)
    value = whole["properties"][section]
    needed: Schema = {}
    waiting = [value]
    while waiting:
        for name in re.findall(r"#/\$defs/([\w-]+)", str(waiting.pop())):
            if name not in needed:
                needed[name] = whole["$defs"][name]
                waiting.append(needed[name])
    return _headed(f"callrouter: {section}", {**value, "$defs": needed})


def _schema_with(section: str) -> Schema:
    if section in CaseFile.model_fields:
        return cases_schema()
    return accounts_schema() if section in AccountFile.model_fields else config_schema()


def sections() -> tuple[str, ...]:
    """Every section that has a schema."""
    return (*Model.model_fields, *CaseFile.model_fields, *AccountFile.model_fields)


def _headed(title: str, schema: Schema) -> Schema:
    used: dict[str, Schema] = {}
    body = _linked(schema, used)
    definitions = {**body.pop("$defs", {}), **used}
    for definition in definitions.values():
        definition.pop("title", None)
    return {"$schema": _DIALECT, "title": title, **body, **({"$defs": definitions} if definitions else {})}


def _linked(part: Any, used: dict[str, Schema]) -> Any:
    """``part`` with links to the kinds of scalars; ``used`` takes their definitions."""
    if isinstance(part, list):
        return [_linked(item, used) for item in part]
    if not isinstance(part, dict):
        return part
    linked = {key: _linked(value, used) for key, value in part.items() if key != KIND}
    if KIND not in part:
        return linked
    used[part[KIND]] = KINDS[part[KIND]]
    return {"$ref": f"#/$defs/{part[KIND]}", **linked}


class _Generator(GenerateJsonSchema):
    """pydantic's generator, told what our parsers take, and with the docstrings of the fields."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """The schema of what a parser takes, not of what it gives."""
        function: Any = schema["function"]["function"]
        if function in PARSERS:
            return dict(PARSERS[function])
        inner = self.generate_inner(schema["schema"])
        if function in SHORT_FORMS:
            return SHORT_FORMS[function](inner)
        if schema["schema"]["type"] == "enum":
            return inner
        raise TypeError(f"the schema does not know what {function.__qualname__} takes; say it in schema_kinds.PARSERS")

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """With the texts from the source, and without pydantic's titles."""
        cls: type[BaseModel] = schema["cls"]
        result = super().model_schema(schema)
        result.pop("title", None)
        result["description"] = _markdown(inspect.getdoc(cls) or "")
        texts = _docstrings(inspect.getmodule(cls)).get(cls.__name__, {})
        names = {info.alias or name: name for name, info in cls.model_fields.items()}
        for key, value in result["properties"].items():
            kind = KINDS.get(value.get(KIND) or _nullable_kind(value), {}).get("description", "")
            text = " ".join(part for part in (texts.get(names[key], ""), kind) if part)
            if text:
                value["description"] = text
            if cls is LimitsSection:
                value["default"] = _LIMITS[key]
        return result | BETWEEN_KEYS.get(cls.__name__, {})

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """The values alone."""
        return {"enum": [member.value for member in schema["members"]]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys are texts in JSON, whatever they look like."""
        keys = self.generate_inner(schema["keys_schema"])
        return {
            "type": "object",
            "propertyNames": {"pattern": KINDS[keys[KIND]]["pattern"]},
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A key with nothing after it is as good as left out."""
        return _or_null(self.generate_inner(schema["schema"]))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Only defaults that say something: no empty ones, and none of whole sections."""
        result = super().default_schema(schema)
        if result.get("default") in (None, [], {}) or isinstance(result["default"], dict):
            result.pop("default", None)
        return result

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Keys speak for themselves."""
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Keep the order of the model."""
        return value


_LIMITS = {field.name.removesuffix("_s"): field.default for field in fields(Limits)}


def _or_null(schema: Schema) -> Schema:
    """``schema``, or nothing at all."""
    inner: Schema = dict(schema)
    outside: Schema = {}
    for key in ("description", "default"):
        if key in inner:
            outside[key] = inner.pop(key)
    parts = inner.pop("anyOf") if [*inner] == ["anyOf"] else [inner]
    return {**outside, "anyOf": [*parts, {"type": "null"}]}


def _nullable_kind(schema: Schema) -> str:
    """The kind of scalar that may be left empty here; empty if it is none."""
    parts = schema.get("anyOf", [])
    return str(parts[0].get(KIND, "")) if len(parts) == 2 and parts[1] == {"type": "null"} else ""


@cache
def _docstrings(module: ModuleType | None) -> Mapping[str, Mapping[str, str]]:
    """Class to field to the text that stands below the field in the source; nothing where there is no source."""
    texts: dict[str, dict[str, str]] = {}
    try:
        source = inspect.getsource(module) if module is not None else ""
    except OSError:
        return texts
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            found = texts.setdefault(node.name, {})
            for field, below in zip(node.body, node.body[1:], strict=False):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = _markdown(inspect.cleandoc(text))
    return texts


def _markdown(text: str) -> str:
    """From the markup of docstrings to the one that editors show; in one paragraph."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text.replace("``", "`"))
    return " ".join(text.split())
