"""Start, stop, freeze, kill and ask a laboratory Asterisk."""

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO

from callrouter.pbx.dialling import DialOut
from callrouter.prompts import provide_music
from lab import asterisk_config, ports, processes
from lab.asterisk_config import AsteriskSettings, Peer
from lab.errors import LabError, NotReadyError
from lab.paths import DIALPLAN, INSTANCES, try_lock, write_atomically
from lab.phones import (
    ARI_USER,
    CHANGWON_EXTENSIONS,
    PROVINCE_EXTENSIONS,
    Credentials,
    Phone,
    default_phones,
    keep_credentials,
)
from lab.rootfs import AsteriskHome, find_or_build

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1
ASK_TIMEOUT_S = 5.0
OWN_FOLDERS = ("etc", "var/keys", "spool/recording", "run", "log", "data/sounds/callrouter", "moh/callrouter")
LONGEST_SOCKET_PATH = 100
NOT_TAKEN = ("Usage:", "No such command")
"""How the answer to a command begins that was not understood."""


@dataclass(frozen=True, slots=True)
class AriAccess:
    """Where Asterisk's REST interface is and who may use it: ``server_url`` is that of its HTTP server."""

    server_url: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """The interface itself, ending in ``/ari``."""
        return f"{self.server_url}/ari"

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs to be let in."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}


