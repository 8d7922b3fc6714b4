"""Daemons on two machines, each with a state folder of its own: the leader's journal is copied over a line.

PostgreSQL alone says who may begin to lead. A daemon that hears nothing of the other cannot know whether that one has
died or is alive behind a broken network, and must not guess.
"""

import hashlib
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from callrouter.app.leftovers import JournalSource
from callrouter.app.one_folder import names_of
from callrouter.app.tie import LeadersLine
from callrouter.config.settings import DaemonSettings, PeerSettings
from callrouter.core.leading import CopyNow, Sign
from callrouter.errors import JournalFencedError
from callrouter.pbx.certificates import make_certificate
from callrouter.runtime.peer_line import PeerLine
from callrouter.runtime.peer_waiting import PeerWaiting
from callrouter.runtime.peer_words import Rows, Secret
from callrouter.store.journal import Journal
from callrouter.store.journal_copy import JournalCopy, Part
from callrouter.store.journal_feed import JournalFeed
from callrouter.store.journal_file import FILE_NAME
from callrouter.store.term_lock import TermLock

log = structlog.get_logger(__name__)

STALE_S: Final = 10.0
"""A leader with a copy that was up to date so long ago is told of: calls that came since are strangers to it."""
FIRST_TERM: Final = 1
"""The one before which nobody has led."""


class TwoMachines:
    """Implements :class:`callrouter.app.tie.Tie`.

    ``on_sign`` is told what becomes of PostgreSQL's lock, and of the term; ``keep_s`` is how long (seconds) the journal
    is kept. Raises CallrouterError where openssl is not there.
    """

    has_copies = True
    look_every_s = 0.25

    def __init__(
        self,
        settings: DaemonSettings,
        peer: PeerSettings,
        *,
        silence_s: float,
        beat_s: float,
        lease_s: float,
        keep_s: float,
        reaches: Callable[[], bool],
        on_sign: Callable[[Sign], None],
    ) -> None:
        assert settings.database_url is not None  # noqa: S101 - the configuration is refused without
        self._path = settings.state_dir / FILE_NAME
        self._keep_s = keep_s
        self._beat_s = beat_s
        self._peer = peer
        self._secret = Secret(hashlib.sha256(peer.secret.encode()).digest())
        self._shows, self._certificate = _shows(peer.listen[0])
        self._hears = PeerWaiting(
            peer.other, _sees(), self._secret, self._copy, silence_s=silence_s, beat_s=beat_s, reaches=reaches
        )
        self._lock = TermLock(
            settings.database_url,
            names_of(settings),
            lease_s=lease_s,
            beat_s=beat_s,
            patience_s=silence_s,
            on_sign=on_sign,
        )
        self._feed: JournalFeed | None = None
        self._is_given = False
        """Whether the leader has yielded, or people have ordered: that is a word as good as PostgreSQL's, once."""

    async def watch(self) -> AsyncGenerator[Sign, None]:
        """See the Protocol, as for all below."""
        signs = self._hears.watch()
        try:
            async for sign in signs:
                self._is_given = sign is Sign.YIELDS or (self._is_given and sign is not Sign.BEATS)
                yield sign
        finally:
            await signs.aclose()

    @property
    def copy(self) -> CopyNow | None:
        """Our own: how old it is while the leader is not heard."""
        return self._hears.copy

    def order(self) -> None:
        """Unless the leader is heard."""
        self._is_given = True

    async def claim(self, hangs: bool) -> Sign:
        """By PostgreSQL; without it by the word of the leader that yields, or of people."""
        heard = self._hears.heard
        sign = await self._lock.begin(heard if hangs else None, heard[0] if heard is not None else 0)
        if sign is Sign.NO_ARBITER and self._is_given:
            self._lock.term = None
            return Sign.LOCK_UNKNOWN
        if sign is not Sign.NO_ARBITER:
            self._is_given = False
        return sign

    def journal(self, path: Path, hangs: bool) -> Journal:
        """Our own copy, with the term that PostgreSQL has counted."""
        self._feed = JournalFeed()
        return Journal(path, term=self._lock.term, feed=self._feed)

    async def opened(self, journal: Journal, hangs: bool) -> None:
        """A term that PostgreSQL does not know yet is made known to it when it is back."""
        self._lock.term = journal.term
        copy = self._hears.copy
        if copy.is_whole and copy.behind_s < STALE_S:
            return
        if self._hears.heard is not None:
            log.error(
                "standby.old_copy",
                is_whole=copy.is_whole,
                age_s=round(copy.behind_s),
                why="the line to the other daemon was cut before it died: calls that came since are not known",
            )
        elif journal.term != FIRST_TERM:
            log.warning(
                "standby.none_heard",
                why="no other daemon was heard since this one started: if it led after this one did, it may have left"
                " calls that are not known",
            )

    def line(self, journal: Journal) -> AbstractAsyncContextManager[LeadersLine]:
        """A port that only who knows the secret may speak to."""
        assert self._feed is not None  # noqa: S101 - made with the journal
        source = JournalSource(journal, self._feed)
        return PeerLine(
            self._peer.listen,
            self._shows,
            self._certificate,
            self._secret,
            lambda: (journal.term or 0, self._lock.proofs),
            source,
            beat_s=self._beat_s,
        )

    async def keep(self) -> None:
        """Lock and term."""
        await self._lock.keep()

    async def prove(self, journal: Journal, within_s: float) -> bool:
        """By PostgreSQL."""
        if self._lock.term is None:
            raise JournalFencedError("no term has begun")
        return await self._lock.prove(within_s)

    def may_connect(self, line: LeadersLine | None) -> bool:
        """With a word of PostgreSQL's or of the other daemon's: who has none may have a successor without knowing it.

        Connections that are open tell of one; a new one would take the application from it.
        """
        if self._lock.is_sure or (line is not None and line.waiting):
            self._is_given = False
            return True
        return self._is_given

    async def settle(self, line: LeadersLine, timeout_s: float) -> None:
        """Wait until the copy is whole; ours is, too."""
        self._hears.led()
        if isinstance(line, PeerLine) and not await line.settle(timeout_s):
            log.error("standby.not_settled", within_s=timeout_s, why="the other's disk, or the line, is too slow")

    async def release(self) -> None:
        """The lock; the term is the successor's to count up."""
        await self._lock.release()

    @asynccontextmanager
    async def _copy(self) -> AsyncIterator["_Copy"]:
        async with JournalCopy(self._path, self._keep_s) as copy:
            yield _Copy(copy)


class _Copy:
    """The copy, for the line."""

    def __init__(self, copy: JournalCopy) -> None:
        self._copy = copy

    async def since(self) -> float:
        return await self._copy.since()

    async def leftovers(self) -> list[bytes]:
        return await self._copy.leftovers()

    async def take(self, rows: Sequence[Rows]) -> None:
        await self._copy.take([Part(row.body, row.is_whole, row.is_last) for row in rows])


def _shows(host: str) -> tuple[ssl.SSLContext, bytes]:
    """What the leader shows: a certificate of its own that nobody vouches for, and the same as DER."""
    with tempfile.TemporaryDirectory(prefix="callrouter-") as folder:
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        make_certificate(certificate, key, host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
        return context, ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))


def _sees() -> ssl.SSLContext:
    """What who waits accepts: any certificate, for the secret vouches for it (:mod:`callrouter.runtime.peer_words`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
