"""Accounts stand beside the rules: read with them, and part of no version of them."""

import shutil
from pathlib import Path

import pytest

from callrouter.addresses import is_loopback
from callrouter.config import load
from callrouter.config.accounts import account_file, account_text, read_accounts
from callrouter.config.folder import at_rest, files_of, put_in_place
from callrouter.config.load import examine
from callrouter.config.problems import Problems
from callrouter.core.access import Role
from callrouter.errors import ConfigError
from tests.config.written import BASE, ENVIRONMENT

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is refused

HASH = "$argon2id$v=19$m=47104,t=2,p=1$rwbTuGDdirglBBaC/LYTBg$nLrU+UzO5x4Re9CA4wfTp4H/WmLgONceb63PCf1FNOA"
ACCOUNTS = f"""\
accounts:
  kim:
    title: 김팀장
    role: supervisor
    password: {HASH}
  "201":
    role: agent
    agent: "201"
    password: {HASH}
    tokens: sha256:{"0a" * 32}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "config"))


def write(folder: Path, text: str = ACCOUNTS, name: str = "accounts.yaml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["accounts.yaml", "accounts.yml"])
def test_accounts_are_read_with_the_rules_and_are_no_part_of_them(folder: Path, name: str) -> None:
    before = load(folder, ENVIRONMENT, guarded=True)
    write(folder, name=name)
    loaded = load(folder, ENVIRONMENT, guarded=True)
    assert before.accounts is None
    assert loaded.accounts is not None
    kim, counselor = loaded.accounts.by_name.values()
    assert (kim.name, kim.role, kim.title, kim.agent, kim.password, kim.tokens) == (
        "kim", Role.SUPERVISOR, "김팀장", None, HASH, (),
    )  # fmt: skip
    assert (counselor.role, counselor.agent, counselor.tokens) == (Role.AGENT, "201", (f"sha256:{'0a' * 32}",))
    assert loaded.rulebook.hash == before.rulebook.hash
    assert name not in loaded.files
    assert HASH not in repr(loaded)
    assert account_text(folder) == loaded.accounts.text == ACCOUNTS


def test_going_back_to_an_older_version_of_the_rules_leaves_accounts_alone(folder: Path) -> None:
    older = dict(load(folder, ENVIRONMENT).files)
    write(folder)
    kept = put_in_place(older, folder)
    assert account_file(folder) == folder / "accounts.yaml"
    assert not (kept / "accounts.yaml").exists()
    assert folder / "accounts.yaml" not in files_of(folder)


def test_who_only_asks_the_rules_need_not_be_let_read_accounts(folder: Path) -> None:
    write(folder, "accounts: nonsense\n")
    assert load(folder, ENVIRONMENT).accounts is None
    loaded, problems = examine(folder, {**ENVIRONMENT, "CALLROUTER_WEB_HOST": EVERYWHERE})
    assert (loaded is not None, problems.errors) == (True, [])


def test_a_file_that_says_nothing_does_not_open_the_door(folder: Path) -> None:
    for text in ("", "accounts:\n", "accounts: {}\n", "# none\n"):
        write(folder, text)
        with pytest.raises(ConfigError, match=r"accounts\.yaml:1:1"):
            load(folder, ENVIRONMENT, guarded=True)


def test_a_file_that_is_saved_while_it_is_read_is_read_again(folder: Path) -> None:
    reads = []

    def reading() -> str | None:
        reads.append(account_text(folder))
        if len(reads) == 1:
            write(folder)
        return reads[-1]

    assert at_rest(folder, reading) == ACCOUNTS
    assert reads == [None, ACCOUNTS]


def test_a_file_that_cannot_be_read_is_a_fault(folder: Path) -> None:
    (folder / "accounts.yaml").write_bytes(b"accounts: \xff\n")
    problems = Problems()
    found = read_accounts(folder, {"201"}, problems)
    assert found is not None
    assert found.by_name == {}
    assert [str(one) for one in problems.errors] == [
        "accounts.yaml:1:1: is not UTF-8; save it as UTF-8 (not CP949/EUC-KR)"
    ]
    assert account_text(folder) == ""


@pytest.mark.parametrize(
    ("host", "https", "warned"),
    [("192.0.2.1", "no", True), (EVERYWHERE, "no", True), ("192.0.2.1", "yes", False), ("127.0.0.1", "no", False)],
)
def test_passwords_in_the_clear_are_warned_of(folder: Path, host: str, https: str, *, warned: bool) -> None:
    write(folder)
    (folder / "web.yaml").write_text(f"web: {{host: {host}, https: {https}}}\n", encoding="utf-8")
    warnings = load(folder, ENVIRONMENT, guarded=True).warnings
    assert [line.split(": ")[0] for line in warnings] == ["web.yaml:1:13"] * warned
    assert all("in the clear; let a proxy serve HTTPS before it, and write https: yes" in line for line in warnings)


def test_the_host_of_the_environment_needs_accounts_too(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r'^\$CALLROUTER_WEB_HOST:1:1: page and API would be served on "::"'):
        load(folder, {**ENVIRONMENT, "CALLROUTER_WEB_HOST": "::"}, guarded=True)


@pytest.mark.parametrize(
    ("host", "holds"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), (EVERYWHERE, False), ("::", False),
     ("192.0.2.1", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_only_what_is_surely_this_machine_is(host: str, *, holds: bool) -> None:
    assert is_loopback(host) is holds


def test_networks_of_proxies_come_from_the_environment_with_commas(folder: Path) -> None:
    environ = {**ENVIRONMENT, "CALLROUTER_WEB_PROXIES": "10.0.0.0/8,::1/128", "CALLROUTER_WEB_SESSION_IDLE": "5 min"}
    web = load(folder, environ).settings.web
    assert ([str(net) for net in web.proxies], web.session_idle_s) == (["10.0.0.0/8", "::1/128"], 300.0)
