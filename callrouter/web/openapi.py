"""The OpenAPI 3.1 description of what is served under ``/api/v1``, made from the very types that are served."""

from functools import cache
from typing import Any

import msgspec

import callrouter
from callrouter.web.reload import ReloadReport, ReloadRequest
from callrouter.web.remembered import ForgetReport, ForgetRequest, RememberedReport
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
    kinds = (
        *(StatusDocument, Readiness, Liveness, Fault, ReloadReport, ReloadRequest),
        *(RememberedReport, ForgetReport, ForgetRequest),
    )
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    status, readiness, liveness, fault, report, request, remembered, forgotten, forget = references
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "callrouter",
            "version": callrouter.__version__,
            "description": "State of the call centre, and orders to it. Callers' numbers are masked.",
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
            "/api/v1/remembered": _get(
                "How many callers' choices are remembered",
                {"200": ("So many", remembered), "503": ("None ever are, here", fault)},
            ),
            "/api/v1/remembered/forget": {
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": forget}}},
                    **_answers(
                        "Forget what is remembered of one caller, or of all",
                        {
                            "200": ("How many were forgotten", forgotten),
                            "400": ("Neither or both were named, or it is a number that is never remembered", fault),
                            "415": ("Not sent as JSON", fault),
                        },
                    ),
                }
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
