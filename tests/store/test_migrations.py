"""What a step of the schema may do, so that the daemon of the version before goes on working beside it."""

import re

import pytest

from callrouter.store.schema import Migration, migrations

SINCE = 10
"""Of steps before this one no version is left that could run beside them."""

_ADDS = (
    r"CREATE TABLE callrouter\.\w+ .*",
    r"COMMENT ON \w+ .*",
    r"CREATE (OR REPLACE )?(VIEW|FUNCTION) callrouter\.\w+.*",
    r"REVOKE .* ON FUNCTION callrouter\.\w+.*",
)
"""Statements that the version before cannot notice. PostgreSQL itself lets a view only gain columns at its end."""
_TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$\$.*?\$\$", re.DOTALL)
_COLUMNS = re.compile(r"ALTER TABLE callrouter\.(\w+) (ADD COLUMN .*)", re.DOTALL)
_CHECK = re.compile(r"ALTER TABLE callrouter\.\w+ ADD CHECK \((.*)\)", re.DOTALL)
_OPERATORS = {"AND", "OR", "NOT", "IS", "IN", "NULL"}
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \w+ ON callrouter\.(\w+) .*", re.DOTALL)
_TRIGGER = re.compile(r"CREATE TRIGGER (\w+) .*", re.DOTALL)

ALLOWED = {
    "audit_is_kept": "no version ever altered the audit log",
    "audit_is_kept_whole": "no version ever altered the audit log",
}
"""Triggers that refuse something, and why that is nothing that the version before does."""


def statements(sql: str) -> list[str]:
    """Its statements, without comments, and with nothing in texts and in the bodies of functions."""
    bare = _TEXT.sub(lambda found: "''" if found[0][0] == "'" else "", sql)
    return [" ".join(one.split()) for one in bare.split(";") if one.strip()]


def faults(step: Migration) -> list[str]:
    """What of a step the version before could stumble over."""
    tables = set(re.findall(r"CREATE TABLE callrouter\.(\w+) ", step.sql))
    columns = set(re.findall(r"ADD COLUMN (\w+)", step.sql))
    return [one for one in statements(step.sql) if not _is_unnoticed(one, tables, columns)]


def _is_unnoticed(statement: str, new_tables: set[str], new_columns: set[str]) -> bool:
    if match := _COLUMNS.fullmatch(statement):
        return all(map(_may_be_left_out, re.split(r", (?=ADD COLUMN )", match[2])))
    if match := _CHECK.fullmatch(statement):
        return set(re.findall(r"[A-Za-z_]+", match[1])) <= _OPERATORS | new_columns
    if match := _INDEX.fullmatch(statement):
        return not match[1] or match[2] in new_tables
    if match := _TRIGGER.fullmatch(statement):
        return match[1] in ALLOWED
    return any(re.fullmatch(pattern, statement, re.DOTALL) for pattern in _ADDS)


def _may_be_left_out(column: str) -> bool:
    """Whether who does not know of the column may go on inserting rows."""
    return column.startswith("ADD COLUMN ") and (
        "NOT NULL" not in column or " DEFAULT " in column or "GENERATED" in column
    )


@pytest.mark.parametrize("step", [one for one in migrations() if one.version >= SINCE], ids=lambda one: one.name)
def test_a_step_only_adds_what_the_version_before_may_leave_out(step: Migration) -> None:
    assert faults(step) == []


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE callrouter.audit;",
        "ALTER TABLE callrouter.cdr DROP COLUMN mark;",
        "ALTER TABLE callrouter.cdr RENAME COLUMN mark TO label;",
        "ALTER TABLE callrouter.cdr ALTER COLUMN mark SET NOT NULL;",
        "ALTER TABLE callrouter.cdr ADD COLUMN label text NOT NULL;",
        "ALTER TABLE callrouter.cdr ADD COLUMN one text, ADD COLUMN two text NOT NULL;",
        "ALTER TABLE callrouter.cdr ADD CHECK (talk_s < 7200);",
        "CREATE UNIQUE INDEX cdr_once ON callrouter.cdr (caller);",
        "UPDATE callrouter.cdr SET mark = NULL;",
        "CREATE TRIGGER no_more BEFORE INSERT ON callrouter.cdr FOR EACH ROW EXECUTE FUNCTION callrouter.no();",
    ],
)
def test_what_would_break_the_version_before_is_found(sql: str) -> None:
    assert faults(Migration(99, "bad", sql)) != []
