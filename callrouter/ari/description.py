"""Compare our operations and events with the description that an Asterisk serves of itself.

``GET /ari/api-docs/resources.json`` lists documents such as ``channels.json``; each holds operations (method, path,
parameters, ``since``) and models (Swagger 1.1). What ari-py built its client from at run time is here a check: the
code stays typed, and a version that changed something is found before a caller finds it.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import inspect

from callrouter.ari import snapshots, wire
from callrouter.ari.operations import OPERATIONS, Operation

DOCUMENTS: Final = (
    "applications",
    "asterisk",
    "bridges",
    "channels",
    "deviceStates",
    "endpoints",
    "events",
    "playbacks",
    "recordings",
)
"""Names of the documents that :func:`check` needs, each at ``/ari/api-docs/<name>.json``."""

Description = Mapping[str, Mapping[str, Any]]
"""The parsed documents by name."""

_MODELS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "Channel": snapshots.Channel,
    "CallerID": snapshots.CallerId,
    "DialplanCEP": snapshots.Dialplan,
    "Bridge": snapshots.Bridge,
    "Playback": snapshots.Playback,
    "LiveRecording": snapshots.LiveRecording,
    "Application": snapshots.Application,
    "Endpoint": snapshots.Endpoint,
    "AsteriskInfo": snapshots.AsteriskInfo,
    "SystemInfo": snapshots.SystemInfo,
    "StatusInfo": snapshots.StatusInfo,
    "BuildInfo": snapshots.BuildInfo,
    "ConfigInfo": snapshots.ConfigInfo,
    "AsteriskPing": snapshots.AsteriskPing,
    "Variable": snapshots.Variable,
    "RESTResponse": wire.RESTResponse,
    "ReferTo": wire.ReferTo,
    "ReferredBy": wire.ReferredBy,
    "RequiredDestination": wire.RequiredDestination,
    **{event.__name__: event for event in wire.EVENT_TYPES},
}

_BASES: Final = ("Message", "Event")
"""Models whose fields all events have too."""

_ALWAYS_SENT: Final = {("AsteriskInfo", "system"), ("AsteriskInfo", "status")}
"""Optional in the description, because ``only`` can leave them out; we ask without it."""

_KINDS: Final[Mapping[type[inspect.Type], str]] = {
    inspect.StrType: "string",
    inspect.IntType: "int",
    inspect.BoolType: "boolean",
    inspect.DateTimeType: "Date",
    inspect.DictType: "object",
}


def check(description: Description) -> tuple[str, ...]:
    """Everything in which the description and our code disagree, one line each; empty when all is well."""
    return (
        *(f"no document {name}.json; ask Asterisk for it" for name in DOCUMENTS if name not in description),
        *_check_operations(description),
        *_check_models(description),
    )


def _check_operations(description: Description) -> Iterator[str]:
    served = {
        (operation["httpMethod"], api["path"].lstrip("/")): operation
        for document in description.values()
        for api in document.get("apis", ())
        for operation in api.get("operations", ())
    }
    for ours in OPERATIONS:
        theirs = served.get((ours.method.value, ours.path))
        if theirs is None:
            yield f"{ours.method} {ours.path}: Asterisk has no such operation; ours is named {ours.name!r}"
        else:
            yield from _check_operation(ours, theirs)


def _check_operation(ours: Operation, theirs: Mapping[str, Any]) -> Iterator[str]:
    where = f"{ours.method} {ours.path}"
    parameters = {parameter["name"]: parameter for parameter in theirs.get("parameters", ())}
    query = {name: p for name, p in parameters.items() if p["paramType"] == "query"}
    if theirs["nickname"] != ours.name:
        yield f"{where}: is named {theirs['nickname']!r}, ours {ours.name!r}"
    for name in (*ours.required, *ours.optional):
        if name not in query:
            yield f"{where}: has no query parameter {name!r}"
    for name, parameter in query.items():
        if parameter.get("required") and name not in ours.required:
            yield f"{where}: requires the query parameter {name!r}, ours does not"
        if not parameter.get("required") and name in ours.required:
            yield f"{where}: does not require the query parameter {name!r}, ours does"
    takes_body = any(parameter["paramType"] == "body" for parameter in parameters.values())
    if ours.body and not takes_body:
        yield f"{where}: takes no body, ours sends one"
    if "since" in theirs and set(theirs["since"]) != set(ours.since):
        yield f"{where}: since {', '.join(theirs['since'])}, ours says {', '.join(ours.since)}"


def _check_models(description: Description) -> Iterator[str]:
    models: dict[str, Mapping[str, Any]] = {}
    for document in description.values():
        models.update(document.get("models", {}))
    inherited = {
        name: field
        for base in _BASES
        for name, field in models.get(base, {}).get("properties", {}).items()
        if name != "type"
    }
    for name, kind in _MODELS.items():
        if name not in models:
            yield f"model {name}: Asterisk has no such model"
            continue
        properties = models[name]["properties"]
        if kind in wire.EVENT_TYPES:
            properties = properties | inherited
        yield from _check_model(name, kind, properties)


def _check_model(model: str, kind: type[msgspec.Struct], properties: Mapping[str, Any]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        theirs = properties.get(field.encode_name)
        where = f"model {model}.{field.encode_name}"
        if theirs is None:
            yield f"{where}: Asterisk has no such field"
            continue
        if field.required and not theirs.get("required") and (model, field.name) not in _ALWAYS_SENT:
            yield f"{where}: is optional in Asterisk, ours requires it"
        accepted = _kinds(inspect.type_info(field.type))
        if theirs["type"].replace("long", "int") not in accepted:
            yield f"{where}: is {theirs['type']}, ours reads {' or '.join(sorted(accepted))}"
        yield from _check_words(where, field.type, theirs)


def _check_words(where: str, kind: Any, theirs: Mapping[str, Any]) -> Iterator[str]:
    """Words of a closed set that our enum does not have; such a word would be read as unknown."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        ours = {word.value for word in kind}
        for word in theirs.get("allowableValues", {}).get("values", ()):
            if word not in ours:
                yield f"{where}: can be {word!r}, which ours does not know"


def _kinds(ours: inspect.Type) -> set[str]:
    """The description's names for what one of our fields accepts."""
    if isinstance(ours, inspect.UnionType):
        return set().union(*(_kinds(member) for member in ours.types))
    if isinstance(ours, inspect.VarTupleType | inspect.ListType):
        return {f"List[{kind}]" for kind in _kinds(ours.item_type)}
    if isinstance(ours, inspect.EnumType):
        return {"string"}
    if isinstance(ours, inspect.StructType):
        names = {name for name, kind in _MODELS.items() if kind is ours.cls}
        return names or {"object"}
    name = _KINDS.get(type(ours))
    return {name} if name else set()
