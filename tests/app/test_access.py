"""Accounts as the daemon has them: what a reload means for them, and the token of this machine."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callrouter.app.access import JournalTrail, account_changes, make_local_token, note_account_changes
from callrouter.app.reload import ACCOUNTS_GONE, ConfigReloader, ReloadOutcome
from callrouter.config.accounts import Accounts
from callrouter.core.access import Account, Role
from callrouter.core.audit import AuditEntry, AuditKind
from callrouter.core.ids import AccountName
from callrouter.errors import JournalError, UnreachableError
from callrouter.store.journal import Journal
from callrouter.web.client import LOCAL_TOKEN_FILE, LocalUrl, token_for
from callrouter.web.reload import ReloadRequest
from callrouter.web.trail import AuditSearchRequest

AT = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
HASH = "$argon2id$v=19$m=47104,t=2,p=1$rwbTuGDdirglBBaC/LYTBg$nLrU+UzO5x4Re9CA4wfTp4H/WmLgONceb63PCf1FNOA"


def write(folder: Path, *names: str, role: str = "operator") -> None:
    entries = "".join(f"  {name}:\n    role: {role}\n    password: {HASH}\n" for name in names)
    (folder / "accounts.yaml").write_text(f"accounts:\n{entries}", encoding="utf-8")


def known(reloader: ConfigReloader) -> dict[str, str] | None:
    accounts = reloader.known_accounts()
    return {name: one.role for name, one in accounts.items()} if accounts is not None else None


async def test_accounts_are_taken_by_a_reload_though_the_rules_are_the_same(
    folder: Path, reloader: ConfigReloader
) -> None:
    before = reloader.loaded.rulebook.hash
    assert known(reloader) is None
    write(folder, "kim", "lee")
    assert await reloader.is_behind()
    report = await reloader.reload(ReloadRequest("root"))
    assert (report.ok, report.changed, report.config_hash) == (True, True, before)
    assert known(reloader) == {"kim": "operator", "lee": "operator"}
    assert not await reloader.is_behind()
    write(folder, "kim", role="admin")
    assert (await reloader.reload(ReloadRequest("root"))).changed
    assert known(reloader) == {"kim": "admin"}
    assert not (await reloader.reload(ReloadRequest("root"))).changed
    assert reloader.outcomes == {ReloadOutcome.TAKEN: 2, ReloadOutcome.UNCHANGED: 1}


async def test_accounts_are_taken_with_other_rules_and_refused_with_wrong_ones(
    folder: Path, reloader: ConfigReloader
) -> None:
    queues = folder / "queues.yaml"
    write(folder, "kim")
    queues.write_text(queues.read_text(encoding="utf-8").replace("본청", "새 본청"), encoding="utf-8")
    assert (await reloader.reload(ReloadRequest("root"))).ok
    assert known(reloader) == {"kim": "operator"}
    write(folder, "kim", "lee", role="boss")
    report = await reloader.reload(ReloadRequest("root"))
    assert not report.ok
    assert report.errors[0].startswith('accounts.yaml:3:11: "boss" is not known here')
    assert known(reloader) == {"kim": "operator"}


async def test_a_file_that_is_gone_does_not_open_the_door(folder: Path, reloader: ConfigReloader) -> None:
    write(folder, "kim")
    await reloader.reload(ReloadRequest("root"))
    (folder / "accounts.yaml").unlink()
    report = await reloader.reload(ReloadRequest("root"))
    assert (report.ok, report.errors) == (False, (ACCOUNTS_GONE,))
    assert known(reloader) == {"kim": "operator"}


def test_what_a_reload_means_for_accounts_is_told_one_by_one() -> None:
    kim, lee, cho = (Account(AccountName(name), Role.OPERATOR, password=HASH) for name in ("kim", "lee", "cho"))
    before = Accounts({one.name: one for one in (kim, lee, cho)})
    new = Account(kim.name, Role.ADMIN, password=HASH)
    other = Account(cho.name, Role.OPERATOR, password="other")
    park = Account(AccountName("park"), Role.AUDITOR)
    after = Accounts({one.name: one for one in (new, other, park)})
    said = [(one.name, one.was, one.becomes, one.note) for one in account_changes(before, after, "root", AT)]
    assert said == [
        ("cho", "operator", "operator", "password, tokens, agent or title"),
        ("kim", "operator", "admin", ""),
        ("lee", "operator", "", ""),
        ("park", "", "auditor", ""),
    ]
    assert list(account_changes(after, after, "root", AT)) == []
    assert [one.becomes for one in account_changes(None, Accounts({kim.name: kim}), "root", AT)] == ["operator"]
    assert list(account_changes(None, None, "root", AT)) == []


async def test_the_trail_is_the_journal(journal: Journal) -> None:
    trail = JournalTrail(journal, None)
    trail.note(AuditEntry(AT, "kim", AuditKind.LOGIN, "kim", "", "in", "page", account="kim", address="192.0.2.1"))
    assert await trail.keep(AuditEntry(AT, "kim", AuditKind.NUMBER, "c1", "", "seen", "page"))
    note_account_changes(journal, lambda: AT, None, Accounts({}), "root")
    found = [record.entry for record in await journal.undelivered_audit(9)]
    assert [(one.kind, one.account, one.address) for one in found] == [
        (AuditKind.LOGIN, "kim", "192.0.2.1"),
        (AuditKind.NUMBER, "", ""),
    ]
    assert await trail.find(AuditSearchRequest()) is None
    with pytest.raises(UnreachableError):
        await JournalTrail(journal, "postgresql://nobody@127.0.0.1:1/nothing").find(AuditSearchRequest())


def test_the_token_is_another_at_each_start_and_for_those_who_may_look_into_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_local_token(tmp_path), make_local_token(tmp_path)
    path = tmp_path / LOCAL_TOKEN_FILE
    assert first != second
    assert [one.name for one in tmp_path.iterdir()] == [LOCAL_TOKEN_FILE]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    here = LocalUrl("http://127.0.0.1:8080", tmp_path)
    assert token_for(here) == second
    assert token_for("http://127.0.0.1:8080") is None, "an address that somebody typed is shown nothing"
    assert token_for(LocalUrl("http://127.0.0.1:8080", tmp_path / "other")) is None
    monkeypatch.setenv("CALLROUTER_TOKEN", "mine")
    assert token_for(here) == token_for("http://192.0.2.1") == "mine"


def test_without_a_folder_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"local\.token cannot be written \(No such file or directory\); see to"):
        make_local_token(tmp_path / "gone")
