"""PostgreSQL: whether CDRs will get in."""

from typing import TYPE_CHECKING, Final

from callrouter.doctor.finding import WAIT_S, Finding, error, ok, warning
from callrouter.errors import UnreachableError
from callrouter.store.postgres import FOREIGN_ERRORS, connect, describe
from callrouter.store.queries import query
from callrouter.store.schema import migrations

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

CHECK: Final = "database"

_GRANT_TABLES: Final = "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA callrouter"
_MAY_CREATE: Final = """
    SELECT CASE WHEN to_regnamespace('callrouter') IS NULL
        THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege('callrouter', 'CREATE') END
"""
_MAY_LOOK: Final = """
    SELECT to_regnamespace('callrouter') IS NULL OR (
        has_schema_privilege('callrouter', 'USAGE')
        AND NOT EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = to_regnamespace('callrouter') AND relname = 'migration'
                AND NOT has_table_privilege(pg_class.oid, 'SELECT')
        )
    )
"""
_MAY_INSERT: Final = """
    SELECT has_table_privilege('callrouter.cdr', 'INSERT') AND has_table_privilege('callrouter.cdr_leg', 'INSERT')
"""


async def check_database(url: str | None, variable: str = "CALLROUTER_DATABASE_URL") -> list[Finding]:
    """Whether it can be reached, takes writes and has the schema, or the right to make it. Writes nothing.

    ``variable`` is where the URL should be.
    """
    if not url:
        remedy = f"set {variable}=postgresql://user:password@host/database"
        return [warning(CHECK, "no database is configured: CDRs stay in the journal", remedy)]
    try:
        connection = await connect(url, timeout_s=WAIT_S, statement_timeout_s=WAIT_S)
    except UnreachableError as exc:
        what, _, remedy = str(exc).partition("; ")
        return [error(CHECK, f"{what}; CDRs wait in the journal meanwhile", remedy)]
    try:
        return [await _check(connection)]
    except FOREIGN_ERRORS as exc:
        return [error(CHECK, f"PostgreSQL does not answer as it should: {describe(exc)}", "see PostgreSQL's log")]
    finally:
        connection.terminate()


async def _check(connection: "Connection") -> Finding:
    if await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean"):
        return error(CHECK, "the database is read-only", "name the primary server in the URL, not a standby")
    role = await connection.fetchval("SELECT current_user")
    if not await connection.fetchval(_MAY_LOOK):
        remedy = f"as its owner: GRANT USAGE ON SCHEMA callrouter TO {role}; {_GRANT_TABLES} TO {role}"
        return error(CHECK, f"{role} may not use the schema callrouter", remedy)
    newest = migrations()[-1].version
    version = 0
    if await connection.fetchval(query("has_migrations")):
        version = await connection.fetchval(query("schema_version"))
    if version < newest:
        if await connection.fetchval(_MAY_CREATE):
            return ok(
                CHECK, f"reached; its schema is version {version}, the daemon makes version {newest} when it starts"
            )
        remedy = f"as the owner: GRANT CREATE ON DATABASE … TO {role}, and make {role} owner of the schema callrouter"
        return error(CHECK, f"the schema is version {version} of {newest}, and {role} may not change it", remedy)
    if not await connection.fetchval(_MAY_INSERT):
        remedy = f"{_GRANT_TABLES} TO {role}"
        return error(CHECK, f"{role} may not write CDRs", remedy)
    if version > newest:
        text = f"the schema is version {version}, made by a newer callrouter; this one knows {newest}"
        return warning(CHECK, text, "start the newer callrouter")
    return ok(CHECK, f"reached; schema version {version}, and {role} may write")
