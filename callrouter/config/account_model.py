"""What may be written in ``accounts.yaml``: every key, its meaning and default.

The file stands beside the configuration and is no part of it. Values are texts as written, as in
:mod:`callrouter.config.model`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from callrouter.config.model import Name, Section
from callrouter.config.scalars import Text, one_or_many
from callrouter.core.access import parse_password_hash, parse_token_digest


def parse_password(value: object) -> object:
    """A hashed password. What is written is not repeated in messages: it may be the password itself."""
    try:
        return parse_password_hash(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"{error}; have callrouter account hash make one, and write what it prints") from error


def parse_token(value: object) -> object:
    """A hashed token, likewise."""
    try:
        return parse_token_digest(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"{error}; have callrouter account token make one, and write what it prints") from error


class AccountSpec(Section):
    """Somebody, or a program, under ``accounts:``."""

    title: Text | None = None
    """Name for people."""
    role: Literal["operator", "supervisor", "agent", "auditor", "admin"]
    """What the account may do."""
    agent: Name | None = None
    """The counselor who it is; for the role ``agent``, which sees and orders him alone."""
    password: Annotated[str, BeforeValidator(parse_password)] | None = None
    """The hash that ``callrouter account hash`` prints; left out: nobody logs in by page."""
    tokens: Annotated[list[Annotated[str, BeforeValidator(parse_token)]], BeforeValidator(one_or_many)] = Field(
        default=[]
    )
    """Digests of tokens for programs, as ``callrouter account token`` prints them."""

    @model_validator(mode="after")
    def _comes_in_and_is_bound(self) -> "AccountSpec":
        if self.password is None and not self.tokens:
            raise ValueError("nobody can come in with this account; write password: or tokens:, or take it out")
        if (self.role == "agent") != (self.agent is not None):
            raise ValueError('an account of role "agent" is a counselor, and no other is; write agent: with it alone')
        return self


class AccountFile(Section):
    """``accounts.yaml``."""

    accounts: Annotated[dict[Name, AccountSpec], Field(min_length=1)]
    """Who may come in by page and API, by name."""
