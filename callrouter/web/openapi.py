"""The OpenAPI 3.1 description of what is served under ``/api/v1``, made from the very types that are served."""

from functools import cache
from typing import Any

import msgspec

import callrouter
from callrouter.web.reload import ReloadReport, ReloadRequest
from callrouter.web.status import StatusDocument
from callrouter.web.switches import SwitchesDocument, SwitchReport, SwitchRequest


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
    kinds = (
        *(StatusDocument, Readiness, Liveness, Fault, ReloadReport, ReloadRequest),
        *(SwitchesDocument, SwitchReport, SwitchRequest),
    )
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    status, readiness, liveness, fault, report, request, switches, switch_report, switch_request = references
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "callrouter",
            "version": callrouter.__version__,
            "description": "State of the call centre, and orders: new rules, switches. Callers' numbers are masked.",
        },
        "paths": {
            "/api/v1/status": _get("Everything in progress", {"200": ("The state of this moment", status)}),
            "/api/v1/reload": {
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": request}}},
                    **_answers(
                        "Take the configuration of the daemon's directory anew: all of it, or nothing",
                        {
                            "200": ("Taken, or as it was", report),
                            "409": ("Refused, and why: nothing has changed", report),
                            "415": ("Not sent as JSON", fault),
                        },
                    ),
                }
            },
            "/api/v1/switches": {
                **_get("How the switches stand", {"200": ("At this moment", switches)}),
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": switch_request}}},
                    **_answers(
                        "Set a switch, from the next call on; one that is on already is renewed",
                        {
                            "200": ("It stands as asked for", switch_report),
                            "400": ("Not understood, and why", fault),
                            "409": ("Refused, and why: nothing has changed", switch_report),
                            "415": ("Not sent as JSON", fault),
                        },
                    ),
                },
            },
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
    return {"get": _answers(summary, answers)}


def _answers(summary: str, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    responses = {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, (text, schema) in answers.items()
    }
    return {"summary": summary, "responses": responses}
