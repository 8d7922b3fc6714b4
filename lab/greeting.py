"""What ``make run`` says when all is up: where to register a phone, what to dial, and where to look."""

from collections.abc import Iterator

from callrouter.config.accounts import account_file
from lab.centre import Centre
from lab.opening import Beginning
from lab.phones import CHANGWON_EXTENSIONS, PROVINCE_EXTENSIONS, RESIDENT, SERVICE_NUMBER
from lab.record import DEFAULT_INSTANCE, command_path, shown, start_command

COUNSELOR = PROVINCE_EXTENSIONS[0]
DAY = "%a %Y-%m-%d %H:%M"


def greeting(centre: Centre, title: str, beginning: Beginning) -> str:
    """All of it."""
    return "\n".join(_lines(centre, title, beginning))


def _lines(centre: Centre, title: str, beginning: Beginning) -> Iterator[str]:
    command = shown(command_path(centre.name))
    yield ""
    yield f"{title} is open for calls." if beginning.is_open else f"{title} is up."
    yield from hours(beginning, start_command(centre.name))
    yield from _phones(centre, rings=beginning.is_open)
    yield ""
    yield f"Without phones   {call_command(centre.name)}, in another terminal: a simulated resident calls"
    yield ""
    yield f"Wall board       {centre.daemon.url}/{_door(centre)}"
    yield f"Now              {command} status"
    yield f"Call records     {command} cdr"
    yield f"Health           {command} doctor"
    yield f"Announcements    {shown(centre.asterisk.sounds_dir / 'callrouter')} (recordings put there win)"
    yield f"Logs             {shown(centre.daemon.log_path)}"
    yield f"                 {shown(centre.asterisk.log_path)}"
    yield ""
    yield "Ctrl-C stops all of it."


def _door(centre: Centre) -> str:
    """How to get in, where the page asks who comes."""
    path = account_file(centre.daemon.config)
    return f"  (log in with an account of {shown(path)})" if path is not None else ""


def _phones(centre: Centre, *, rings: bool) -> Iterator[str]:
    passwords = centre.asterisk.credentials.phone_passwords
    others = ", ".join((*PROVINCE_EXTENSIONS[1:], *CHANGWON_EXTENSIONS))
    kept = shown(centre.asterisk.state_dir / "credentials.json")
    yield ""
    yield f"Register a phone at {centre.asterisk.sip_address} (UDP, from this machine)"
    yield f"  a counselor    user {COUNSELOR:<10} password {passwords[COUNSELOR]}"
    yield f"  a resident     user {RESIDENT:<10} password {passwords[RESIDENT]}"
    yield f"  ({others}: passwords in {kept})"
    effect = ": the counselor's phone rings" if rings else ""
    yield f"and dial {SERVICE_NUMBER} as the resident{effect}."


def hours(beginning: Beginning, command: str) -> Iterator[str]:
    """What is to be said of the daemon's time: nothing if it is the real one and the centre is open."""
    if beginning.instead_of is not None:
        now = f"{beginning.instead_of:%a %H:%M} in {beginning.at.tzinfo}"
        yield f"It is {now}, when nobody answers; so its day begins at the"
        yield f"next opening, {beginning.at.strftime(DAY)}. The real time instead: {command} CLOCK=now"
        yield f"(any other: {command} CLOCK=2026-11-28T02:00)"
        return
    if beginning.clock is not None:
        yield f"Its day began at {beginning.at.strftime(DAY)}, as you asked."
    if not beginning.is_open:
        yield "Nobody answers at this time: callers hear that the centre is closed."


def call_command(instance: str) -> str:
    """What a person types to have a call placed."""
    return "make call" if instance == DEFAULT_INSTANCE else f"make call LAB_INSTANCE={instance}"