class LabAsterisk:
    """One Asterisk with a folder, ports and passwords of its own; several run side by side.

    The methods block (a start takes about a second): inside an event loop use ``asyncio.to_thread``. All files of
    the instance are generated anew on each start, except the passwords and the sounds. ``with LabAsterisk(…) as
    asterisk:`` starts and stops it.
    """

    def __init__(
        self,
        name: str = "lab",
        *,
        sip_port: int = 5060,
        http_port: int = 8088,
        rtp_range: tuple[int, int] = (10000, 10999),
        phones: tuple[Phone, ...] | None = None,
        global_variables: dict[str, str] | None = None,
        queues: str = "[general]\n",
        more_dialplan: str = "",
        survival: str = "",
        verbose: int = 3,
        carrier_port: int = 5060,
        address: str = "127.0.0.1",
        peers: tuple[Peer, ...] = (),
        proxy: str = "",
        dials: DialOut | None = None,
        home: AsteriskHome | None = None,
    ) -> None:
        self.name = name
        self.sip_port = sip_port
        self.http_port = http_port
        self.phones = default_phones() if phones is None else phones
        counselors = {*PROVINCE_EXTENSIONS, *CHANGWON_EXTENSIONS}
        group = asterisk_config.ring_group(phone for phone in self.phones if phone.extension in counselors)
        variables = {"CALLROUTER_FALLBACK_PHONES": group, **(global_variables or {})}
        self.settings = AsteriskSettings(
            sip_port,
            http_port,
            rtp_range,
            self.phones,
            queues,
            variables,
            more_dialplan,
            verbose,
            carrier_port,
            address,
            peers,
            dials,
            proxy,
        )
        self.survival = survival
        """What `callrouter dialplan` rendered for it; empty: nothing, and the fallback rings a group of phones."""
        self.instead: dict[str, str] = {}
        """Files of etc that take the place of ours, by their names."""
        self.ca_file: Path | None = None
        """Who vouches for its REST interface, where that is over TLS; None: it is without."""
        self.state_dir = INSTANCES / name
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- where things are

    @property
    def home(self) -> AsteriskHome:
        """The Asterisk installation this instance runs; found, or built, on first use."""
        if self._home is None:
            self._home = find_or_build()
        return self._home

    @property
    def directory(self) -> Path:
        """The instance's folder as the host sees it."""
        return self.home.root / "srv" / self.name if self.home.is_chroot else self.state_dir / "asterisk"

    @property
    def sounds_dir(self) -> Path:
        """The sound folder (host path); prompts belong in ``callrouter/`` below it."""
        return self.directory / "data/sounds"

    @property
    def moh_dir(self) -> Path:
        """The folder (host path) above ``callrouter/``, which holds the music on hold of class ``default``."""
        return self.directory / "moh"

    @property
    def survival_path(self) -> Path:
        """Where the rules belong that were rendered for it (host path)."""
        return self.directory / "etc/callrouter-survival.conf"

    @property
    def log_path(self) -> Path:
        """Asterisk's full log (host path)."""
        return self.directory / "log/full"

    @property
    def credentials(self) -> Credentials:
        """The passwords of this installation, made up when there are none yet."""
        return keep_credentials(self.state_dir / "credentials.json", self.phones)

    @property
    def ari(self) -> AriAccess:
        """How to reach its REST interface."""
        scheme = "https" if self.ca_file is not None else "http"
        return AriAccess(f"{scheme}://127.0.0.1:{self.http_port}", ARI_USER, self.credentials.ari_password)

    @property
    def sip_address(self) -> str:
        """Where callers and phones send their requests."""
        return f"{self.settings.address}:{self.sip_port}"

    @property
    def pid(self) -> int:
        """The process id of the running Asterisk.

        Raises:
            LabError: it is not running.
        """
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"Asterisk {self.name} is not running")
        return self._process.pid

    # --- its life

    def start(self) -> None:
        """Start it and return when its REST interface answers, its endpoints are there and it is fully booted.

        Raises:
            LabError: another process uses this instance, a port is taken, or files cannot be written.
            NotReadyError: it is not ready within 30 s; the end of its log is quoted.
        """
        if self.is_running():
            return
        self.take()
        try:
            self.end_leftover()
            self.check_ports()
            self._write_files()
            self._spawn()
            self._await_ready()
        except BaseException:
            self.kill()
            self._give_back()
            raise

    def stop(self) -> None:
        """End it: asked politely first, killed when it is not gone after 10 s. Fine when it is not running."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT_S)
        self._give_back()

    def kill(self) -> None:
        """End it as a crash does; calls and registrations of this instance are gone, its files stay."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Stop it and start it again with the same ports and passwords."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hang (SIGSTOP) until :meth:`thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after :meth:`freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def is_running(self) -> bool:
        """Whether the process lives (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        """Stop it and delete its folders, passwords included."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.state_dir, ignore_errors=True)

    # --- asking it

    def take_in(self, survival: str) -> None:
        """Have it go by these rendered rules from now on; by none if they are empty."""
        self.survival = survival
        if survival:
            write_atomically(self.survival_path, survival)
        else:
            self.survival_path.unlink(missing_ok=True)
        self.cli("dialplan reload")

    def cli(self, command: str) -> str:
        """The answer of Asterisk's command line to ``command``, such as ``core show channels concise``.

        Raises:
            LabError: Asterisk does not take the command; for some it says so in the answer alone.
        """
        done = subprocess.run(
            self.home.command("-C", self._seen("etc/asterisk.conf"), "-rx", command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0 or done.stdout.startswith(NOT_TAKEN):
            raise LabError(f"asterisk -rx {command!r}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def get(self, path: str) -> Any:
        """``GET /ari/<path>`` as decoded JSON.

        Raises:
            LabError: no answer, or not a good one.
        """
        status, body = self._request("GET", path)
        if status != 200:
            raise LabError(f"GET /ari/{path}: HTTP status {status}")
        return json.loads(body)

    def post(self, path: str) -> Any:
        """``POST /ari/<path>``, and what it answers as decoded JSON.

        Raises:
            LabError: no answer, or not a good one.
        """
        status, body = self._request("POST", path)
        if status != 200:
            raise LabError(f"POST /ari/{path}: HTTP status {status}: {body[:200]!r}")
        return json.loads(body)

    def channels(self) -> list[dict[str, Any]]:
        """The channels that are up now, as the REST interface tells them."""
        found: list[dict[str, Any]] = self.get("channels")
        return found

    def registered(self) -> list[str]:
        """The phones that are registered now, by their extensions; not those that are called where they always are."""
        online = {one["resource"] for one in self.get("endpoints/PJSIP") if one["state"] != "offline"}
        return sorted(one.extension for one in self.phones if one.static_contact is None and one.extension in online)

    def log_text(self) -> str:
        """The whole log of this start."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """The last ``lines`` of the log."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    # --- how it is done

    def _seen(self, relative: str) -> str:
        return self.home.inside(self.directory / relative)

    def take(self) -> None:
        """Take the instance for this process, as :meth:`start` does, and until :meth:`stop`.

        Raises:
            LabError: another process has it.
        """
        if self._lock is None:
            self._lock = try_lock(self.state_dir / "lock")
        if self._lock is None:
            raise LabError(f"Asterisk instance {self.name!r} is in use by another process ({self.state_dir / 'lock'})")

    def _give_back(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def end_leftover(self) -> bool:
        """End the Asterisk that a killed laboratory left running; only for whoever holds the instance's lock.

        Whether there was one.
        """
        pid = processes.recall(self.state_dir / "asterisk.pid")
        return pid is not None and kill_asterisk(pid, self._seen("etc/asterisk.conf"))

    def check_ports(self) -> None:
        """Raise LabError if another program has the SIP or the HTTP port."""
        ports.require_udp(self.sip_port, "SIP", self.settings.address)
        ports.require_tcp(self.http_port, "HTTP")

    def _write_files(self) -> None:
        shutil.rmtree(self.directory / "etc", ignore_errors=True)
        for folder in OWN_FOLDERS:
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self._link_data()
        modules = self.home.module_folder()
        seen = self.home.inside(self.directory)
        if len(f"{seen}/run/asterisk.ctl") > LONGEST_SOCKET_PATH:
            raise LabError(f"{seen} is too long a path for Asterisk's control socket; move the checkout higher up")
        files = asterisk_config.render(self.settings, self.credentials, seen, modules, self.home.inside(modules))
        for name, content in {**files, **self.instead}.items():
            write_atomically(self.directory / "etc" / name, content, mode=0o600)
        for source in sorted(DIALPLAN.glob("*.conf")):
            if source.name in self.instead:
                continue
            more = f"\n{self.settings.more_dialplan}" if source.name == "extensions.conf" else ""
            write_atomically(self.directory / "etc" / source.name, source.read_text(encoding="utf-8") + more)
        if self.survival:
            write_atomically(self.survival_path, self.survival)
        # Asterisk has no music class unless there is a file when it starts.
        provide_music(self.moh_dir / "callrouter")
        self.log_path.unlink(missing_ok=True)

    def _link_data(self) -> None:
        """Make the data folder ours to write in: links to what the system ships, sounds in a folder of our own."""
        system = self.home.data_folder()
        target = self.directory / "data"
        for source in [*system.iterdir(), *(system / "sounds").glob("*")]:
            link = target / source.relative_to(system)
            if source.name not in ("sounds", "callrouter") and not link.is_symlink():
                link.symlink_to(self.home.inside(source))

    def _spawn(self) -> None:
        command = self.home.command("-C", self._seen("etc/asterisk.conf"), "-f")
        with (self.state_dir / "console").open("wb") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        processes.remember(self.state_dir / "asterisk.pid", self._process.pid)

    def _await_ready(self) -> None:
        """After a start the REST interface answers while modules still load: endpoints must be there as well."""
        expected = {"carrier", *(phone.extension for phone in self.phones)}
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.is_running():
                raise NotReadyError(f"Asterisk {self.name} ended at once:\n{self._last_words()}")
            if expected <= self._endpoint_names():
                self.cli("core waitfullybooted")
                return
            time.sleep(POLL_S)
        raise NotReadyError(f"Asterisk {self.name} is not ready after {START_TIMEOUT_S:.0f} s:\n{self._last_words()}")

    def _endpoint_names(self) -> set[str]:
        try:
            status, body = self._request("GET", "endpoints")
        except LabError:
            return set()
        return {endpoint["resource"] for endpoint in json.loads(body)} if status == 200 else set()

    def _last_words(self) -> str:
        console = (self.state_dir / "console").read_text(encoding="utf-8", errors="replace")[-1000:]
        return f"{console}\n{self.log_tail()}"

    def _connection(self) -> http.client.HTTPConnection:
        if self.ca_file is None:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=ASK_TIMEOUT_S)
        trusted = ssl.create_default_context(cafile=str(self.ca_file))
        return http.client.HTTPSConnection("127.0.0.1", self.http_port, timeout=ASK_TIMEOUT_S, context=trusted)

    def _request(self, method: str, path: str) -> tuple[int, bytes]:
        access = self.ari
        connection = self._connection()
        try:
            connection.request(method, f"/ari/{path}", headers=access.headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as exc:
            raise LabError(f"{method} {access.url}/{path}: {exc}") from exc
        finally:
            connection.close()


def kill_asterisk(pid: int, config_path: str) -> bool:
    """Kill process ``pid`` if, and only if, it is an Asterisk running on ``config_path``; whether it was."""
    is_ours = config_path in processes.words(pid)
    if is_ours:
        processes.end(pid)
    return is_ours
