"""What FastAGI answers to ``agi://…/route``: the decision, as channel variables for Asterisk's own applications.

======================  ==============================================================================================
variable                meaning
======================  ==============================================================================================
CALLROUTER_ACTION       ``queue``, ``announce``, ``dialplan``, ``hangup``, or ``daemon``: send it into ``Stasis()``
CALLROUTER_TARGET       the queue's name, ``context,extension,1``, or the first prompt's name
CALLROUTER_PROMPTS      what to play first, for ``Playback()``: sound files joined by ``&``
CALLROUTER_MAX_WAIT     whole seconds to wait in the queue at most, empty for no limit
CALLROUTER_RULE         id of the rule that decided
CALLROUTER_REGION       region of the caller
CALLROUTER_TITLE        the region for people
CALLROUTER_TENANT       whose call it is
CALLROUTER_CONFIG       hash of the configuration that decided
======================  ==============================================================================================
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import ceil

from callrouter.agi.protocol import AgiRequest
from callrouter.core.conditions import QueueStates, no_queues
from callrouter.core.decision import Decision
from callrouter.core.dial_string import legible
from callrouter.core.ids import RegionName, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.plan import Announce, EnterQueue
from callrouter.core.remembering import remembered_as
from callrouter.core.rulebook import Rulebook
from callrouter.core.switches import ALL_OFF, SwitchesOn

Recall = Callable[[str, datetime], RegionName | None]


def nothing_remembered(_: str, __: datetime) -> RegionName | None:
    """Where nothing is remembered of anybody."""
    return None


def route(
    request: AgiRequest,
    rulebook: Rulebook,
    now: Callable[[], datetime],
    site: SiteName,
    queues: QueueStates = no_queues,
    switches: SwitchesOn = ALL_OFF,
    recall: Recall = nothing_remembered,
) -> Mapping[str, str]:
    """The variables for one request. ``recall`` knows what is remembered of a caller, by his number (E.164).

    The dialled number is the first argument of ``AGI()``, else the query parameter ``dialed``, else what Asterisk
    says was dialled.
    """
    dialed = (
        (request.arguments[0] if request.arguments else "")
        or request.parameters.get("dialed", "")
        or request.dialed
        or request.extension
        or ""
    )
    at = now()
    number = remembered_as(request.caller or "")
    facts = CallFacts(
        dialed=legible(dialed),
        site=site,
        caller=legible(request.caller or ""),
        caller_name=legible(request.caller_name or ""),
        trunk=request.channel.partition("/")[2].rpartition("-")[0],
        language=request.language,
        remembered=recall(number, at) if number is not None else None,
    )
    return variables(rulebook.router.decide(facts, at, queues, switches), rulebook)


def variables(decision: Decision, rulebook: Rulebook) -> Mapping[str, str]:
    """A decision in the variables of the module's table."""
    queue = decision.queue
    prompts = []
    for step in decision.plan.steps:
        if isinstance(step, EnterQueue):
            break
        if isinstance(step, Announce):
            prompts.append(rulebook.media(step.prompt).removeprefix("sound:"))
    return {
        "CALLROUTER_ACTION": decision.action.value,
        "CALLROUTER_TARGET": decision.target,
        "CALLROUTER_PROMPTS": "&".join(prompts),
        "CALLROUTER_MAX_WAIT": str(ceil(queue.max_wait_s))
        if queue is not None and queue.max_wait_s is not None
        else "",
        "CALLROUTER_RULE": decision.rule,
        "CALLROUTER_REGION": decision.region,
        "CALLROUTER_TITLE": decision.region_title,
        "CALLROUTER_TENANT": decision.tenant,
        "CALLROUTER_CONFIG": decision.config_hash,
    }
