"""The OpenAPI 3.1 description of what is served under ``/api/v1``, made from the very types that are served."""

from functools import cache
from typing import Any

import msgspec

import callrouter
from callrouter.web.status import StatusDocument


class Readiness(msgspec.Struct, frozen=True):
    """Whether calls are taken: ``hindrances`` are why not, ``remarks`` what else is amiss."""

    ready: bool
    hindrances: tuple[str, ...]
    remarks: tuple[str, ...]


class Liveness(msgspec.Struct, frozen=True):
    """Whether the daemon is alive."""

    alive: bool


class Fault(msgspec.Struct, frozen=True):
    """Why a request was not answered."""

    error: str


@cache
def openapi() -> bytes:
    """The document, as JSON."""
    kinds = (StatusDocument, Readiness, Liveness, Fault)
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    status, readiness, liveness, _ = references
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "callrouter",
            "version": callrouter.__version__,
            "description": "State of the call centre, for reading only. Callers' numbers are masked.",
        },
        "paths": {
            "/api/v1/status": _get("Everything in progress", {"200": ("The state of this moment", status)}),
            "/healthz": _get(
                "Is the daemon alive?",
                {"200": ("It is", liveness), "503": ("The dispatcher does not run: restart it", liveness)},
            ),
            "/readyz": _get(
                "Are calls taken?", {"200": ("They are", readiness), "503": ("They are not, and why", readiness)}
            ),
        },
        "components": {"schemas": schemas},
    }
    return msgspec.json.encode(document)


def _get(summary: str, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    responses = {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, (text, schema) in answers.items()
    }
    return {"get": {"summary": summary, "responses": responses}}
