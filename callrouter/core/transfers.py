"""Whom a conversation may be passed on to, or whom it may be joined by, and how what people write or dial is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callrouter.core.causes import Cause
from callrouter.core.ids import DestinationName
from callrouter.core.numbers import masked, parse
from callrouter.core.outbound import NumberClass, classify
from callrouter.core.plan import Destination
from callrouter.core.trunk_spec import TrunkSpec

MOST_WRITTEN = 40


@dataclass(frozen=True, slots=True)
class Outside:
    """The way by which numbers are called that are nobody's of ours."""

    trunk: TrunkSpec
    """The group that calls go out by."""
    allow: frozenset[NumberClass]
    caller_number: str = ""
    """The number that is shown; empty: the caller's."""
    ring_timeout_s: float = 25.0


@dataclass(frozen=True, slots=True)
class TransferRules:
    """The section ``transfers:``, compiled."""

    short: Mapping[str, str] = field(default_factory=dict)
    """What phones dial, to the name of a queue, counselor or destination."""
    destinations: Mapping[DestinationName, Destination] = field(default_factory=dict)
    outside: Outside | None = None
    """None: no number outside can be called."""
    own: frozenset[str] = frozenset()
    """National numbers that come back to us."""
    music_class: str = "default"
    """What a caller on hold hears."""


def party(name: str) -> str:
    """Who a leg calls, for logs and pages: of a person's number, not the end."""
    return masked(name) if parse(name).e164 else name


class TargetError(ValueError):
    """Nobody can be called so; the text says why to people, and ``cause`` to a phone (Q.850)."""

    def __init__(self, why: str, cause: Cause = Cause.CALL_REJECTED) -> None:
        super().__init__(why)
        self.cause = cause


class UnknownTargetError(TargetError):
    """It is nobody of ours, and no number."""


class LimitError(TargetError):
    """A limit of calls that go out forbids it for now."""


def number_outside(written: str, rules: TransferRules) -> Destination:
    """The destination for a number that is nobody's of ours.

    Raises:
        TargetError: it is no number, or must not be called.
    """
    shown = written if len(written) <= MOST_WRITTEN else f"{written[:MOST_WRITTEN]}…"
    kind = classify(written)
    if rules.outside is None:
        error = UnknownTargetError if kind is NumberClass.UNKNOWN else TargetError
        raise error(f'nobody is called "{shown}", and numbers outside are not called; see transfers: trunk:')
    if kind is NumberClass.UNKNOWN:
        raise UnknownTargetError(f'"{shown}" is no agent, queue, destination or number')
    if kind not in rules.outside.allow:
        raise TargetError(f'"{shown}" is a number of the kind {kind}, which must not be called; see outbound: allow:')
    number = parse(written)
    if not number.national:  # it begins as a number abroad, and is none
        raise TargetError(f'"{shown}" is no number that can be called')
    if number.national in rules.own:
        raise TargetError(f'"{shown}" is our own number: the call would come back here')
    trunk = rules.outside.trunk
    return Destination(
        DestinationName(number.national),
        number.national,
        trunk.dialled("", trunk.parts[0].endpoint, number.national),
        trunk.name,
        rules.outside.caller_number,
        rules.outside.ring_timeout_s,
        number.national,
    )
