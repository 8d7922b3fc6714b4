"""The daemon itself: sites, ports, state, database, log, limits."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from callrouter.config.model.section import (
    Name,
    Port,
    Section,
    parse_host_and_port,
    parse_lifetime,
    parse_member,
    parse_network,
    parse_rate,
    parse_url,
    parse_yes_no,
)
from callrouter.config.scalars import (
    LongSeconds,
    Seconds,
    Text,
    Whole,
)
from callrouter.core.rulebook import WhenFull

Full = Annotated[WhenFull, BeforeValidator(lambda value: parse_member(value, WhenFull))]


class Service(Section):
    """``service:``: the whole of it."""

    title: Text = "120"
    """Name of the service, on the wall board and in ``callrouter status``."""
    fallback_context: Name = "callrouter-fallback"
    """Dialplan context that a caller goes to when the daemon cannot take him."""
    drain: Seconds = 600.0
    """How long a stopping daemon waits for calls in progress."""


class Site(Section):
    """One Asterisk server, under ``sites:``."""

    title: Text
    """Name for people."""
    ari_url: Annotated[str, BeforeValidator(parse_url)] = "http://127.0.0.1:8088"
    """Asterisk's HTTP server, without ``/ari``."""
    ca_file: Text | None = None
    """Who vouches for the certificate of an ``https://`` address (PEM); relative to the configuration. Left out: whom
    the system trusts."""
    user: Text = "callrouter"
    """User of Asterisk's ``ari.conf``."""
    password_env: Text | None = None
    """The environment variable that holds the ARI password."""
    password_file: Text | None = None
    """A file that holds nothing but the ARI password; relative to the configuration."""
    application: Name = "callrouter"
    """The name in the dialplan's ``Stasis()``."""
    connection: Literal["inbound", "outbound"] = "inbound"
    """Who opens the websocket of events, as Asterisk sees it: ``inbound``: we do; ``outbound``: Asterisk does, and
    callers who come while we are away wait."""
    sounds_dir: Text | None = None
    """Where the prompts are written; Asterisk must know it as ``callrouter/``. Default: see ``usual_sounds_dir``."""

    @model_validator(mode="after")
    def _vouched_for(self) -> "Site":
        if self.ca_file is not None and not self.ari_url.startswith("https://"):
            raise ValueError("ca_file vouches for a certificate, and the address has none; write ari_url: https://…")
        return self

    @model_validator(mode="after")
    def _one_password(self) -> "Site":
        if (self.password_env is None) == (self.password_file is None):
            raise ValueError("a site needs one source of its password; write either password_env or password_file")
        return self


class Web(Section):
    """``web:``: pages, API and metrics."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8080
    """Port to listen on."""
    https: Annotated[bool, BeforeValidator(parse_yes_no)] = False
    """Whether browsers come by HTTPS, to a proxy before us; then cookies go over nothing else."""
    proxies: list[Annotated[str, BeforeValidator(parse_network)]] = Field(default=[])
    """Networks of proxies whose ``X-Forwarded-For`` says where a client is."""
    session_idle: Annotated[float, BeforeValidator(parse_lifetime)] = 1800.0
    """Who asks for nothing so long has to log in again; an open page asks by itself."""
    session_longest: Annotated[float, BeforeValidator(parse_lifetime)] = 43200.0
    """Who logged in so long ago has to log in again."""
    requests: Annotated[int, BeforeValidator(parse_rate)] = 50
    """How many requests a second an account may make, or an address of which no account is known."""

    @model_validator(mode="after")
    def _idle_ends_first(self) -> "Web":
        if self.session_idle > self.session_longest:
            raise ValueError("session_idle is longer than session_longest; write a shorter one")
        return self


class Agi(Section):
    """``agi:``: the FastAGI server."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 4573
    """Port to listen on."""
    allow: list[Annotated[str, BeforeValidator(parse_network)]] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks that may ask; FastAGI knows no password."""


class DialIn(Section):
    """``dial_in:``: where Asterisks dial in, of sites with ``connection: outbound``."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 4574
    """Port to listen on."""
    allow: list[Annotated[str, BeforeValidator(parse_network)]] = Field(default=["127.0.0.0/8", "::1/128"])
    """Networks that may dial in; a password is asked for all the same."""
    certificate: Text | None = None
    """Our certificate (PEM), relative to the configuration; left out: they come without TLS."""
    key: Text | None = None
    """Its key (PEM), relative to the configuration."""

    @model_validator(mode="after")
    def _both_or_none(self) -> "DialIn":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate is of no use without its key, nor a key alone; write both or neither")
        return self


class State(Section):
    """``state:``: what must survive a restart."""

    dir: Text = "/var/lib/callrouter"
    """Folder of the journal of calls and CDRs."""
    recordings: Text | None = None
    """Folder of recorded conversations; left out: ``recordings`` in ``dir``."""
    inputs: Seconds = 7 * 86400.0
    """How long it is kept what came in, to be run again by ``callrouter replay``; 0: not at all."""
    inputs_mb: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1024
    """The most that may be, in megabytes: of one run of the daemon, and of all together."""


