"""From the sound model to the rulebook; what one part says of another is checked here."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path as FilePath
from zoneinfo import ZoneInfo

from callrouter.config.call_back import call_back_rule, check_call_backs_asked
from callrouter.config.call_keys import compile_call_keys
from callrouter.config.contradictions import check_conditions
from callrouter.config.destinations import check_destinations, check_endpoint
from callrouter.config.geography import compile_geography
from callrouter.config.hours import compile_calendars
from callrouter.config.inward import own_numbers
from callrouter.config.limits import check_ring_timeouts, compile_limits
from callrouter.config.links import compile_links
from callrouter.config.model import Listener, Prompt, Queue, ServiceLevel
from callrouter.config.openings import check_openings
from callrouter.config.outbound import compile_outbound
from callrouter.config.plans import PlanCompiler
from callrouter.config.problems import Path, nearest
from callrouter.config.queue_care import compile_cares
from callrouter.config.references import Context
from callrouter.config.routes import compile_routes
from callrouter.config.skills import check_skills_asked, skill_rules
from callrouter.config.staffing import check_sites
from callrouter.config.supervision import (
    compile_supervision_code,
    compile_supervision_keys,
    compile_supervisors,
)
from callrouter.config.surge import compile_surge, compile_topics
from callrouter.config.switches import check_switches_used, compile_switches
from callrouter.config.transfers import compile_transfers
from callrouter.config.trunks import compile_trunks
from callrouter.config.wrap_up import check_wrap_up_codes
from callrouter.core.calendars import Calendar
from callrouter.core.duty import DutyVerb
from callrouter.core.ids import (
    AgentId,
    BoxName,
    CalendarName,
    PromptName,
    QueueName,
    SiteName,
    SkillName,
    TenantName,
    TrunkName,
)
from callrouter.core.pins import Pin
from callrouter.core.plan import Callback, EnterQueue, Step, Voicemail, walk
from callrouter.core.routing import Ruleset
from callrouter.core.rulebook import AgentSpec, BoxSpec, LengthRule, QueueSpec, Rulebook
from callrouter.core.service_level import ServiceGoal
from callrouter.core.tapes import TapeRule
from callrouter.core.waiting_spec import QueueCare

SLOW_S = 0.3
"""What a character takes, at the most: who reads Korean aloud in public says four syllables a second or more."""
SILENCE_S = 2.0
"""Before and after what is said."""
SHORTEST_RETENTION_S = 86_400.0


def compile_rulebook(context: Context, directory: FilePath, today: date) -> Rulebook | None:
    """The rulebook, or None if something is so wrong that there is none. Faults go to the context's problems.

    ``today`` says what will soon come to an end.
    """
    calendars = compile_calendars(context, today)
    geography = compile_geography(context, directory)
    check_openings(context, calendars)
    plans = PlanCompiler(context)
    plans.check_named()
    cares = compile_cares(context, plans)
    routes = compile_routes(context, plans)
    check_conditions(context)
    queues = _queues(context, cares, calendars)
    agents = _agents(context)
    entered = [route.plan for route in routes] + [plan for care in cares.values() for plan in care.plans]
    steps = [step for plan in entered for step in walk(plan)]
    is_whole = context.whole("routes", "plans") and len(routes) == len(context.model.routes)
    _check_staff(context, steps, is_whole=is_whole)
    boxes = _boxes(context, steps, is_whole=is_whole)
    callback_queues = _check_callbacks(context, steps)
    links = compile_links(context)
    check_call_backs_asked(context, steps, is_whole=is_whole)
    check_sites(context, steps, links)
    check_skills_asked(context)
    switches = compile_switches(context)
    check_switches_used(context)
    agent_codes = _agent_codes(context)
    supervisors, supervision_code = compile_supervisors(context), compile_supervision_code(context)
    supervision_keys = compile_supervision_keys(context)
    check_wrap_up_codes(context)
    topics, surge = compile_topics(context), compile_surge(context)
    if not context.model.sites and context.whole("sites"):
        context.error(("sites",), "there is no site", "write one, with its title and password_env")
    trunks = compile_trunks(context)
    check_destinations(context)
    check_ring_timeouts(context)
    transfers = compile_transfers(context)
    outbound = compile_outbound(context)
    call_keys = compile_call_keys(context)
    limits = compile_limits(context)
    _check_prompts(context)
    if context.problems.errors or geography is None or not routes:
        return None
    config_hash = context.document.hash
    return Rulebook(
        hash=config_hash,
        router=Ruleset(routes, geography, calendars, config_hash),
        queues=queues,
        agents=agents,
        trunks=trunks,
        links=links,
        limits=limits,
        prompts={PromptName(name): p.media for name, p in context.model.prompts.items() if p.media is not None},
        translated=_translated(context),
        speech_s={PromptName(name): _speech_s(spec) for name, spec in context.model.prompts.items()},
        boxes=boxes,
        callback_queues=callback_queues,
        callback_retention_s=context.model.callbacks.retention,
        fallback_context=context.model.service.fallback_context,
        switches=switches,
        agent_codes=agent_codes,
        desk_code=context.model.agent_codes.desk or "",
        supervisors=supervisors,
        supervision_code=supervision_code,
        supervision_keys=supervision_keys,
        own_numbers=own_numbers(context.model),
        transfers=transfers,
        call_keys=call_keys,
        weights=_weights(context),
        timezone=ZoneInfo(context.model.timezone),
        topics=topics,
        surge=surge,
        outbound=outbound,
    )


def _queues(
    context: Context, cares: Mapping[str, QueueCare], calendars: Mapping[CalendarName, Calendar]
) -> dict[QueueName, QueueSpec]:
    return {
        QueueName(name): QueueSpec(
            QueueName(name),
            spec.title,
            spec.sound,
            spec.music_class,
            spec.ring_timeout,
            spec.wrap_up,
            strategy=spec.strategy,
            head_start_s=spec.head_start,
            length=_length(context, name, spec),
            recording=_recording(context, name, spec),
            goal=_goal(spec),
            care=cares[name],
            wrap_up_codes=spec.wrap_up_codes,
            code_ends_wrap_up=spec.code_ends_wrap_up,
            skills=skill_rules(context, name, spec),
            call_back=call_back_rule(context, name, calendars),
            agent_prompt=_agent_prompt(context, name, spec),
            emergency=spec.emergency,
            ring_at_most=spec.ring_at_most,
        )
        for name, spec in context.model.queues.items()
    }


def _agent_prompt(context: Context, name: str, spec: Queue) -> PromptName | None:
    if spec.agent_prompt is None:
        return None
    context.refer("prompts", spec.agent_prompt, ("queues", name, "agent_prompt"))
    return PromptName(spec.agent_prompt)


def _weights(context: Context) -> dict[TenantName, int]:
    """What tenants weigh; empty if nobody wrote a weight."""
    return {TenantName(name): t.weight for name, t in context.model.tenants.items() if t.weight is not None}


def _agent_codes(context: Context) -> dict[DutyVerb, str]:
    """What counselors' phones dial; each code means one thing."""
    codes = context.model.agent_codes
    meaning = {spec.code: f'the switch "{name}"' for name, spec in context.model.switches.items()}
    for key, code in (("login", codes.login), ("pause", codes.pause), ("desk", codes.desk)):
        other = meaning.setdefault(code, f"agent_codes: {key}") if code is not None else None
        if other is not None and other != f"agent_codes: {key}":
            context.error(("agent_codes", key), f"the code {code} is taken by {other}", "choose another")
    verbs = {DutyVerb.LOGIN: codes.login, DutyVerb.PAUSE: codes.pause}
    return {verb: code for verb, code in verbs.items() if code is not None}


