"""Calls with everything in them: nothing that the daemon and its commands say has a whole number or a secret."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.core.access import Role
from callrouter.core.numbers import forms
from callrouter.web.client import LOCAL_TOKEN_FILE
from callrouter.web.passwords import hashed
from tests.acceptance.centre import Centre, MakeCentre, People
from tests.acceptance.ordering import command
from tests.acceptance.talks import answers
from tests.acceptance.test_callback import asks, callback_first
from tests.acceptance.test_recording import recorded
from tests.acceptance.test_supervision import PHONE
from tests.acceptance.test_transfer import INTERPRETER, with_a_way_out
from tests.acceptance.test_whatever_is_asked import accounts, token
from tests.web.described import OPERATIONS

pytestmark = pytest.mark.asterisk

AGENT, RESIDENT, IMPATIENT = "201", "0552251234", "01023456789"
PASSWORD, OF_DATABASE = "correct horse battery", "staple-in-the-url"
PAGES = ("/", "/metrics", *(one.path for one in OPERATIONS if one.method == "GET"))
DURING = (("status",), ("status", "--json"), ("call",), ("agent",), ("trunk",), ("callback", "show", "1"))
AFTERWARDS = (
    ("cdr",), ("cdr", "--json"), ("cdr", "--csv"), ("audit",), ("audit", "--json"), ("callback", "list", "--json"),
    ("recording", "list", "--json"), ("report",), ("history",), ("account",), ("remembered",), ("check",), ("doctor",),
)  # fmt: skip
"""Commands that show something."""


def everything(config: Path) -> None:
    """Recorded, heard by a supervisor, with somebody from outside called in, and with who is to be called back."""
    recorded(config)
    callback_first(config)
    accounts(config)
    with_a_way_out(config)
    path = config / "accounts.yaml"
    path.write_text(
        f"{path.read_text('utf-8')}  kim:\n    role: supervisor\n    password: {hashed(PASSWORD)}\n", "utf-8"
    )


class Told:
    """All that was said, by where."""

    def __init__(self, office: Centre) -> None:
        self.office = office
        self.texts: dict[str, str] = {}

    async def ask(self, when: str, commands: Sequence[tuple[str, ...]], calls: Sequence[str] = ()) -> None:
        """See every page and all that can be read by API, and give every command that shows something."""
        for path in PAGES:
            for place in {path.replace("{call_id}", call) for call in calls} | ({path} - {path if "{" in path else ""}):
                self.texts[f"{when}: {place}"] = await asyncio.to_thread(self._read, place)
        for words in commands:
            self.texts[f"{when}: {' '.join(words)}"] = await asyncio.to_thread(self._said, words)

    def _said(self, words: Sequence[str]) -> str:
        """By a command, in this process: that is quicker, and its text is the same."""
        daemon = self.office.daemon
        wanted = [*words, "--config", str(daemon.config)]
        done = CliRunner().invoke(main, wanted, env={**daemon.environment, "CALLROUTER_CONFIG": str(daemon.config)})
        assert done.exit_code in (0, 1), done.output
        return done.output

    def _read(self, place: str) -> str:
        headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
        request = urllib.request.Request(f"{self.office.daemon.url}{place}", headers=headers)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own URL
            text: str = answer.read().decode()
            return text

    def log_in(self) -> str:
        """A supervisor does, rightly and wrongly; the token of his session."""
        said: str = ""
        for password in ("a wrong password", PASSWORD):
            body = json.dumps({"account": "kim", "password": password}).encode()
            request = urllib.request.Request(  # noqa: S310 - our own
                f"{self.office.daemon.url}/api/v1/session", data=body, headers={"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own URL
                    said = answer.headers["Set-Cookie"]
            except urllib.error.HTTPError as error:
                error.close()
        return said.partition("=")[2].partition(";")[0]


@contextmanager
def watching_processes(seen: set[bytes]) -> Iterator[None]:
    """Note what stands in the list of processes, of everybody, for as long as the block lasts."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue  # it has ended

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def with_password(url: str) -> str:
    """The database's URL with a password in it, which that server does not ask for."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{OF_DATABASE}@{parts.hostname or ''}").geturl()


async def test_of_calls_with_everything_in_them_no_whole_number_and_no_secret_is_told(
    caller: People, counselor: People, outside: People, centre: MakeCentre, database: str
) -> None:
    url = with_password(database)
    listed: set[bytes] = set()
    with watching_processes(listed):
        office = await centre(agents=(AGENT,), edit=everything, database_url=url, settings={"LOGGING_LEVEL": "debug"})
        told = Told(office)
        resident, impatient = await caller(RESIDENT), await caller(IMPATIENT)
        phone, supervisor, interpreter = await counselor(AGENT), await counselor(PHONE), await outside(INTERPRETER)
        await office.talk(resident, phone)
        await asks(impatient, office)
        await command(office, "supervise", "listen", "--agent", AGENT, "--phone", "kim")
        await answers(supervisor)
        await command(office, "call", "conference", AGENT, INTERPRETER)
        await answers(interpreter)
        session = await asyncio.to_thread(told.log_in)
        await office.until("he is to be called back", lambda s: any(queue["waiting"] for queue in s["callbacks"]))
        calls = [call["call"] for call in (await office.status())["calls"]]
        await told.ask("in the conversation", DURING, calls)
        local = (office.daemon.state_dir / LOCAL_TOKEN_FILE).read_text("ascii").strip()
        await office.kill()
        await office.restart()
        await office.until_call("connected")
        await resident.hang_up()
        await phone.closed()
        await office.cdrs(2)
        await told.ask("afterwards", AFTERWARDS)
    told.texts["the log"] = office.daemon.log_text()

    secrets = {
        "ARI": office.daemon.environment["CALLROUTER_ARI_PASSWORD"], "database": OF_DATABASE, "account": PASSWORD,
        "tried": "a wrong password", "session": session, "local": local, "program": token(Role.ADMIN),
        "after": (office.daemon.state_dir / LOCAL_TOKEN_FILE).read_text("ascii").strip(),
    }  # fmt: skip
    assert all(len(secret) >= 8 for secret in secrets.values())
    told.texts["the list of processes"] = b"\n".join(listed).decode(errors="replace")
    assert "callrouter" in told.texts["the list of processes"]
    assert found_in(told.texts, secrets) == []
    told.texts.pop("the list of processes")  # in which the people on the phone are
    numbers = {form: form for number in (RESIDENT, IMPATIENT, INTERPRETER) for form in forms(number)}
    assert found_in(told.texts, numbers) == []
    for number in ("055-225-****", "010-2345-****"):
        assert [place for place, text in told.texts.items() if number in text], "it is told nowhere: nothing was tried"


def found_in(texts: Mapping[str, str], wanted: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Where which of them stands, with what is around it."""
    return [
        (where, name, text[max(0, text.index(secret) - 80) :][:160])
        for where, text in texts.items()
        for name, secret in wanted.items()
        if secret in text
    ]