class Database(Section):
    """``database:``: PostgreSQL for the CDRs."""

    url_env: Text = "CALLROUTER_DATABASE_URL"
    """The environment variable that holds the URL; not set: CDRs stay in the journal."""


class Logging(Section):
    """``logging:``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this and worse."""
    format: Literal["console", "json"] = "json"
    """``json`` for machines, ``console`` for people."""


class Reload(Section):
    """``reload:``: what makes the daemon take new rules, besides being asked to."""

    on_save: Annotated[bool, BeforeValidator(parse_yes_no)] = False
    """Whether saving a file of the configuration does."""


class Retention(Section):
    """``retention:``: how long ``callrouter purge`` leaves what is kept in PostgreSQL; left out: for ever."""

    numbers: LongSeconds | None = None
    """Residents' numbers in records; the records stay, without."""
    calls: LongSeconds | None = None
    """Records of calls as a whole."""
    sounds: LongSeconds | None = None
    """That there was a message or a recording, after its sound was deleted."""

    @model_validator(mode="after")
    def _numbers_first(self) -> "Retention":
        if self.numbers is not None and self.calls is not None and self.numbers > self.calls:
            raise ValueError("numbers are kept longer than the records they are in; write numbers: shorter than calls:")
        return self


class Standby(Section):
    """``standby:``: several daemons, of which one leads: with one state folder, or on two machines with one each."""

    enabled: Annotated[bool, BeforeValidator(parse_yes_no)] = False
    """Whether a daemon that finds another in charge waits to take over, instead of ending with an error."""
    silence: Seconds = 2.0
    """A leader that says nothing for so long is taken for one that hangs. Between 1 s and 30 s."""

    listen: Annotated[str, BeforeValidator(parse_host_and_port)] | None = None
    """Where the daemon on the other machine finds this one while it leads, as ``10.0.0.1:4570``."""
    peer: Annotated[str, BeforeValidator(parse_host_and_port)] | None = None
    """The other machine's daemon, as it is written there as ``listen``. Left out: all have one state folder."""
    secret_env: Text = "CALLROUTER_STANDBY_SECRET"  # noqa: S105 - the variable's name
    """The environment variable that holds the secret of both; 32 characters or more."""

    @model_validator(mode="after")
    def _both_ends(self) -> "Standby":
        if (self.listen is None) != (self.peer is None):
            raise ValueError("two machines need both ends of their line; write listen and peer, or neither")
        if self.listen is not None and self.listen == self.peer:
            raise ValueError("listen and peer are the same address; write the other machine's as peer")
        return self

    @field_validator("silence")
    @classmethod
    def _of_use(cls, silence_s: float) -> float:
        if 1.0 <= silence_s <= 30.0:
            return silence_s
        raise ValueError(
            f"a silence of {silence_s:g} s is of no use: below 1 s a busy leader is taken for one that hangs, above"
            " 30 s callers have given up; write 2s"
        )


class LimitsSection(Section):
    """``limits:``: what is not written keeps the default of :class:`callrouter.core.rulebook.Limits`."""

    max_calls: Whole | None = None
    """More calls at once are not taken."""
    calls_per_second: Whole | None = None
    """So many new calls a second are taken, and twice as many at once; 0: as many as come."""
    behind: Seconds | None = None
    """While what comes in has waited for longer, no new call is taken."""
    when_full: Full | None = None
    """What becomes of callers who are not taken for one of these."""
    announcement: Seconds | None = None
    """An announcement that has not ended by then is taken as ended."""
    dead_man: Seconds | None = None
    """A waiting caller goes to the dialplan's fallback this long after the daemon died."""
    connect: Seconds | None = None
    """An answered phone that is not connected to the caller by then is given up."""
    clearing: Seconds | None = None
    """A channel that has not ended this long after it was hung up is hung up again, then written off."""
    rest_after_no_answer: Seconds | None = None
    """How long a counselor who did not answer is not rung again."""
    rest_after_busy: Seconds | None = None
    """How long a counselor whose phone was busy is not rung again."""
    rest_after_rejected: Seconds | None = None
    """How long a counselor who rejected a call is not rung again."""
    rest_after_unreachable: Seconds | None = None
    rest_after_do_not_disturb: Seconds | None = None
    """How long a counselor whose phone could not be reached is not rung again."""
    misses_before_pause: Whole | None = None
    """A counselor who did not answer so many calls in a row is paused until somebody says otherwise; 0: never."""
    pin_tries: Whole | None = None
    """So many wrong PINs in a row lock the phone where they were dialled, and the counselor's number."""
    pin_lock: Seconds | None = None
    """How long nobody may log in there, or as that counselor."""
    site_away: Seconds | None = None
    """What the calls of a site hold is given back when it has been away for so long; 0: not until it is back."""
    retry_after_congestion: Seconds | None = None
    """How long nobody is rung over a trunk group that had no free line."""
