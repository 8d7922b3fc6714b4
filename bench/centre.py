"""The call centre under load: one Asterisk, 300 phones at fixed places, and the daemon as it runs in production."""

import os
import select
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.competitors import BARE_ARI, CALLROUTER, NEXT_PHONE, Competitor, dialplan, queues
from bench.rules import WEEKDAY_MORNING, write_rules
from callrouter.store.embedded import EmbeddedPostgres
from lab import ports
from lab.asterisk import LabAsterisk
from lab.daemon import Daemon
from lab.errors import LabError
from lab.paths import LAB, PROJECT
from lab.phones import Phone

PHONES_ADDRESS = "127.0.0.3"
COUNSELORS = 300
RTP_PORTS = (12000, 15999)
BARE_START_S = 10.0


class Centre:
    """``with Centre() as centre:`` has Asterisk, PostgreSQL and the daemon run until the block ends.

    All of it lives in ``.lab/<name>`` and in an Asterisk instance of that name; both are removed at the end.
    """

    def __init__(self, name: str = "bench") -> None:
        self.folder = LAB / name
        self.phones_port = ports.kept_udp(PHONES_ADDRESS)
        self.phones = tuple(
            Phone(extension, static_contact=f"sip:{extension}@{PHONES_ADDRESS}:{self.phones_port}")
            for extension in map(str, range(1001, 1001 + COUNSELORS))
        )
        extensions = [phone.extension for phone in self.phones]
        self.asterisk = LabAsterisk(
            name,
            sip_port=ports.kept_udp(),
            http_port=ports.kept_tcp(),
            rtp_range=RTP_PORTS,
            phones=self.phones,
            global_variables={NEXT_PHONE: "0"},
            queues=queues(extensions),
            more_dialplan=dialplan(extensions),
            verbose=0,
        )
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        self._daemon: Daemon | None = None
        self._bare: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def daemon(self) -> Daemon:
        """The running daemon."""
        assert self._daemon is not None, "the centre is not open"
        return self._daemon

    def program_of(self, competitor: Competitor) -> int | None:
        """The process that takes this competitor's calls; None where Asterisk does so by itself."""
        if competitor is CALLROUTER:
            return self.daemon.pid
        return self._bare.pid if competitor is BARE_ARI and self._bare is not None else None

    def keep_logs(self, folder: Path) -> None:
        """Copy what Asterisk and the daemon logged to ``folder``, for whoever wants to know why a call failed."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "asterisk.log").write_text(self.asterisk.log_text(), encoding="utf-8")
        (folder / "daemon.log").write_text(self.daemon.log_text(), encoding="utf-8")

    def _start(self, stack: ExitStack) -> None:
        # Asterisk comes first: only who has its instance may clear the folder.
        self.asterisk.start()
        stack.callback(self.asterisk.remove)
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        database_url = self.postgres.start()
        stack.callback(self.postgres.stop)
        self._daemon = Daemon(
            self.asterisk,
            self.folder / "daemon",
            web_port=ports.kept_tcp(),
            agi_port=ports.kept_tcp(),
            config=write_rules(self.folder / "config", [phone.extension for phone in self.phones]),
            clock=WEEKDAY_MORNING,
            database_url=database_url,
            settings={"LOGGING_LEVEL": "warning"},
        )
        stack.callback(self._daemon.kill)
        self._daemon.start()
        self._start_bare(stack)

    def _start_bare(self, stack: ExitStack) -> None:
        access = self.asterisk.ari
        environment = {
            **os.environ,
            "BARE_URL": access.url,
            "BARE_AUTHORIZATION": access.headers["Authorization"],
            "BARE_PHONES": ",".join(f"PJSIP/{phone.extension}" for phone in self.phones),
        }
        command = [sys.executable, "-m", "bench.bare_ari"]
        bare = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self._bare = bare
        stack.enter_context(bare)
        stack.callback(bare.kill)
        assert bare.stdout is not None
        if not select.select([bare.stdout], [], [], BARE_START_S)[0] or not bare.stdout.readline():
            raise LabError(f"the bare ARI application is not ready within {BARE_START_S:g} s, or has ended")
