"""The OpenAPI 3.1 description of what is served under ``/api/v1``, made from the very types that are served."""

from functools import cache
from typing import Any, Final

import msgspec

import callrouter
from callrouter.core.live import Live
from callrouter.web.agents import AgentReport, AgentRequest, AgentsDocument
from callrouter.web.asking import BODY_S, MAX_BODY_BYTES
from callrouter.web.callback import CallbacksDocument
from callrouter.web.calling_back import CallbackOrderRequest, CallbackReport
from callrouter.web.calls import CallReport, CallRequest
from callrouter.web.leading import HandOverReport, HandOverRequest, TakeOverReport, TakeOverRequest
from callrouter.web.login import LoginRequest, SessionDocument
from callrouter.web.numbers import NumberReport, NumberRequest
from callrouter.web.openapi_access import SCHEMES, who_may
from callrouter.web.recordings import DeleteRequest, FetchRequest, RecordingReport, RecordingsDocument
from callrouter.web.reload import ReloadReport, ReloadRequest
from callrouter.web.remembered import ForgetReport, ForgetRequest, RememberedReport
from callrouter.web.status import StatusDocument
from callrouter.web.supervision import SupervisionDocument, SupervisionReport, SupervisionRequest
from callrouter.web.switches import SwitchesDocument, SwitchReport, SwitchRequest
from callrouter.web.trail import MOST_ENTRIES, AuditDocument
from callrouter.web.voicemail import VoicemailDocument


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


_KINDS: Final = (
    StatusDocument,
    Readiness,
    Liveness,
    Fault,
    ReloadReport,
    ReloadRequest,
    VoicemailDocument,
    Live,
    CallbacksDocument,
    RememberedReport,
    ForgetReport,
    ForgetRequest,
    SwitchesDocument,
    SwitchReport,
    SwitchRequest,
    AgentsDocument,
    AgentReport,
    AgentRequest,
    SupervisionDocument,
    SupervisionReport,
    SupervisionRequest,
    CallReport,
    CallRequest,
    RecordingsDocument,
    RecordingReport,
    FetchRequest,
    DeleteRequest,
    CallbackReport,
    CallbackOrderRequest,
    HandOverReport,
    HandOverRequest,
    TakeOverReport,
    TakeOverRequest,
    LoginRequest,
    SessionDocument,
    NumberRequest,
    NumberReport,
    AuditDocument,
)


_NUMBER: Final = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}


_AUDIT_QUERY: Final[dict[str, dict[str, Any]]] = {
    "since": {"type": "string", "format": "date-time"},
    "until": {"type": "string", "format": "date-time"},
    "who": {"type": "string"},
    "name": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ENTRIES, "default": 50},
}


