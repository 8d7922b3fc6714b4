"""The SQL of ``queries.sql``, by name."""

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (?P<name>\w+)\n", re.MULTILINE)


@cache
def named() -> dict[str, str]:
    """Every query of ``queries.sql``: what follows its ``-- name: …`` line, up to the next."""
    text = resources.files("callrouter.store").joinpath("queries.sql").read_text("utf-8")
    _, *pieces = _NAME.split(text)
    return {name: body.strip() for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def query(name: str) -> str:
    """The query of that name. A name that is not there is a defect: KeyError."""
    return named()[name]
