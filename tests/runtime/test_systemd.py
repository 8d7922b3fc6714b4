"""What systemd gets to hear, on a real datagram socket."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callrouter.runtime.systemd import ServiceManager
from lab import tools

UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "callrouter.service"
TIMEOUT_S = 5.0


class Systemd:
    """The other end of the notification socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": "@" + address[1:] if address.startswith("\0") else address}

    def heard(self) -> str:
        """What lies in the socket already: sending to a unix socket is done when it returns."""
        return self.socket.recv(4096).decode()

    def heard_nothing(self) -> bool:
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    async def hears(self) -> str:
        async with asyncio.timeout(TIMEOUT_S):
            return (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = f"{tmp_path}/notify" if request.param == "path" else f"\0callrouter-test-{os.getpid()}"
    manager = Systemd(address)
    yield manager
    manager.socket.close()


def test_systemd_is_told_when_we_are_ready_stopping_and_how_we_are(systemd: Systemd) -> None:
    us = ServiceManager.of_environment(systemd.environ)
    assert us.ready("up, 3 sites")
    assert systemd.heard() == "READY=1\nSTATUS=up, 3 sites"
    assert us.status("2 calls, 창원 waits")
    assert systemd.heard() == "STATUS=2 calls, 창원 waits"
    assert us.alive()
    assert systemd.heard() == "WATCHDOG=1"
    assert us.stopping()
    assert systemd.heard() == "STOPPING=1"


def test_a_status_of_several_lines_cannot_become_another_message(systemd: Systemd) -> None:
    ServiceManager.of_environment(systemd.environ).status("fine\nMAINPID=1\n")
    assert systemd.heard() == "STATUS=fine MAINPID=1"


def test_without_systemd_nothing_is_sent_and_nothing_is_said() -> None:
    with capture_logs() as logs:
        us = ServiceManager.of_environment({"WATCHDOG_USEC": "10000000"})
        assert not us.ready()
    assert us.beat_s is None
    assert logs == []


@pytest.mark.parametrize("address", ["vsock:2:1234", "notify", "@"])
def test_a_socket_of_another_kind_is_named_and_left_alone(address: str) -> None:
    with capture_logs() as logs:
        assert not ServiceManager.of_environment({"NOTIFY_SOCKET": address}).ready()
    assert [(log["event"], log["address"]) for log in logs] == [("systemd.address_not_understood", address)]


@pytest.mark.parametrize("address", ["/nonexistent/notify", "/" + "x" * 200])
def test_a_socket_that_is_gone_is_logged_and_does_no_harm(address: str) -> None:
    with capture_logs() as logs:
        assert not ServiceManager.of_environment({"NOTIFY_SOCKET": address}).ready()
    assert [log["event"] for log in logs] == ["systemd.not_notified"]


def test_a_systemd_that_does_not_read_does_not_block_us(systemd: Systemd) -> None:
    us = ServiceManager.of_environment(systemd.environ)
    assert any(not us.status("x" * 1000) for _ in range(10_000))


@pytest.mark.parametrize(
    ("variables", "beat_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "42"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_are_sent_twice_in_the_time_allowed(variables: dict[str, str], beat_s: float | None) -> None:
    us = ServiceManager.of_environment({"NOTIFY_SOCKET": "/run/notify", **variables}, pid=42)
    assert us.beat_s == beat_s


async def test_a_healthy_daemon_keeps_giving_signs_of_life_and_an_ill_one_falls_silent(systemd: Systemd) -> None:
    us = ServiceManager.of_environment({**systemd.environ, "WATCHDOG_USEC": "20000"})
    healthy = True
    asked = 0
    asked_when_ill = asyncio.Event()

    def is_healthy() -> bool:
        nonlocal asked
        if not healthy:
            asked += 1
            if asked == 3:
                asked_when_ill.set()
        return healthy

    with capture_logs() as logs:
        beating = asyncio.create_task(us.keep_alive(is_healthy))
        for _ in range(3):
            assert await systemd.hears() == "WATCHDOG=1"
        healthy = False
        while not systemd.heard_nothing():
            pass
        async with asyncio.timeout(TIMEOUT_S):
            await asked_when_ill.wait()
        assert systemd.heard_nothing()
        healthy = True
        assert await systemd.hears() == "WATCHDOG=1"
        beating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beating
    assert [log["event"] for log in logs] == ["systemd.watchdog_withheld"]


async def test_without_a_watchdog_there_is_nothing_to_keep_alive(systemd: Systemd) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await ServiceManager.of_environment(systemd.environ).keep_alive(lambda: True)
    assert systemd.heard_nothing()


async def test_the_status_line_follows_what_happens_and_is_not_repeated(systemd: Systemd) -> None:
    asked = asyncio.Event()
    lines = iter(["0 calls", "0 calls", "0 calls", "1 calls"])
    last = "0 calls"

    def line() -> str:
        nonlocal last
        last = next(lines, last)
        if last == "1 calls":
            asked.set()
        return last

    telling = asyncio.create_task(ServiceManager.of_environment(systemd.environ).keep_status(line, 0.001))
    async with asyncio.timeout(TIMEOUT_S):
        await asked.wait()
    assert [await systemd.hears(), await systemd.hears()] == ["STATUS=0 calls", "STATUS=1 calls"]
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert systemd.heard_nothing()


async def test_a_status_that_could_not_be_sent_is_sent_again(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    asked_in_vain = asyncio.Event()

    def line() -> str:
        asked_in_vain.set()
        return "0 calls"

    us = ServiceManager.of_environment({"NOTIFY_SOCKET": address})
    telling = asyncio.create_task(us.keep_status(line, 0.001))
    async with asyncio.timeout(TIMEOUT_S):
        await asked_in_vain.wait()
    there = Systemd(address)
    assert await there.hears() == "STATUS=0 calls"
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    there.socket.close()


async def test_without_systemd_there_is_no_status_to_keep() -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await ServiceManager.of_environment({}).keep_status(lambda: "")


def test_the_unit_restarts_at_once_for_ever_and_may_write_its_state_only() -> None:
    settings = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if "=" in line and line[0] != "#"]
    for line in (
        "Type=notify",
        "Restart=always",
        "RestartSec=1",
        "StartLimitIntervalSec=0",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=callrouter",
        "CapabilityBoundingSet=",
    ):
        assert line in settings
    assert any(line.startswith("WatchdogSec=") for line in settings)
    assert not any(line.startswith("ReadWritePaths=") for line in settings)


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    tools.ensure(["systemd-analyze"])
    # The program need not be installed where the unit says for the unit to be right.
    unit = UNIT.read_text(encoding="utf-8").replace("/opt/callrouter/bin/callrouter", "/bin/true")
    copy = tmp_path / "callrouter.service"
    copy.write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    faults = [line for line in done.stderr.splitlines() if "callrouter.service" in line]
    assert (done.returncode, faults) == (0, [])
