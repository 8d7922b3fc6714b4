"""Finding what a server's description says otherwise than our code."""

from typing import Any

from callrouter.ari import description
from callrouter.ari.operations import OPERATIONS


def described(path: str = "/channels/{channelId}/play", **changes: Any) -> dict[str, dict[str, Any]]:
    """A description of one operation, as Asterisk serves it, with changes."""
    operation = {
        "httpMethod": "POST",
        "nickname": "play",
        "since": ["12.0.0"],
        "parameters": [
            {"name": "channelId", "paramType": "path", "required": True},
            {"name": "media", "paramType": "query", "required": True},
            {"name": "lang", "paramType": "query", "required": False},
            {"name": "playbackId", "paramType": "query", "required": False},
        ],
    } | changes
    return {"channels": {"apis": [{"path": path, "operations": [operation]}]}}


def complaints(documents: dict[str, dict[str, Any]], about: str = "POST channels/{channelId}/play:") -> list[str]:
    return [line.removeprefix(about).strip() for line in description.check(documents) if line.startswith(about)]


def model(model_name: str, /, **properties: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"events": {"models": {model_name: {"properties": properties}}}}


def test_a_description_that_agrees_gives_nothing_to_say() -> None:
    assert complaints(described()) == []


def test_an_operation_that_is_gone_is_named() -> None:
    assert complaints(described(path="/channels/{channelId}/sing")) == [
        "Asterisk has no such operation; ours is named 'play'"
    ]


def test_every_operation_is_looked_for() -> None:
    missing = [line for line in description.check({}) if "no such operation" in line]

    assert len(missing) == len(OPERATIONS)


def test_parameters_that_differ_are_named() -> None:
    parameters = [
        {"name": "media", "paramType": "query", "required": False},
        {"name": "volume", "paramType": "query", "required": True},
        {"name": "lang", "paramType": "query"},
    ]

    assert complaints(described(parameters=parameters)) == [
        "has no query parameter 'playbackId'",
        "does not require the query parameter 'media', ours does",
        "requires the query parameter 'volume', ours does not",
    ]


def test_another_name_or_other_versions_are_named() -> None:
    assert complaints(described(nickname="sound", since=["30.1.0"])) == [
        "is named 'sound', ours 'play'",
        "since 30.1.0, ours says 12.0.0",
    ]


def test_a_body_that_nobody_takes_is_named() -> None:
    about = "PUT applications/{applicationName}/eventFilter:"
    documents = described(path="/applications/{applicationName}/eventFilter", httpMethod="PUT", parameters=[])

    assert "takes no body, ours sends one" in complaints(documents, about)


def test_fields_that_differ_are_named() -> None:
    text, number = {"type": "string", "required": True}, {"type": "int", "required": True}

    assert complaints(model("CallerID", name=text), "model CallerID.number:") == ["Asterisk has no such field"]
    assert complaints(model("Variable", value=number), "model Variable.value:") == ["is int, ours reads string"]
    assert complaints(model("Variable", value={"type": "string"}), "model Variable.value:") == [
        "is optional in Asterisk, ours requires it"
    ]


def test_a_word_that_our_enum_lacks_is_named() -> None:
    state = {"type": "string", "required": True, "allowableValues": {"values": ["Up", "Levitating"]}}

    assert complaints(model("Channel", state=state), "model Channel.state:") == [
        "can be 'Levitating', which ours does not know"
    ]


def test_documents_that_are_missing_are_named() -> None:
    assert "no document channels.json; ask Asterisk for it" in description.check({})
