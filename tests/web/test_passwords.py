"""Passwords are checked in threads, a few at a time, and as long for nobody as for somebody."""

import asyncio
import threading
import unicodedata

import pytest

from callrouter.core.access import parse_password_hash
from callrouter.web import passwords
from callrouter.web.passwords import HASHER, PasswordCheck, TooManyError, hashed, matches


def test_a_password_is_recognised_and_its_hash_is_one_that_accounts_take() -> None:
    kept = hashed("비밀번호 열 글자 이상")
    assert parse_password_hash(kept) == kept
    assert not HASHER.check_needs_rehash(kept)
    assert matches(kept, "비밀번호 열 글자 이상")
    assert matches(kept, unicodedata.normalize("NFD", "비밀번호 열 글자 이상")), "as another keyboard writes it"
    assert not matches(kept, "비밀번호 열 글자 미만")
    assert not matches(kept, "")


def test_nobody_s_password_is_never_right_and_its_hash_costs_as_much() -> None:
    assert not matches(None, "")
    assert not HASHER.check_needs_rehash(passwords._NOBODYS)
    assert not matches("no hash at all", "x")


def test_what_is_longer_than_a_password_is_none() -> None:
    kept = hashed("x" * 256)
    assert matches(kept, "x" * 256)
    assert not matches(kept, "x" * 257)


async def test_few_at_a_time_in_threads_while_the_event_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    most, now, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def slow(*_: object) -> bool:
        nonlocal most, now
        assert threading.current_thread() is not threading.main_thread()
        with lock:
            now += 1
            most = max(most, now)
        assert go_on.wait(10)
        with lock:
            now -= 1
        return True

    monkeypatch.setattr(passwords, "matches", slow)
    check = PasswordCheck(at_once=2, most_waiting=3)
    asked = [asyncio.create_task(check.matches(None, "x")) for _ in range(5)]
    await asyncio.sleep(0)  # each has begun
    with pytest.raises(TooManyError):
        await check.matches(None, "x")
    go_on.set()
    assert await asyncio.gather(*asked) == [True] * 5
    assert most == 2
    assert await check.matches(None, "x"), "there is room again"
