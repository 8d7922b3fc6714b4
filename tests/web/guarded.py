"""A web server with an account of each role, who comes in by a token or a password of that name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import argon2

from callrouter.config.settings import WebSettings
from callrouter.core.access import Account, Role
from callrouter.core.ids import AccountName, AgentId
from callrouter.web.desks import Desks
from callrouter.web.gate import Gate
from callrouter.web.server import WebServer
from tests.fakes.attendance import FakeAttendance
from tests.fakes.conversations import FakeConversations
from tests.fakes.recordings import FakeRecordings
from tests.fakes.reload import FakeReloader
from tests.fakes.remembered import FakeRemembering
from tests.fakes.returns import FakeReturns
from tests.fakes.status import AT, FakeStatus
from tests.fakes.supervision import FakeSupervision
from tests.fakes.switches import FakeSwitcher
from tests.fakes.trail import FakeTrail

OWN = "201"
"""The counselor whom the account of role agent is; he talks."""
LOCAL = "of this machine"

_QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def password(name: str) -> str:
    return f"the password of {name}"


def token(name: str) -> str:
    return f"the token of {name}"


def account(role: Role) -> Account:
    """Named like its role."""
    return Account(
        AccountName(role.value),
        role,
        title=f"<{role}>",
        agent=AgentId(OWN) if role is Role.AGENT else None,
        password=_QUICK.hash(password(role.value)),
        tokens=(f"sha256:{hashlib.sha256(token(role.value).encode()).hexdigest()}",),
    )


ACCOUNTS: Mapping[AccountName, Account] = {one.name: one for one in map(account, Role)}
SETTINGS = WebSettings("127.0.0.1", 0, requests_per_s=10_000)


@dataclass
class Office:
    """What serves, and what was asked of whom."""

    settings: WebSettings = SETTINGS
    accounts: Mapping[AccountName, Account] | None = field(default_factory=lambda: ACCOUNTS)
    source: FakeStatus = field(default_factory=FakeStatus)
    trail: FakeTrail = field(default_factory=FakeTrail)
    attendance: FakeAttendance = field(default_factory=FakeAttendance)
    talks: FakeConversations = field(default_factory=FakeConversations)
    supervision: FakeSupervision = field(default_factory=FakeSupervision)
    recordings: FakeRecordings = field(default_factory=FakeRecordings)
    switcher: FakeSwitcher = field(default_factory=FakeSwitcher)
    reloader: FakeReloader = field(default_factory=FakeReloader)
    memory: FakeRemembering = field(default_factory=FakeRemembering)
    returns: FakeReturns = field(default_factory=FakeReturns)
    now_s: float = 1000.0

    def server(self) -> WebServer:
        gate = Gate(
            lambda: self.accounts,
            self.settings,
            self.trail,
            lambda: AT,
            local_token=LOCAL,
            monotonic=lambda: self.now_s,
        )
        desks = Desks(
            reloader=self.reloader,
            remembering=self.memory,
            switcher=self.switcher,
            attendance=self.attendance,
            conversations=self.talks,
            supervision=self.supervision,
            recordings=self.recordings,
            callbacks=self.returns,
        )
        return WebServer("127.0.0.1", 0, self.source, desks, gate=gate)

    def without(self, role: Role) -> None:
        """Its account is gone."""
        self.accounts = {name: one for name, one in ACCOUNTS.items() if one.role is not role}

    def with_role(self, name: Role, role: Role) -> None:
        """An account gets another role."""
        assert self.accounts is not None
        changed = replace(self.accounts[AccountName(name.value)], role=role)
        self.accounts = {**self.accounts, changed.name: changed}


def bearer(name: str) -> dict[str, str]:
    """Headers of a program with that account's token."""
    return {"Authorization": f"Bearer {token(name)}"}
