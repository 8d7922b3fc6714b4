"""From the tree to the model: every fault that pydantic finds, said in our words at the place where it stands.

What is faulty is then left out and the rest taken, so that faults between the parts (unknown names and the like) come
to light in the same run.
"""

import types
import typing
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from callrouter.config.model import DATES, Model
from callrouter.config.nodes import Tree
from callrouter.config.problems import Path, Place, Problems, nearest
from callrouter.config.source import Document


@dataclass(slots=True)
class Checked:
    """The sound part of the configuration."""

    model: Model | None
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Section to the names written in it, the faulty ones too: they are known, whatever else is wrong."""
    damaged: frozenset[str] = frozenset()
    """Sections of which something was left out; nothing should be concluded from what is missing there."""
    route_indexes: tuple[int, ...] = ()
    """Where the routes of the model stand in the list as written."""


def validate(document: Document, problems: Problems) -> Checked:
    """Check every section against :class:`Model`; faults go to ``problems``."""
    tree: dict[str, Tree] = {
        name: section for name, section in document.sections.items() if not (section is None and _optional(name))
    }
    names = {name: frozenset(section) for name, section in tree.items() if isinstance(section, dict)}
    routes = tree.get("routes")
    indexes = list(range(len(routes))) if isinstance(routes, list) else []
    damaged: set[str] = set()
    for _ in range(3):
        try:
            return Checked(Model.model_validate(tree), names, frozenset(damaged), tuple(indexes))
        except ValidationError as error:
            details = error.errors(include_url=False)
        paths = [_path(detail, indexes) for detail in details]
        if not damaged:
            _report(document, details, paths, problems)
        tree, indexes = _without_faulty(tree, paths, indexes)
        damaged |= {str(path[0]) for path in paths}
    return Checked(None, names, frozenset(damaged), tuple(indexes))


def _optional(section: str) -> bool:
    """An optional section with nothing in it (``trunks:``) is as good as left out."""
    info = Model.model_fields.get(section)
    return info is not None and not info.is_required()


def _path(detail: ErrorDetails, route_indexes: list[int]) -> Path:
    """pydantic's location as a path in the tree as written."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    if len(path) > 1 and path[0] == "routes" and isinstance(path[1], int):
        return ("routes", route_indexes[path[1]], *path[2:])
    # The dates of a set stand next to its other keys.
    return (*path[:2], *path[3:]) if path[0] == "holidays" and path[2:3] == (DATES,) else path


def _without_faulty(
    tree: Mapping[str, Tree], paths: list[Path], indexes: list[int]
) -> tuple[dict[str, Tree], list[int]]:
    """The tree without the entries that the paths lead into."""
    slim = {name: copy(section) for name, section in tree.items()}
    bad_routes = {path[1] for path in paths if path[0] == "routes" and len(path) > 1}
    for path in paths:
        section = slim.get(str(path[0]))
        if path[0] == "routes" and isinstance(section, list) and len(path) > 1:
            continue
        if isinstance(section, dict) and len(path) > 1:
            section.pop(str(path[1]), None)
        else:
            slim.pop(str(path[0]), None)
    routes = slim.get("routes")
    if bad_routes and isinstance(routes, list):
        kept = [(index, route) for index, route in zip(indexes, routes, strict=True) if index not in bad_routes]
        slim["routes"], indexes = [route for _, route in kept], [index for index, _ in kept]
    for name, info in Model.model_fields.items():
        if info.is_required() and name not in slim:
            slim[name] = _EMPTY.get(name, {})
    return slim, indexes


_EMPTY: dict[str, Tree] = {"routes": [], "numbering": {"default_region": "-"}}
"""What stands in for required sections that are missing or unusable, so that the others can be checked."""


def report(document: Document, error: ValidationError, root: type[BaseModel], problems: Problems) -> list[Path]:
    """Note what pydantic found in a document that ``root`` describes; returns the paths of the findings."""
    details = error.errors(include_url=False)
    paths = [_path(detail, []) for detail in details]
    _report(document, details, paths, problems, root)
    return paths


def _report(
    document: Document,
    details: list[ErrorDetails],
    paths: list[Path],
    problems: Problems,
    root: type[BaseModel] = Model,
) -> None:
    for detail, path in zip(details, paths, strict=True):
        if document.incomplete and len(path) == 1 and detail["type"] == "missing":
            continue
        at_key = "[key]" in detail["loc"] or detail["type"] == "extra_forbidden"
        place = document.place(path, key=at_key)
        message, remedy = _say(detail, path, root)
        if len(path) == 1 and detail["type"] == "missing":
            place = Place(_HOME.get(str(path[0]), document.home))
        problems.error(place, message, remedy)


_HOME = {
    "tenants": "regions.yaml",
    "numbering": "regions.yaml",
    "regions": "regions.yaml",
    "calendars": "calendars.yaml",
    "queues": "queues.yaml",
    "agents": "agents.yaml",
    "prompts": "prompts.yaml",
    "routes": "routes.yaml",
}
"""The file where a missing section is looked for first."""


def _say(detail: ErrorDetails, path: Path, root: type[BaseModel]) -> tuple[str, str]:
    """pydantic's finding as message and remedy."""
    key = str(path[-1])
    where = f' in "{path[-2]}"' if len(path) > 1 and isinstance(path[-2], str) else ""
    written = detail["input"]
    match detail["type"]:
        case "value_error":
            message, _, remedy = str(detail["ctx"]["error"]).partition("; ")
            return message, remedy
        case "extra_forbidden" if key == "password":
            return "a password stands in the configuration", "take it out; write password_env or password_file"
        case "extra_forbidden":
            what = "section" if len(path) == 1 else "key"
            return f'unknown {what} "{key}"{where}', nearest(key, _keys_at(root, path[:-1]))
        case "missing":
            what = "section" if len(path) == 1 else "key"
            return f'the {what} "{key}" is missing{where}', "write it"
        case "literal_error":
            return f'"{written}" is not known here', f"write one of: {detail['ctx']['expected']}".replace("'", "")
        case "list_type":
            return f'"{key}"{where} is not a list', "write its entries with - before each"
        case "model_type" | "dict_type":
            return f'"{key}"{where} is not a mapping', "write key: value lines below it"
        case "too_short":
            return f'"{key}"{where} is empty', "write at least one entry"
        case "string_type":
            return f'"{key}"{where} is not a text', "write a single text"
        case _:
            return f'"{key}"{where}: {detail["msg"]}', "mend it"


def _keys_at(root: type[BaseModel], path: Path) -> list[str]:
    """The keys that may stand at ``path`` in what ``root`` describes."""
    kind: Any = root
    for part in path:
        kind = _inside(kind, part)
    kind = _unwrapped(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [info.alias or name for name, info in kind.model_fields.items()]
    return []


def _inside(kind: Any, part: str | int) -> Any:
    """The type of what ``part`` leads to in ``kind``."""
    kind = _unwrapped(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {info.alias or name: name for name, info in kind.model_fields.items()}
        # Looked up as hints, so that a model may refer to itself.
        return typing.get_type_hints(kind, include_extras=True).get(fields.get(str(part), ""), None)
    arguments = get_args(kind)
    return arguments[-1] if get_origin(kind) in (dict, list) else None


def _unwrapped(kind: Any) -> Any:
    """``kind`` without Annotated and without ``| None``."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (types.UnionType, typing.Union):
            kind = next(argument for argument in get_args(kind) if argument is not type(None))
        else:
            return kind