def _length(context: Context, name: str, spec: Queue) -> LengthRule | None:
    length = spec.length
    if length is None:
        return None
    for key in ("reminder", "farewell"):
        prompt = getattr(length, key)
        if prompt is not None:
            context.refer("prompts", prompt, ("queues", name, "length", key))
    return LengthRule(
        length.remind_after,
        PromptName(length.reminder) if length.reminder is not None else None,
        length.to is Listener.BOTH,
        length.end_after,
        PromptName(length.farewell) if length.farewell is not None else None,
        length.extension,
    )


def _recording(context: Context, name: str, spec: Queue) -> TapeRule | None:
    rule = spec.recording
    if rule is None:
        return None
    path: Path = ("queues", name, "recording")
    context.refer("prompts", rule.notice, (*path, "notice"))
    if rule.retention < SHORTEST_RETENTION_S:
        message = "recordings are deleted before anybody can ask for them"
        context.error((*path, "retention"), message, "write 1d or more")
    return TapeRule(PromptName(rule.notice), rule.retention, rule.pausable)


def _goal(spec: Queue) -> ServiceGoal:
    level = spec.service_level or ServiceLevel()
    return ServiceGoal(level.threshold, level.target, level.formula, spec.short_abandon)


def _agents(context: Context) -> dict[AgentId, AgentSpec]:
    agents: dict[AgentId, AgentSpec] = {}
    phone_of: dict[tuple[str, str], str] = {}
    for name, spec in context.model.agents.items():
        path: Path = ("agents", name)
        context.refer("sites", spec.site, (*path, "site"))
        context.refer("tenants", spec.tenant, (*path, "tenant"))
        for index, queue in enumerate(spec.queues):
            context.refer("queues", queue, (*path, "queues", index))
        if spec.trunk is not None:
            context.refer("trunks", spec.trunk, (*path, "trunk"))
        if spec.endpoint is not None:
            check_endpoint(context, spec.endpoint, (*path, "endpoint"))
        _check_pin(context, name, spec.pin)
        if spec.weight < 1:
            context.error((*path, "weight"), "a weight of 0 is never drawn", "write 1 or more, or take the queue out")
        other = phone_of.setdefault((spec.site, spec.endpoint), name) if spec.endpoint is not None else name
        if other != name:
            context.error((*path, "endpoint"), f'{spec.endpoint} is already the phone of "{other}"', "one phone each")
        agents[AgentId(name)] = AgentSpec(
            AgentId(name),
            spec.name,
            SiteName(spec.site),
            spec.endpoint or "",
            tuple(map(QueueName, spec.queues)),
            TenantName(spec.tenant),
            TrunkName(spec.trunk) if spec.trunk is not None else None,
            spec.wrap_up,
            rank=len(agents),
            weight=spec.weight,
            skills={SkillName(skill): level for skill, level in spec.skills.items()},
            pin=Pin.parse(spec.pin) if spec.pin is not None else None,
        )
    return agents


