"""Accounts: who may come in by page and API.

They stand in ``accounts.yaml`` beside the rules and are no part of them: their hashes come into no history, going back
to an old version gives nobody his account back, and a new account is no new version.
"""

import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from pydantic import ValidationError

from callrouter.addresses import is_loopback
from callrouter.config.account_model import AccountFile, AccountSpec
from callrouter.config.problems import Problems, nearest
from callrouter.config.settings import WebSettings
from callrouter.config.source import ACCOUNT_FILES, Document, read_files
from callrouter.config.validate import report
from callrouter.core.access import Account, Role
from callrouter.core.ids import AccountName, AgentId

USUAL_FILE = "accounts.yaml"
LOCAL = "local"
"""The account of whoever may read the daemon's state directory; no other has that name."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """All of them."""

    by_name: Mapping[AccountName, Account]
    text: str = field(default="", repr=False)
    """The file as it was read."""


def account_file(directory: FilePath) -> FilePath | None:
    """The file of accounts of ``directory``, or what stands in its place; None if there is none."""
    return next((directory / name for name in sorted(ACCOUNT_FILES) if os.path.lexists(directory / name)), None)


def account_text(directory: FilePath) -> str | None:
    """What stands in the file of accounts; None if there is none, and nothing if it cannot be read."""
    path = account_file(directory)
    if path is None:
        return None
    texts = read_files({path.name: path}, Problems(), Document(home=path.name)).texts
    return texts.get(path.name, "")


def read_accounts(directory: FilePath, agents: AbstractSet[str], problems: Problems) -> Accounts | None:
    """The accounts of ``directory``; None if there is no file of them. Faults go to ``problems``.

    ``agents`` are the counselors who are known.
    """
    path = account_file(directory)
    if path is None:
        return None
    document = read_files({path.name: path}, problems, Document(home=path.name, example="accounts"))
    if document.incomplete:
        return Accounts({})
    try:
        written = AccountFile.model_validate(document.sections)
    except ValidationError as error:
        report(document, error, AccountFile, problems)
        return Accounts({})
    _check(written.accounts, document, agents, problems)
    found = {AccountName(name): _account(name, spec) for name, spec in written.accounts.items()}
    return Accounts(found, document.texts[path.name])


def _account(name: str, spec: AccountSpec) -> Account:
    agent = AgentId(spec.agent) if spec.agent is not None else None
    return Account(AccountName(name), Role(spec.role), spec.title or "", agent, spec.password, tuple(spec.tokens))


def _check(
    written: Mapping[str, AccountSpec], document: Document, agents: AbstractSet[str], problems: Problems
) -> None:
    """What no account can know by itself."""
    tokens: dict[str, str] = {}
    for name, spec in written.items():
        if name == LOCAL:
            place = document.place(("accounts", name), key=True)
            problems.error(place, f'"{LOCAL}" is who works on this machine', "choose another name")
        if spec.agent is not None and spec.agent not in agents:
            place = document.place(("accounts", name, "agent"))
            problems.error(place, f'unknown agent "{spec.agent}"', nearest(spec.agent, agents))
        for index, token in enumerate(spec.tokens):
            other = tokens.setdefault(token, name)
            if other != name:
                place = document.place(("accounts", name, "tokens", index))
                problems.error(place, f'"{other}" has this token, too', "have callrouter account token make another")


def check_guard(document: Document, web: WebSettings, accounts: Accounts | None, problems: Problems) -> None:
    """Refuse to serve others than this machine without accounts, and say where passwords go in the clear."""
    if is_loopback(web.host):
        return
    place = document.place(("web", "host"))
    if accounts is None:
        message = f'page and API would be served on "{web.host}", to everybody who reaches it: there are no accounts'
        remedy = f"have callrouter account add make {USUAL_FILE}, or write 127.0.0.1 or ::1"
        problems.error(place, message, remedy)
    elif not web.https:
        message = f'passwords and cookies would cross the network to "{web.host}" in the clear'
        problems.warn(place, message, "let a proxy serve HTTPS before it, and write https: yes")
