"""Who takes the calls: callrouter, the barest ARI application, Asterisk's own queue, and ``Dial()``.

All in one Asterisk, on one machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import bare_ari

RING_S = 20


@dataclass(frozen=True, slots=True)
class Competitor:
    """One way from the caller to a counselor's phone: the number that callers dial for it, and what their 180 means."""

    name: str
    extension: str
    ringing: str


CALLROUTER = Competitor("callrouter", "120", "180 once a counselor's phone rings")
BARE_ARI = Competitor("bare ARI", "bare", "the least that an ARI application can do: no rules, queue, journal, timers")
APP_QUEUE = Competitor("app_queue", "queue", "Queue() with option R: 180 once a counselor's phone rings")
EAGER_QUEUE = Competitor("app_queue, r", "eager", "Queue() with option r: 180 on entering, before any phone rings")
DIAL = Competitor("Dial()", "dial", "no queue: 180 once the phone rings, phones in turn whether busy or not")

ALL = (CALLROUTER, BARE_ARI, APP_QUEUE, EAGER_QUEUE, DIAL)

QUEUE = "bench"
NEXT_PHONE = "BENCH_NEXT"
"""Global variable with the place in line of the phone that ``Dial()`` called last."""


def dialplan(extensions: Sequence[str]) -> str:
    """What is added to the project's dialplan: the competitors' numbers, beside callrouter's own way in.

    ``extensions`` are the counselors' phones, numbered without a gap.
    """
    turn = f"$[(${{{NEXT_PHONE}}} + 1) % {len(extensions)}]"
    return f"""\
[callrouter-inbound](+)
exten => {BARE_ARI.extension},1,Stasis({bare_ari.APPLICATION},{bare_ari.INBOUND})
 same => n,Hangup()
exten => {APP_QUEUE.extension},1,Queue({QUEUE},R)
exten => {EAGER_QUEUE.extension},1,Queue({QUEUE},r)
exten => {DIAL.extension},1,Set(GLOBAL({NEXT_PHONE})={turn})
 same => n,Dial(PJSIP/$[{extensions[0]} + ${{{NEXT_PHONE}}}],{RING_S})
"""


def queues(extensions: Sequence[str]) -> str:
    """queues.conf: everybody in one queue that rings who was idle longest, as callrouter does, and rests nobody."""
    members = "".join(f"member => PJSIP/{extension}\n" for extension in extensions)
    return f"""\
[general]
autofill=yes

[{QUEUE}]
strategy=leastrecent
ringinuse=no
wrapuptime=0
timeout={RING_S}
retry=1
joinempty=yes
leavewhenempty=no
{members}"""