def _check_pin(context: Context, name: str, pin: str | None) -> None:
    """Whoever logs in at any phone dials the name of his entry, and needs a code to dial first."""
    if pin is None:
        return
    if not (name.isascii() and name.isdigit()):
        message = f'a phone cannot dial the agent "{name}"'
        context.error(("agents", name, "pin"), message, "name the entry by a number, or take pin: out")
    if context.model.agent_codes.desk is None:
        message = "no code asks for this PIN"
        context.error(("agents", name, "pin"), message, "write desk: in agent_codes:, or take pin: out")


def _boxes(context: Context, steps: Sequence[Step], *, is_whole: bool) -> dict[BoxName, BoxSpec]:
    used = {step.box for step in steps if isinstance(step, Voicemail)}
    for name, spec in context.model.voicemail.items():
        for key in ("thanks", "failed"):
            context.refer("prompts", getattr(spec, key), ("voicemail", name, key))
        if spec.retention < SHORTEST_RETENTION_S:
            message = f'messages in the box "{name}" are deleted before anybody hears them'
            context.error(("voicemail", name, "retention"), message, "write 1d or more")
        if name not in used and is_whole:
            remedy = "use it, or take it out"
            context.warn(("voicemail", name), f'no route leads to the box "{name}"', remedy, key=True)
    return {BoxName(name): BoxSpec(BoxName(name), b.title, b.retention) for name, b in context.model.voicemail.items()}


def _check_callbacks(context: Context, steps: Sequence[Step]) -> tuple[QueueName, ...]:
    """The queues that are to call back, in the order of ``queues:``."""
    if context.model.callbacks.retention < SHORTEST_RETENTION_S:
        message = "requests to be called back are deleted before anybody calls"
        context.error(("callbacks", "retention"), message, "write 1d or more")
    used = {step.queue for step in steps if isinstance(step, Callback)}
    return tuple(QueueName(name) for name in context.model.queues if name in used)


def _check_staff(context: Context, steps: Sequence[Step], *, is_whole: bool) -> None:
    """A queue that callers are sent to needs someone to answer; what nobody is sent to is probably a slip.

    One that is to call back needs someone who does.
    """
    used = {step.queue for step in steps if isinstance(step, EnterQueue | Callback)}
    served = {queue for agent in context.model.agents.values() for queue in agent.queues}
    for name in context.model.queues:
        if name in used and name not in served and context.whole("agents"):
            remedy = "name it in an agent's queues"
            context.error(("queues", name), f'no agent serves the queue "{name}"', remedy, key=True)
        if name not in used and is_whole:
            context.warn(("queues", name), f'no route leads to the queue "{name}"', "use it, or take it out", key=True)


def _speech_s(spec: Prompt) -> float:
    """How long it takes to say a prompt slowly, in the language in which that is longest."""
    return SILENCE_S + SLOW_S * max(map(len, (spec.text, *spec.languages.values())))


def _translated(context: Context) -> dict[str, frozenset[PromptName]]:
    prompts = context.model.prompts
    languages = {language for prompt in prompts.values() for language in prompt.languages}
    return {
        language: frozenset(PromptName(name) for name, prompt in prompts.items() if language in prompt.languages)
        for language in languages
    }


def _check_prompts(context: Context) -> None:
    """A sound of ours that is no prompt is spoken by nobody."""
    prompts = context.model.prompts
    for name, spec in prompts.items():
        sound = (spec.media or "").removeprefix("sound:callrouter/")
        if sound != spec.media and spec.media is not None and sound not in context.names("prompts"):
            message = f'the sound of the prompt "{name}" is no prompt, and nothing speaks it'
            context.warn(("prompts", name, "media"), message, nearest(sound, context.names("prompts")))