@cache
def openapi() -> bytes:
    """The document, as JSON."""
    references, schemas = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    of = dict(zip(_KINDS, references, strict=True))
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "callrouter",
            "version": callrouter.__version__,
            "description": (
                "State of the call centre, and orders to it. Callers' numbers are masked. Where there are accounts,"
                " x-roles says which of their roles may ask; who may of himself alone is in x-own."
            ),
        },
        "paths": {
            "/api/v1/status": _get("Everything in progress", {"200": ("The state of this moment", of[StatusDocument])}),
            "/api/v1/queues": _get(
                "Figures of this moment and of the day so far, by queue, tenant and topic",
                {"200": ("At this moment", of[Live])},
            ),
            "/api/v1/voicemail": _get(
                "Messages that callers left", {"200": ("As of a few seconds ago", of[VoicemailDocument])}
            ),
            "/api/v1/callbacks": {
                **_get("Requests to be called back", {"200": ("As of a few seconds ago", of[CallbacksDocument])}),
                **_post(
                    "Have a resident called back now who waits for it, or no more",
                    of[CallbackOrderRequest],
                    {
                        "200": ("It is as asked for", of[CallbackReport]),
                        "409": ("Refused, and why: nothing has changed", of[CallbackReport]),
                    },
                ),
            },
            "/api/v1/reload": _post(
                "Take the configuration of the daemon's directory anew: all of it, or nothing",
                of[ReloadRequest],
                {
                    "200": ("Taken, or as it was", of[ReloadReport]),
                    "409": ("Refused, and why: nothing has changed", of[ReloadReport]),
                },
            ),
            "/api/v1/hand-over": _post(
                "Have a daemon that waits lead instead of this one",
                of[HandOverRequest],
                {
                    "200": ("Another leads", of[HandOverReport]),
                    "409": ("Refused, and why: nothing has changed", of[HandOverReport]),
                    "503": ("No other may wait here", of[Fault]),
                },
            ),
            "/api/v1/take-over": _post(
                "Have this daemon lead, the one on the other machine being dead, without PostgreSQL's word",
                of[TakeOverRequest],
                {
                    "200": ("It leads", of[TakeOverReport]),
                    "409": ("Refused, and why: it does not lead", of[TakeOverReport]),
                    "415": ("Not sent as JSON", of[Fault]),
                    "503": ("No other may wait here", of[Fault]),
                },
            ),
            "/api/v1/remembered": _get(
                "How many callers' choices are remembered",
                {"200": ("So many", of[RememberedReport]), "503": ("None ever are, here", of[Fault])},
            ),
            "/api/v1/remembered/forget": _post(
                "Forget what is remembered of one caller, or of all",
                of[ForgetRequest],
                {
                    "200": ("How many were forgotten", of[ForgetReport]),
                    "400": ("Neither or both were named, or it is a number that is never remembered", of[Fault]),
                },
            ),
            "/api/v1/switches": {
                **_get("How the switches stand", {"200": ("At this moment", of[SwitchesDocument])}),
                **_post(
                    "Set a switch, from the next call on; one that is on already is renewed",
                    of[SwitchRequest],
                    {
                        "200": ("It stands as asked for", of[SwitchReport]),
                        "409": ("Refused, and why: nothing has changed", of[SwitchReport]),
                    },
                ),
            },
            "/api/v1/agents": {
                **_get("What the counselors are doing", {"200": ("At this moment", of[AgentsDocument])}),
                **_post(
                    "Log a counselor in or out, of some queues alone, pause one, or end a pause or wrap-up",
                    of[AgentRequest],
                    {
                        "200": ("It is as asked for", of[AgentReport]),
                        "409": ("Refused, and why: nothing has changed", of[AgentReport]),
                    },
                ),
            },
            "/api/v1/calls/{call_id}/supervision": {
                "parameters": [{"name": "call_id", "in": "path", "required": True, "schema": {"type": "string"}}],
                **_get(
                    "Which supervisors hear a call",
                    {"200": ("At this moment", of[SupervisionDocument]), "404": ("There is no such call", of[Fault])},
                ),
                **_post(
                    "Let a supervisor hear a call, whisper to its counselor, barge in, or hear it no longer",
                    of[SupervisionRequest],
                    {
                        "200": ("It is as asked for, or his phone rings", of[SupervisionReport]),
                        "409": ("Refused, and why: nothing has changed", of[SupervisionReport]),
                    },
                ),
            },
            "/api/v1/calls": _post(
                "Hold a conversation, pass it on, or call somebody in",
                of[CallRequest],
                {
                    "200": ("It is being done", of[CallReport]),
                    "409": ("Refused, and why: nothing has changed", of[CallReport]),
                },
            ),
            "/api/v1/session": {
                **_get(
                    "Who is logged in, and what he may do",
                    {"200": ("At this moment", of[SessionDocument]), "404": ("There are no accounts", of[Fault])},
                ),
                **_post(
                    "Log in: the answer has the cookie of a session",
                    of[LoginRequest],
                    {
                        "200": ("Logged in", of[SessionDocument]),
                        "401": ("Wrong account or password", of[Fault]),
                        "403": ("Sent from another page", of[Fault]),
                        "404": ("There are no accounts", of[Fault]),
                        "429": ("Tried too often; Retry-After says in how many seconds to try again", of[Fault]),
                    },
                ),
                "delete": {"summary": "Log out", "responses": {"204": {"description": "Logged out"}}},
            },
            "/api/v1/calls/{call_id}/number": {
                "parameters": [{"name": "call_id", "in": "path", "required": True, "schema": {"type": "string"}}],
                **_post(
                    "See a caller's whole number; who does goes into the audit log",
                    of[NumberRequest],
                    {
                        "200": ("Of a call in progress, or of who is to be called back", of[NumberReport]),
                        "404": ("There is no such call", of[Fault]),
                        "503": ("The journal cannot note who sees it", of[Fault]),
                    },
                ),
            },
            "/api/v1/audit": {
                "parameters": [
                    {"name": name, "in": "query", "schema": schema} for name, schema in _AUDIT_QUERY.items()
                ],
                **_get(
                    "The audit log, the newest entries first: who did what, and from where",
                    {
                        "200": ("Those that fit", of[AuditDocument]),
                        "400": ("Not understood, and why", of[Fault]),
                        "503": ("The database is away, or there is none", of[Fault]),
                    },
                ),
            },
            "/api/v1/recordings": _get(
                "Recorded conversations, the latest first",
                {"200": ("At this moment", of[RecordingsDocument]), "503": ("The database is away", of[Fault])},
            ),
            "/api/v1/recordings/{number}/fetch": {
                "parameters": [_NUMBER],
                **_post(
                    "Fetch a recording as a WAV file; who does goes into the audit log",
                    of[FetchRequest],
                    {
                        "200": ("The file", {"type": "string", "format": "binary"}),
                        "403": ("Not asked for on the daemon's own machine", of[Fault]),
                        "404": ("There is none, none any more, or none yet", of[Fault]),
                        "503": ("The database is away", of[Fault]),
                    },
                ),
            },
            "/api/v1/recordings/{number}/delete": {
                "parameters": [_NUMBER],
                **_post(
                    "Delete a recording for good; who does, and why, goes into the audit log",
                    of[DeleteRequest],
                    {
                        "200": ("It is deleted", of[RecordingReport]),
                        "403": ("Not asked for on the daemon's own machine", of[Fault]),
                        "409": ("There is none, or none any more", of[RecordingReport]),
                        "503": ("The database or the disk does not do it", of[Fault]),
                    },
                ),
            },
            "/healthz": _get(
                "Is the daemon alive?",
                {"200": ("It is", of[Liveness]), "503": ("The dispatcher does not run: restart it", of[Liveness])},
            ),
            "/readyz": _get(
                "Are calls taken?",
                {"200": ("They are", of[Readiness]), "503": ("They are not, and why", of[Readiness])},
            ),
        },
        "components": {"schemas": schemas, "securitySchemes": SCHEMES},
    }
    for path, operations in document["paths"].items():
        for method in operations.keys() & {"get", "post", "delete"}:
            _tell_faults(path, operations[method], of[Fault])
            operations[method] |= who_may(method.upper(), path, operations[method], of[Fault])
    return msgspec.json.encode(document)


