"""Accounts: what a role may, and what stands for a password or a token."""

import re
import unicodedata

import pytest

from callrouter.core.access import (
    PERMISSIONS,
    Account,
    Permission,
    Role,
    Scope,
    normal,
    parse_password_hash,
    parse_token_digest,
    refuse_weak,
    roles_with,
    scope_of,
)
from callrouter.core.ids import AccountName

TAIL = "$" + "a" * 22 + "$" + "b" * 43


def argon2(memory: object = 47104, passes: object = 2, lanes: object = 1, tail: str = TAIL) -> str:
    return f"$argon2id$v=19$m={memory},t={passes},p={lanes}{tail}"


def test_every_role_is_in_the_table_and_every_permission_is_somebody_s() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert set().union(*PERMISSIONS.values()) == set(Permission)
    assert set(PERMISSIONS[Role.ADMIN]) == set(Permission)


def test_an_auditor_changes_nothing_and_a_counselor_does_nothing_of_others() -> None:
    looks = {one for one in Permission if one.startswith("see-")} | {Permission.FETCH_RECORDINGS, Permission.READ_AUDIT}
    assert set(PERMISSIONS[Role.AUDITOR]) == looks
    assert set(PERMISSIONS[Role.AGENT].values()) == {Scope.OWN}


def test_who_hears_and_who_sees_numbers_are_those_whose_work_it_is() -> None:
    all_ = Scope.ALL
    assert roles_with(Permission.SUPERVISE) == ((Role.SUPERVISOR, all_), (Role.ADMIN, all_))
    for permission in (Permission.SEE_NUMBERS, Permission.FETCH_RECORDINGS):
        assert [role for role, _ in roles_with(permission)] == [Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN]
    assert scope_of(Role.AGENT, Permission.ORDER_AGENTS) is Scope.OWN
    assert scope_of(Role.OPERATOR, Permission.SUPERVISE) is None


def test_an_account_shows_none_of_its_secrets() -> None:
    one = Account(AccountName("kim"), Role.ADMIN, password=argon2(), tokens=("sha256:" + "a" * 64,))
    assert "argon2" not in repr(one)
    assert "sha256" not in repr(one)


def test_an_argon2id_hash_is_taken_as_it_is() -> None:
    assert parse_password_hash(argon2()) == argon2()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("secret", "that is no argon2id hash"),
        ("", "that is no argon2id hash"),
        (argon2().replace("argon2id", "argon2i"), "that is no argon2id hash"),
        (argon2(tail="$" + "a" * 1000), "that is no argon2id hash"),
        (argon2(tail="$a$b"), "that is no argon2id hash"),
        (argon2(memory=1024), "its memory (m=1024) is not from 19456 to 262144 KiB"),
        (argon2(memory=999_999_999), "its memory (m=999999999) is not from 19456 to 262144 KiB"),
        (argon2(passes=11), "its cost (t=11,p=1) is not within t=10,p=8"),
        (argon2(passes=0), "its cost (t=0,p=1) is not within t=10,p=8"),
        (argon2(lanes=9), "its cost (t=2,p=9) is not within t=10,p=8"),
    ],
)
def test_what_is_no_hash_or_a_cheap_or_dear_one_is_refused_without_being_repeated(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        parse_password_hash(text)
    assert not text or text not in str(refused.value)


def test_a_token_is_kept_as_its_digest() -> None:
    digest = "sha256:" + "0a" * 32
    assert parse_token_digest(digest) == digest
    for text in ("token", digest.upper(), digest + "0", "sha256:"):
        with pytest.raises(ValueError, match="that is no digest of a token"):
            parse_token_digest(text)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "a password has 10 to 256 characters"),
        ("x" * 257, "a password has 10 to 256 characters"),
        ("abababababab", "a password is not the same few characters over and over"),
        ("xxKIMxx12345", "a password does not hold the account's name"),
    ],
)
def test_a_weak_password_is_refused(password: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refuse_weak("kim", password)


@pytest.mark.parametrize("password", ["correct horse", "비밀번호는길게쓰세요", "kim and a long sentence", "0123456789"])
def test_a_good_password_is_not(password: str) -> None:
    refuse_weak("kim", password)
    refuse_weak("", password)


def test_hangul_is_the_same_from_every_keyboard() -> None:
    assert normal(unicodedata.normalize("NFD", "비밀")) == normal("비밀") == "비밀"
