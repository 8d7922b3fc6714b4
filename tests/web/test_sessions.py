"""Sessions: bounded in number, and nothing that could be stolen is kept of them."""

import pytest

from callrouter.core.access import Account, Role
from callrouter.core.ids import AccountName
from callrouter.web import sessions as keeping
from callrouter.web.sessions import MOST_OF_AN_ACCOUNT, Sessions

KIM, LEE = (Account(AccountName(name), Role.OPERATOR) for name in ("kim", "lee"))


def test_an_account_has_so_many_and_the_oldest_makes_room() -> None:
    sessions = Sessions(60.0, 600.0)
    others = sessions.begin(LEE, 0.0)
    tokens = [sessions.begin(KIM, 0.0) for _ in range(MOST_OF_AN_ACCOUNT + 2)]
    assert [sessions.find(token, 1.0) is not None for token in tokens] == [False, False] + [True] * MOST_OF_AN_ACCOUNT
    assert sessions.find(others, 1.0) is not None


def test_there_are_so_many_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SESSIONS", 2)
    sessions = Sessions(60.0, 600.0)
    tokens = [sessions.begin(account, 0.0) for account in (KIM, LEE, KIM)]
    assert len(sessions) == 2
    assert [sessions.find(token, 0.0) is not None for token in tokens] == [False, True, True]


def test_what_is_kept_lets_nobody_in() -> None:
    sessions = Sessions(60.0, 600.0)
    token = sessions.begin(KIM, 0.0)
    (kept,) = sessions._sessions
    assert token not in kept
    assert sessions.find(kept, 0.0) is None
    assert sessions.end(kept) is None
    assert sessions.end(token) == "kim"
    assert sessions.find(token, 0.0) is None


def test_a_session_that_is_over_is_kept_no_longer() -> None:
    sessions = Sessions(60.0, 600.0)
    token = sessions.begin(KIM, 0.0)
    assert sessions.find(token, 60.0) is None
    assert len(sessions) == 0
    assert sessions.find("\udcff", 0.0) is None
