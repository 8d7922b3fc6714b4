"""One measurement: so many calls a second for so many seconds to one competitor, seen by callers and phones."""

import asyncio
import socket
import sys
from pathlib import Path

from bench import messages
from bench.centre import PHONES_ADDRESS, Centre
from bench.competitors import Competitor
from bench.figures import Cell, percentile
from bench.processes import cpu_s, tree_cpu_s
from lab.errors import LabError
from lab.phones import CARRIER_ADDRESS
from lab.sipp import Sipp, SippResult

CALLER = "0553311234"
"""A landline in Gimhae, which the third rule takes."""
RINGS_MS = 100
TALKS_MS = 1000
SPARE_S = 20.0
"""How long calls may take beyond the time in which they begin."""
TAIL_S = 0.3
"""How long the processor time is watched after the last call: its record is still being delivered."""
MANY = 1_000_000
POLL_S = 0.02
START_S = 5.0
LEAVE_S = 5.0

# Small time slices, so that calls are spread evenly; and no limit of our own to calls at the same time.
SIPP_OPTIONS = ("-timer_resol", "1", "-l", "10000")


async def measure(centre: Centre, competitor: Competitor, *, rate: float, seconds: float, round_: int) -> Cell:
    """Send the calls, wait until all are over, and count.

    Raises:
        LabError: the phones do not start, or no call rang at all.
    """
    calls = max(1, round(rate * seconds))
    caller_log, phone_log = centre.folder / "callers", centre.folder / "phones"
    async with _phones(centre, phone_log, seconds) as phones:
        await _until_bound(centre.phones_port)
        before = _processor_times(centre, competitor)
        async with _callers(centre, competitor, calls, rate, seconds, caller_log) as callers:
            called = await callers.result()
        await phones.finish()
        answered = await phones.result()
        await asyncio.sleep(TAIL_S)
        used = [
            (now - then) * 1000.0 / calls
            for now, then in zip(_processor_times(centre, competitor), before, strict=True)
        ]
    left = await _until_all_left(centre)
    rang = messages.ringing_ms(_read(caller_log))
    if not rang:
        raise LabError(f"{competitor.name}: not one of {calls} calls rang: {called.errors}\n{centre.daemon.log_tail()}")
    return Cell(
        competitor=competitor.name,
        rate=rate,
        round=round_,
        calls=calls,
        median_ms=percentile(rang, 50),
        p99_ms=percentile(rang, 99),
        longest_ms=max(rang),
        failed=calls - min(called.successful, len(rang)),
        retransmissions=messages.retransmissions(_read(caller_log)) + messages.retransmissions(_read(phone_log)),
        left=left,
        asterisk_cpu_ms=used[0],
        daemon_cpu_ms=used[1],
        database_cpu_ms=used[2],
        errors=_complaints(called) + _complaints(answered),
    )


def _phones(centre: Centre, log: Path, seconds: float) -> Sipp:
    """All 300 phones: one SIPp that rings at once and answers after a little."""
    return Sipp(
        "uas_answer",
        address=PHONES_ADDRESS,
        port=centre.phones_port,
        count=MANY,
        pause_ms=RINGS_MS,
        timeout_s=seconds + 2 * SPARE_S,
        keeps_messages=False,
        options=(*SIPP_OPTIONS, "-trace_shortmsg", "-shortmessage_file", str(log)),
    )


def _callers(centre: Centre, competitor: Competitor, calls: int, rate: float, seconds: float, log: Path) -> Sipp:
    """All residents: one SIPp whose calls last a second."""
    return Sipp(
        "uac_talk",
        address=CARRIER_ADDRESS,
        target=centre.asterisk.sip_address,
        service=competitor.extension,
        caller=CALLER,
        count=calls,
        rate_per_s=rate,
        pause_ms=TALKS_MS,
        timeout_s=seconds + SPARE_S,
        keeps_messages=False,
        options=(*SIPP_OPTIONS, "-trace_shortmsg", "-shortmessage_file", str(log)),
    )


def _processor_times(centre: Centre, competitor: Competitor) -> tuple[float, float, float]:
    """Of Asterisk, of the program that tells it what to do, and of PostgreSQL, in seconds."""
    program, database = centre.program_of(competitor), centre.postgres.pid
    return (
        cpu_s(centre.asterisk.pid),
        cpu_s(program) if program is not None else 0.0,
        tree_cpu_s(database) if database is not None else 0.0,
    )


async def _until_bound(port: int) -> None:
    """Wait until the phones listen: a call that comes before would be sent twice.

    Raises:
        LabError: they do not within 5 s.
    """
    try:
        async with asyncio.timeout(START_S):
            while not _is_bound(PHONES_ADDRESS, port):  # noqa: ASYNC110 - SIPp tells nobody
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise LabError(f"the phones do not listen at {PHONES_ADDRESS}:{port} within {START_S:g} s") from None


def _is_bound(address: str, port: int) -> bool:
    """Whether somebody has this UDP port; without taking it, as trying to bind it would."""
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f" {number:08X}:{port:04X} " in Path("/proc/net/udp").read_text(encoding="ascii")


async def _until_all_left(centre: Centre) -> int:
    """Wait until Asterisk has no channel any more; how many are left after 5 s, which are then hung up."""
    deadline = asyncio.get_running_loop().time() + LEAVE_S
    while channels := await asyncio.to_thread(centre.asterisk.channels):
        if asyncio.get_running_loop().time() > deadline:
            await asyncio.to_thread(centre.asterisk.cli, "channel request hangup all")
            return len(channels)
        await asyncio.sleep(POLL_S)
    return 0


def _read(log: Path) -> list[messages.Message]:
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        return list(messages.read(lines))


def _complaints(result: SippResult) -> str:
    """What SIPp complained of, in short; nothing when all went well."""
    return result.errors[:500] if result.failed else ""
