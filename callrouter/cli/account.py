"""``callrouter account``: who may come in by page and API."""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from callrouter.cli.options import config_option, json_option
from callrouter.cli.text import Column, plain, table
from callrouter.config.accounts import USUAL_FILE, Accounts, account_file, read_accounts
from callrouter.config.folder import locked
from callrouter.config.model import parse_name
from callrouter.config.problems import Problems
from callrouter.core.access import Account, Permission, Role, refuse_weak, scope_of
from callrouter.core.ids import AccountName, AgentId
from callrouter.errors import ConfigError
from callrouter.web.passwords import hashed
from callrouter.web.sessions import TOKEN_BYTES, digest

_EPILOG = """\b
Examples:
  callrouter account add kim --role supervisor --title 김팀장
  callrouter account add 201 --role agent --agent 201
  callrouter account hash
"""
_MODE = 0o640
_COLUMNS = (
    Column("account", 16),
    Column("role", 12),
    Column("title", 28),
    Column("agent", 12),
    Column("password", 8),
    Column("tokens", 6, right=True),
)
_HEAD = "# yaml-language-server: $schema=accounts.schema.json\naccounts:\n"


@click.group(epilog=_EPILOG, invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def account(context: click.Context, /, config: Path, as_json: bool) -> None:
    """Show who may come in by page and API (accounts.yaml); `add` makes an account, `hash` and `token` their secrets.

    Changes are in force after `callrouter reload`. Nothing secret is taken from the command line or kept in the file.

    Exit status: 0 fine, 1 the file has faults.
    """
    if context.invoked_subcommand is not None:
        return
    found = _known(config)
    if as_json:
        click.echo(json.dumps([_data(one) for one in found.values()], ensure_ascii=False, indent=2))
    elif found:
        click.echo(table(_COLUMNS, map(_row, found.values())))
    else:
        click.echo(f"no accounts: page and API are open to this machine alone ({USUAL_FILE} is not there)")


@account.command(name="hash", epilog="Example: callrouter account hash")
def make_hash() -> None:
    """Make of a password what is written under `password:` in accounts.yaml.

    It is asked for, and not shown; from a program it is the first line of the standard input.

    Exit status: 0 done, 2 it is too weak.
    """
    click.echo(f"password: {hashed(_password(''))}")


@account.command(epilog="Example: callrouter account token")
def token() -> None:
    """Make a token for a program. It is shown once; what stands in accounts.yaml, under `tokens:`, is its digest.

    The program sends it as `Authorization: Bearer TOKEN`; commands of callrouter take it from $CALLROUTER_TOKEN.
    """
    made = secrets.token_urlsafe(TOKEN_BYTES)
    click.echo(f"the token, for the program alone: {made}", err=True)
    click.echo(f"tokens: sha256:{digest(made)}")


@account.command(epilog="Example: callrouter account add kim --role supervisor --title 김팀장")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may do.")
@click.option("--agent", help="With the role agent: the counselor who it is.")
@click.option("--title", default="", help="Name for people.")
@config_option
def add(name: str, role: str, agent: str | None, title: str, config: Path) -> None:
    """Add the account NAME to accounts.yaml, which is made if it is not there. The password is asked for.

    Exit status: 0 done, 1 the file has faults or the account already, 2 wrong usage or too weak a password.
    """
    try:
        parse_name(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    if (role == Role.AGENT) != (agent is not None):
        raise click.UsageError("an account of role agent is a counselor, and no other is: give --agent with it alone")
    new = Account(AccountName(name), Role(role), plain(title), AgentId(agent) if agent is not None else None)
    if name in _known(config):
        raise ConfigError((f'{USUAL_FILE}: there is an account "{name}" already; edit it, or choose another name',))
    text = _text(new, hashed(_password(name)))
    with locked(config, to_write=True):
        path = account_file(config) or config / USUAL_FILE
        _append(path, text)
    click.echo(f'{path}: account "{name}" ({role}) added; callrouter reload puts it into force')


@account.command(epilog="Example: callrouter account roles")
@json_option
def roles(as_json: bool) -> None:
    """Show what each role may do. `own`: of the account's own counselor alone."""
    said = {
        permission.value: {role.value: (scope_of(role, permission) or "-") for role in Role}
        for permission in Permission
    }
    if as_json:
        click.echo(json.dumps(said, indent=2))
        return
    columns = (Column("may", 18), *(Column(role.value, 10) for role in Role))
    click.echo(table(columns, [(name, *map(str, of.values())) for name, of in said.items()]))


def _password(name: str) -> str:
    """From the terminal, twice; or one line from a program. Never an argument: those are seen in lists of processes."""
    stream = sys.stdin
    if stream.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = stream.readline().rstrip("\r\n")
    try:
        refuse_weak(name, password)
    except ValueError as error:
        raise click.UsageError(f"{error}; choose another") from error
    return password


def _known(config: Path) -> Mapping[AccountName, Account]:
    problems = Problems()
    # Whether counselors exist is for `check` to say, which reads the rules too.
    found = read_accounts(config, _Everybody(), problems) or Accounts({})
    if problems.errors:
        raise ConfigError(tuple(map(str, problems.errors)))
    return found.by_name


class _Everybody(frozenset[str]):
    """Whoever is named is there."""

    def __contains__(self, _: object) -> bool:
        return True


def _text(new: Account, password: str) -> str:
    # JSON's texts are YAML's, too, whatever stands in them.
    lines = [f"  {json.dumps(new.name)}:", f"    role: {new.role}", f"    password: {password}"]
    if new.title:
        lines.insert(1, f"    title: {json.dumps(new.title, ensure_ascii=False)}")
    if new.agent is not None:
        lines.insert(-1, f"    agent: {json.dumps(new.agent)}")
    return "\n".join(lines) + "\n"


def _append(path: Path, text: str) -> None:
    try:
        there = path.read_text(encoding="utf-8") if path.exists() else _HEAD
        beside = path.with_name(f".{path.name}.new")
        mode = path.stat().st_mode & 0o777 if path.exists() else _MODE
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(there if there.endswith("\n") else f"{there}\n")
            file.write(text)
        os.replace(beside, path)
    except OSError as error:
        raise ConfigError((f"{path}: cannot be written ({error.strerror}); run this as who may change it",)) from error


def _data(one: Account) -> dict[str, object]:
    return {
        "account": one.name,
        "role": one.role,
        "title": one.title,
        "agent": one.agent,
        "password": one.password is not None,
        "tokens": len(one.tokens),
    }


def _row(one: Account) -> tuple[str, ...]:
    has_password = "yes" if one.password is not None else "no"
    return (one.name, one.role, plain(one.title), one.agent or "-", has_password, str(len(one.tokens)))
