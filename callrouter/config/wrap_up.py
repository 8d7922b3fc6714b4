"""The codes by which counselors say what a call was about: the same may stand in several queues, and nowhere else."""

from callrouter.config.references import Context


def check_wrap_up_codes(context: Context) -> None:
    """Report codes that mean something else already, and those that nobody has the time to dial."""
    model = context.model
    taken = {spec.code: f'the switch "{name}"' for name, spec in model.switches.items() if spec.code is not None}
    taken |= {code: f"agent_codes: {key}" for key, code in model.agent_codes.model_dump().items() if code is not None}
    for name, spec in model.queues.items():
        for code, topic in spec.wrap_up_codes.items():
            path = ("queues", name, "wrap_up_codes", code)
            context.refer("topics", topic, path)
            if code in taken:
                context.error(path, f"the code {code} is taken by {taken[code]}", "choose another", key=True)
        if spec.wrap_up_codes and spec.wrap_up == 0:
            message = f'a wrap_up of 0 s leaves no time to dial the wrap_up_codes of "{name}"'
            context.error(("queues", name, "wrap_up_codes"), message, "write wrap_up: 30s, say", key=True)
        if spec.code_ends_wrap_up and not spec.wrap_up_codes:
            message = f'no code can end the wrap-up of "{name}"'
            remedy = "write wrap_up_codes:, or take it out"
            context.error(("queues", name, "code_ends_wrap_up"), message, remedy, key=True)
