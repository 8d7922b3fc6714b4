"""``callrouter account`` makes accounts, hashes and tokens; and commands say who they are."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.config.accounts import read_accounts
from callrouter.config.problems import Problems
from callrouter.core.access import Role
from callrouter.web.passwords import matches
from callrouter.web.sessions import digest
from tests.cli.users import is_of
from tests.fakes.threads import in_thread
from tests.web.guarded import Office, token

PASSWORD = "correct horse battery"


def run(*arguments: str, said: str = f"{PASSWORD}\n", group: str = "account") -> Result:
    return CliRunner().invoke(main, [group, *arguments], input=said, catch_exceptions=False)


def add(folder: Path, *arguments: str, said: str = f"{PASSWORD}\n") -> Result:
    return run("add", *arguments, "--config", str(folder), said=said)


def test_the_first_account_makes_the_file_and_the_next_is_added_to_it(tmp_path: Path) -> None:
    first = add(tmp_path, "kim", "--role", "supervisor", "--title", '김 "팀장": #1')
    assert (first.exit_code, "callrouter reload puts it into force" in first.stdout) == (0, True)
    assert stat.S_IMODE((tmp_path / "accounts.yaml").stat().st_mode) & 0o007 == 0
    (tmp_path / "accounts.yaml").chmod(0o600)
    assert add(tmp_path, "201", "--role", "agent", "--agent", "201").exit_code == 0
    assert stat.S_IMODE((tmp_path / "accounts.yaml").stat().st_mode) == 0o600
    problems = Problems()
    found = read_accounts(tmp_path, {"201"}, problems)
    assert problems.errors == []
    assert found is not None
    kim, counselor = found.by_name.values()
    assert (kim.name, kim.role, kim.title, kim.agent) == ("kim", Role.SUPERVISOR, '김 "팀장": #1', None)
    assert (counselor.role, counselor.agent) == (Role.AGENT, "201")
    assert matches(kim.password, PASSWORD)
    assert PASSWORD not in found.text
    listed = run("--config", str(tmp_path)).stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["account", "role"], ["kim", "supervisor"], ["201", "agent"]]
    told = json.loads(run("--config", str(tmp_path), "--json").stdout)
    assert told[1] == {"account": "201", "role": "agent", "title": "", "agent": "201", "password": True, "tokens": 0}


def test_a_folder_without_accounts_says_what_that_means(tmp_path: Path) -> None:
    assert "open to this machine alone" in run("--config", str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("kim lee", "--role", "admin"), 2, "is not a name"),
        (("kim", "--role", "boss"), 2, "'boss' is not one of"),
        (("kim", "--role", "agent"), 2, "give --agent with it alone"),
        (("kim", "--role", "admin", "--agent", "201"), 2, "give --agent with it alone"),
        (("lee", "--role", "admin"), 1, 'there is an account "lee" already'),
    ],
)
def test_what_is_no_account_changes_nothing(tmp_path: Path, arguments: tuple[str, ...], status: int, why: str) -> None:
    assert add(tmp_path, "lee", "--role", "operator").exit_code == 0
    before = (tmp_path / "accounts.yaml").read_text(encoding="utf-8")
    refused = add(tmp_path, *arguments)
    assert (refused.exit_code, why in refused.stderr) == (status, True), refused.stderr
    assert (tmp_path / "accounts.yaml").read_text(encoding="utf-8") == before


def test_a_file_with_faults_is_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text("accounts: nonsense\n", encoding="utf-8")
    refused = add(tmp_path, "kim", "--role", "admin")
    assert (refused.exit_code, "accounts.yaml:1:11" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("short\n", "a password has 10 to 256 characters"),
        ("", "a password has"),
        ("kim-kim-kim\n", "the account's name"),
    ],
)
def test_a_weak_password_is_refused(tmp_path: Path, said: str, why: str) -> None:
    refused = add(tmp_path, "kim", "--role", "admin", said=said)
    assert (refused.exit_code, why in refused.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_hash_is_what_is_written_under_password() -> None:
    made = run("hash").stdout
    assert made.startswith("password: $argon2id$")
    assert matches(made.removeprefix("password: ").strip(), PASSWORD)


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr("callrouter.cli.account.sys.stdin", Terminal())
    made = run("hash", said=f"{PASSWORD}\n{PASSWORD}\n")
    assert (made.exit_code, "password: $argon2id$" in made.stdout, PASSWORD in made.output) == (0, True, False)


def test_a_token_is_shown_once_and_its_digest_is_what_is_written() -> None:
    made = run("token")
    shown, written = made.stderr.strip().rpartition(" ")[2], made.stdout.strip()
    assert written == f"tokens: sha256:{digest(shown)}"
    assert len(shown) >= 43


def test_who_may_what_is_shown() -> None:
    lines = run("roles").stdout.splitlines()
    assert lines[0].split() == ["may", "operator", "supervisor", "agent", "auditor", "admin"]
    assert ["supervise", "-", "all", "-", "-", "all"] in [line.split() for line in lines]
    assert json.loads(run("roles", "--json").stdout)["order-agents"]["agent"] == "own"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def daemon(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    is_of(monkeypatch, "root")
    with in_thread(office.server()) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_command_is_one_of_the_account_whose_token_it_has(
    daemon: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_TOKEN", token("supervisor"))
    assert run("pause", "201", "--url", daemon, group="agent").exit_code == 0
    assert (office.attendance.asked[0].who, office.attendance.asked[0].via) == ("supervisor", "api")


def test_a_command_that_its_account_may_not_give_says_so(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_TOKEN", token("auditor"))
    refused = run("pause", "201", "--url", daemon, group="agent")
    assert refused.exit_code == 1
    assert "the daemon says: account auditor (auditor) may not do this (order-agents); ask an admin" in refused.stderr
    monkeypatch.setenv("CALLROUTER_TOKEN", "guessed")
    assert "no account has this token" in run("--url", daemon, group="status").stderr


def test_a_command_that_says_nothing_of_who_gives_it_is_told_what_to_do(daemon: str) -> None:
    refused = run("--url", daemon, group="status")
    assert refused.exit_code == 1
    assert "run this as root or as the daemon's user, who may read local.token" in refused.stderr
