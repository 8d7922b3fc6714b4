"""SQL is written beforehand, and values go beside it: no statement is put together from what somebody said."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import callrouter

SOURCES = sorted(Path(callrouter.__file__).parent.rglob("*.py"))
TAKES_SQL = frozenset({"execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval", "prepare", "cursor"})
"""Methods of asyncpg and sqlite3 whose first argument is a statement."""
NOT_SQL = frozenset({"connection.cursor", "self._desk.fetch", "self._tapes_for(request).fetch", "self._rows.fetch"})
LOOKED_AT = {
    "audit_journal.py": {
        "connection.execute(f'DELETE FROM audit WHERE delivered = 1 AND at < ? AND seq NOT IN ({newest_of_each})',"
        " (older_than,))",
        "connection.execute(query, (kind,))",
    },
    "journal.py": {"connection.execute(query, values)", "connection.executemany(statement, rows)"},
    "journal_file.py": {
        "connection.executescript(f'BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;')"
    },
    "journal_writer.py": {
        "connection.execute(_insert_facts(len(facts_now)), tuple(chain.from_iterable(facts_now)))",
        "connection.execute(_insert_finished(len(rows)), values)",
        "connection.execute(*row.statement)",
        "connection.execute(statement, values)",
    },
    "copied.py": {"connection.execute(f'SELECT 1 FROM {table} WHERE id = ?', (name,))"},
    "leased_session.py": {"self._connection.execute(f'SET idle_session_timeout = {int(self._lease_s * 1000)}')"},
    "reception.py": {"websocket.prepare(request)"},
    "schema.py": {"connection.execute(step.sql, timeout=_MIGRATION_TIMEOUT_S)"},
}
"""What this cannot see through, and people have: numbers, question marks, names of ours, and what is handed on from a
place that is seen through."""
Known = Mapping[str, Sequence[ast.expr]]
IS_FIXED = frozenset({"query", "statement"})
"""Functions that give a statement of a file of ours, by its name."""


def statements(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.args
            and node.func.attr in TAKES_SQL
            and ast.unparse(node.func) not in NOT_SQL
        ):
            yield node


def is_written(node: ast.expr, known: Known) -> bool:
    """Whether it is text that stands in the source, or in our file of statements."""
    match node:
        case ast.Constant():
            return True
        case ast.Name():
            return node.id in known and all(is_written(value, known) for value in known[node.id])
        case ast.IfExp():
            return is_written(node.body, known) and is_written(node.orelse, known)
        case ast.JoinedStr():
            return all(is_written(part, known) for part in node.values)
        case ast.FormattedValue():
            return is_written(node.value, known)
        case ast.BinOp():
            return is_written(node.left, known) and is_written(node.right, known)
        case ast.Attribute():
            return node.attr.isupper()  # a constant of another module
        case ast.Call():
            return ast.unparse(node.func) in IS_FIXED
    return False


def known_in(*scopes: ast.AST) -> Known:
    """What every name stands for that is given a value there."""
    found: dict[str, list[ast.expr]] = {}
    for scope in scopes:
        for node in ast.walk(scope) if not isinstance(scope, ast.Module) else scope.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.AugAssign) else targets
            for target in targets:
                value = getattr(node, "value", None)
                if isinstance(target, ast.Name) and value is not None:
                    found.setdefault(target.id, []).append(value)
    return found


def faults(source: str) -> list[str]:
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = {call: known_in(tree) for call in statements(tree)}
    for function in functions:  # inner ones come later, and know more
        for call in statements(function):
            found[call] = known_in(tree, function)
    return [ast.unparse(call) for call, known in found.items() if not is_written(call.args[0], known)]


def test_no_statement_is_put_together() -> None:
    found = {path.name: set(wrong) for path in SOURCES if (wrong := faults(path.read_text(encoding="utf-8")))}
    assert found == LOOKED_AT


def test_statements_are_looked_at() -> None:
    seen = sum(1 for path in SOURCES for _ in statements(ast.parse(path.read_text(encoding="utf-8"))))
    assert seen > 50


@pytest.mark.parametrize(
    "wrong",
    [
        'await connection.fetch(f"SELECT * FROM cdr WHERE caller = {number}")',
        "connection.execute(\"SELECT * FROM cdr WHERE caller = '%s'\" % number)",
        'connection.execute("SELECT * FROM cdr WHERE caller = " + number)',
        'connection.execute("SELECT {}".format(number))',
        "connection.execute(text)",
    ],
)
def test_one_that_is_put_together_is_found(wrong: str) -> None:
    assert len(faults(f"async def look(connection, number, text):\n    {wrong}\n")) == 1
