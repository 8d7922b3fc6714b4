"""What counselors press during a conversation: each code means one thing, and none begins as another."""

from callrouter.config.problems import Path
from callrouter.config.references import Context
from callrouter.config.transfers import refer_target
from callrouter.core.call_keys import CallKey, CallKeys
from callrouter.core.call_orders import CallVerb
from callrouter.core.ids import PromptName

_VERBS = (
    CallVerb.HOLD,
    CallVerb.TRANSFER,
    CallVerb.CONSULT,
    CallVerb.CONFERENCE,
    CallVerb.CANCEL,
    CallVerb.DISMISS,
    CallVerb.EXTEND,
    CallVerb.PAUSE_RECORDING,
)
_LEAST_BETWEEN_S = 1.0


def compile_call_keys(context: Context) -> CallKeys:
    """The codes of conversations; faults go to the context's problems."""
    spec = context.model.call_keys
    codes: dict[str, CallKey] = {}
    for verb in _VERBS:
        key = verb.value.replace("-", "_")
        code = getattr(spec, key)
        if code is not None:
            _add(context, codes, code, CallKey(verb), ("call_keys", key))
    for code, direct in spec.direct.items():
        path: Path = ("call_keys", "direct", code)
        verb, target = (
            (CallVerb.TRANSFER, direct.transfer)
            if direct.transfer is not None
            else (CallVerb.CONFERENCE, direct.conference or "")
        )
        refer_target(context, target, (*path, verb.value))
        if verb is CallVerb.CONFERENCE and target in context.names("queues") - context.names("agents"):
            context.error((*path, verb.value), f'"{target}" is a queue, whose callers wait', "write transfer: instead")
        _add(context, codes, code, CallKey(verb, target), path, key=True)
    for name in ("refused", "limited", "goodbye", "recording_paused", "recording_resumed"):
        prompt = getattr(spec, name)
        if prompt is not None:
            context.refer("prompts", prompt, ("call_keys", name))
    if spec.between < _LEAST_BETWEEN_S:
        message = f"between of {spec.between:g} s is too little: nobody presses keys so fast"
        context.error(("call_keys", "between"), message, f"write {_LEAST_BETWEEN_S:g} s or more")
    return CallKeys(
        codes,
        spec.between,
        _prompt(spec.refused),
        _prompt(spec.goodbye),
        _prompt(spec.limited),
        _prompt(spec.recording_paused),
        _prompt(spec.recording_resumed),
    )


def _prompt(name: str | None) -> PromptName | None:
    return PromptName(name) if name is not None else None


def _add(
    context: Context, codes: dict[str, CallKey], code: str, meaning: CallKey, path: Path, *, key: bool = False
) -> None:
    other = next((known for known in codes if known.startswith(code) or code.startswith(known)), None)
    if other is not None:
        message = f"the code {code} begins as {other} does, which means {codes[other].verb}"
        context.error(path, message, "choose another", key=key)
        return
    codes[code] = meaning