FAULTS_OF_ORDERS: Final = {
    "400": "Not understood, and why",
    "408": f"Not sent within {BODY_S:g} s",
    "413": f"More than {MAX_BODY_BYTES} bytes",
    "415": "Not sent as JSON",
    "503": "Nobody takes this order here, or not at this moment",
}


def _tell_faults(path: str, operation: dict[str, Any], fault: Any) -> None:
    """What every order may be answered, and every path that names something; unless the operation says it better."""
    faults = dict(FAULTS_OF_ORDERS) if "requestBody" in operation else {}
    if "{" in path:
        faults["404"] = "There is nothing of that name"
    for status, text in faults.items():
        operation["responses"].setdefault(status, _answer(text, fault))
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _get(summary: str, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    return {"get": _answers(summary, answers)}


def _post(summary: str, body: Any, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    request = {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
    return {"post": {**request, **_answers(summary, answers)}}


def _answers(summary: str, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    responses = {status: _answer(text, schema) for status, (text, schema) in answers.items()}
    return {"summary": summary, "responses": responses}


def _answer(text: str, schema: Any) -> dict[str, Any]:
    kind = "audio/wav" if isinstance(schema, dict) and schema.get("format") == "binary" else "application/json"
    return {"description": text, "content": {kind: {"schema": schema}}}
