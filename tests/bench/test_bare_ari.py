"""The barest application rings, connects and parts people, and gives a phone that is free again to who waits."""

import json
from typing import Any

from bench.bare_ari import Switchboard


def told(board: Switchboard) -> list[str]:
    """What the board has asked of Asterisk since it was last looked at."""
    commands = [json.loads(frame) for frame in board.commands]
    board.commands.clear()
    return [f"{command['method']} {command['uri']}" for command in commands]


def happens(board: Switchboard, kind: str, channel: str, **more: Any) -> list[str]:
    """An event, and what it led to."""
    field = "peer" if kind == "Dial" else "channel"
    board.take(json.dumps({"type": kind, field: {"id": channel}, **more}))
    return told(board)


def test_a_call_rings_is_connected_and_ends() -> None:
    board = Switchboard(["PJSIP/1001"])

    assert happens(board, "StasisStart", "caller", args=["inbound"]) == ["POST channels/bare-1-leg"]
    assert happens(board, "Dial", "bare-1-leg", dialstatus="") == []
    assert happens(board, "Dial", "bare-1-leg", dialstatus="RINGING") == ["POST channels/caller/ring"]
    assert happens(board, "StasisStart", "bare-1-leg", args=["agent"]) == [
        "POST channels/caller/answer",
        "POST bridges/bare-1-bridge",
        "POST bridges/bare-1-bridge/addChannel",
    ]
    assert happens(board, "ChannelHangupRequest", "caller") == ["DELETE channels/bare-1-leg"]
    assert happens(board, "StasisEnd", "caller") == []
    assert happens(board, "ChannelDestroyed", "bare-1-leg") == ["DELETE bridges/bare-1-bridge"]
    assert list(board.idle) == ["PJSIP/1001"]


def test_when_the_phone_hangs_up_so_does_the_caller() -> None:
    board = Switchboard(["PJSIP/1001"])
    happens(board, "StasisStart", "caller", args=["inbound"])
    happens(board, "StasisStart", "bare-1-leg", args=["agent"])

    assert happens(board, "ChannelHangupRequest", "bare-1-leg") == ["DELETE channels/caller"]
    assert happens(board, "ChannelDestroyed", "bare-1-leg") == ["DELETE bridges/bare-1-bridge"]


def test_who_finds_no_phone_gets_the_next_that_is_free() -> None:
    board = Switchboard(["PJSIP/1001"])
    happens(board, "StasisStart", "first", args=["inbound"])

    assert happens(board, "StasisStart", "second", args=["inbound"]) == []
    happens(board, "ChannelHangupRequest", "first")
    assert happens(board, "ChannelDestroyed", "bare-1-leg") == [
        "DELETE bridges/bare-1-bridge",
        "POST channels/bare-2-leg",
    ]
