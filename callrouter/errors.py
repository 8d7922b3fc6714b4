"""Every error that callrouter raises on purpose.

::

    CallrouterError
    ├── ConfigError            one or more problems in the YAML directory; carries them all
    ├── UnreachableError       a peer cannot be reached at all (Asterisk, PostgreSQL, the daemon's API)
    ├── AccessError            the daemon's API does not let this account do that, or does not know who asks
    ├── AriError
    │   ├── AriProtocolError   Asterisk sent something that is not ARI
    │   └── AriRejectedError   Asterisk said no when we connected (credentials, rights, no such application)
    ├── AgiError
    │   └── AgiProtocolError   the other side of a FastAGI session broke the protocol or its limits
    ├── StoreError
    │   ├── JournalError       the local journal cannot be opened, read or written
    │   │   └── JournalFencedError  another daemon writes it by now
    │   └── DatabaseError      PostgreSQL said no
    ├── SurvivalError          the configuration cannot be rendered as a dialplan
    └── ImpossibleEventError   the exchange met an event that the call's state does not allow

Foreign exceptions are translated at the adapter that meets them, always ``from`` the cause. Anything that reaches
the top and is not a :class:`CallrouterError` is a defect of ours.
"""


class CallrouterError(Exception):
    """Root of all errors that callrouter raises on purpose."""


class ConfigError(CallrouterError):
    """The configuration cannot be used.

    ``problems`` holds one line for each fault, ``file:line:column: message; remedy``, in the order of the files.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UnreachableError(CallrouterError):
    """A peer cannot be reached; the command line turns this into exit status 3."""


class AccessError(CallrouterError):
    """The daemon's API does not let us."""


class AriError(CallrouterError):
    """Something went wrong between us and Asterisk's REST interface."""


class AriProtocolError(AriError):
    """Asterisk sent a message that is not ARI; the message is quoted in part."""


class AriRejectedError(AriError):
    """Asterisk refused our connection; ``status`` is the HTTP status code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AgiError(CallrouterError):
    """Something went wrong in a FastAGI session."""


class AgiProtocolError(AgiError):
    """The peer broke the AGI protocol or one of its limits."""


class StoreError(CallrouterError):
    """A record could not be kept or read."""


class JournalError(StoreError):
    """The local journal (SQLite) cannot be opened, read or written."""


class JournalFencedError(JournalError):
    """Another daemon has begun a newer term of the journal: this one must not write any more."""


class DatabaseError(StoreError):
    """PostgreSQL refused, or answered something we cannot use."""


class ImpossibleEventError(CallrouterError):
    """The exchange met an event that the state of the call does not allow: a defect, contained to that call."""


class SurvivalError(CallrouterError):
    """Something in the configuration cannot stand in a dialplan; the message names it and what may stand there."""
