"""What the description of the API says of who may ask: from the same tables by which the gate lets requests through."""

from typing import Any, Final

from callrouter.core.access import Permission, Role, Scope, roles_with
from callrouter.web.needs import NEEDS, OWN_AWARE, Open, key_of

REFUSALS: Final = {
    "401": "Nobody whom we know: log in, or send the token of an account",
    "403": "The account's role does not allow it, or it was not sent from our own page",
    "429": "Asked too often; Retry-After says in how many seconds to ask again",
}
"""What every path may answer where there are accounts, unless it is open to anybody."""
SCHEMES: Final = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "callrouter",
        "description": "Of who logged in; __Host-callrouter where browsers come by HTTPS.",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "Of a program; callrouter account token makes one."},
}


def who_may(method: str, path: str, operation: dict[str, Any], fault: Any) -> dict[str, Any]:
    """What an operation needs of who asks, and how it is refused; ``fault`` is the schema of refusals."""
    key = key_of(method, path)
    need = NEEDS[key]
    if need is Open.ANYBODY:
        return {"security": []}
    roles = roles_with(need) if isinstance(need, Permission) else tuple((role, Scope.ALL) for role in Role)
    own = [role.value for role, scope in roles if scope is Scope.OWN and key in OWN_AWARE]
    refusals = {
        status: {"description": text, "content": {"application/json": {"schema": fault}}}
        for status, text in REFUSALS.items()
    }
    return {
        "security": [{name: []} for name in SCHEMES],
        "x-roles": [role.value for role, scope in roles if scope is Scope.ALL],
        **({"x-own": own} if own else {}),
        "responses": {**refusals, **operation["responses"]},
    }
