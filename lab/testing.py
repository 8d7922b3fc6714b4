"""The Asterisk that tests use: its own ports, and tones for prompts, so that a test can tell which one was heard."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from callrouter.pbx.dialling import DialOut
from lab import audio, kamailio, ports
from lab.asterisk import LabAsterisk
from lab.asterisk_config import Peer
from lab.kamailio import LabKamailio
from lab.paths import INSTANCES, try_lock
from lab.phones import CARRIER_ADDRESS, Phone, default_phones

PREFIX = "test-"
RING_BACK_HZ = (440.0, 480.0)
MUSIC_HZ = 1000.0
PROMPT_S = 1.0
DEADLINE_S = 3
FALLBACK_RINGS_S = 4
WATCHED_PHONE, SILENCE_S = "290", 2
"""A phone from which sound must come: after so many seconds without, Asterisk ends its call."""

# A queue of Asterisk's own, as an existing PBX has, for the sample that asks callrouter over FastAGI.
QUEUES = """\
[general]
[agi-sample](!)
strategy=ringall
timeout=10
member => PJSIP/201
[gyeongnam](agi-sample)
[changwon](agi-sample)
"""

PROMPT_HZ: Mapping[str, float] = MappingProxyType(
    {
        "welcome": 520.0,
        "waiting": 560.0,
        "closed": 600.0,
        "all-busy": 640.0,
        "fallback-wait": 680.0,
        "fallback-sorry": 720.0,
        "night-welcome": 760.0,
        "changwon-welcome": 800.0,
        "changwon-night-welcome": 840.0,
        "emergency": 880.0,
        "passport-surge": 400.0,
        "switch-on": 920.0,
        "switch-off": 960.0,
        "switch-refused": 1040.0,
        "switch-unknown": 360.0,
        "switch-away": 320.0,
        "agent-loggedin": 440.0,
        "agent-loggedout": 480.0,
        "agent-paused": 1000.0,
        "agent-ready": 280.0,
        "agent-unknown": 240.0,
        "agent-missed": 2620.0,
        "agent-number": 2660.0,
        "agent-pin": 2700.0,
        "agent-refused": 2740.0,
        "agent-locked": 2780.0,
        "agent-taken": 2820.0,
        "supervise-refused": 260.0,
        "supervise-nobody": 300.0,
        "call-refused": 200.0,
        "call-limited": 3420.0,
        "length-reminder": 120.0,
        "length-over": 140.0,
        "abusive-goodbye": 160.0,
        "queue-position-1": 1600.0,
        "queue-position-2": 1640.0,
        "queue-position-3": 1680.0,
        "queue-position-4": 1720.0,
        "queue-position-5": 1760.0,
        "queue-position-6": 1800.0,
        "queue-position-7": 1840.0,
        "queue-position-8": 1880.0,
        "queue-position-9": 1920.0,
        "queue-position-10": 1960.0,
        "queue-position-more": 2000.0,
        "queue-wait-0-1": 2040.0,
        "queue-wait-0-3": 2080.0,
        "queue-wait-1-3": 2120.0,
        "queue-wait-1-5": 2160.0,
        "queue-wait-3-5": 2200.0,
        "queue-wait-3-10": 2240.0,
        "queue-wait-5-10": 2280.0,
        "queue-wait-5-15": 2320.0,
        "queue-wait-10-15": 2360.0,
        "queue-wait-10-20": 2400.0,
        "queue-wait-15-30": 2440.0,
        "queue-wait-20-30": 2480.0,
        "queue-wait-30-more": 2520.0,
        "queue-keys": 2560.0,
        "agent-noted": 2640.0,
        "agent-toolate": 2680.0,
        "recording-notice": 3300.0,
        "recording-paused": 3340.0,
        "recording-resumed": 3380.0,
        "digit-0": 2860.0,
        "digit-1": 2900.0,
        "digit-2": 2940.0,
        "digit-3": 2980.0,
        "digit-4": 3020.0,
        "digit-5": 3060.0,
        "digit-6": 3140.0,
        "digit-7": 3180.0,
        "digit-8": 3220.0,
        "digit-9": 3260.0,
        "callback-noted": 3420.0,
        "callback-agent": 3460.0,
        "callback-resident": 3500.0,
    }
)
"""The tone that stands for each prompt in the Asterisk of the tests. Use others for people: 1100 to 1500 Hz."""


ENGLISH_HZ: Mapping[str, float] = MappingProxyType(
    {
        name: hz + 20
        for name, hz in PROMPT_HZ.items()
        if name.startswith(("queue-", "digit-")) or name in ("waiting", "recording-notice")
    }
)
"""The same for prompts that are spoken in English, too."""


def write_tones(folder: Path, *, but: str = "") -> None:
    """Put the tones of all prompts into a sounds folder, except that of one."""
    for name, frequency_hz in PROMPT_HZ.items():
        if name != but:
            audio.write_tone(folder / f"{name}.wav", frequency_hz, duration_s=PROMPT_S)
    for name, frequency_hz in ENGLISH_HZ.items():
        audio.write_tone(folder / "en" / f"{name}.wav", frequency_hz, duration_s=PROMPT_S)


def asterisk_for_tests(
    agi_port: int,
    *,
    phones: tuple[Phone, ...] | None = None,
    global_variables: Mapping[str, str] | None = None,
    address: str = ports.LOOPBACK,
    sip_port: int | None = None,
    peers: tuple[Peer, ...] = (),
    carrier_port: int | None = None,
    proxy: str = "",
    dials: DialOut | None = None,
) -> LabAsterisk:
    """An Asterisk of this process alone, not started yet. Several have an ``address`` each, and are ``peers``.

    The daemon has 3 s to take a call in it, and the fallback's ring group rings for 4 s.
    """
    remove_leftovers()
    variables = {
        "CALLROUTER_AGI": f"127.0.0.1:{agi_port}",
        "CALLROUTER_DEADLINE": str(DEADLINE_S),
        "CALLROUTER_FALLBACK_S": str(FALLBACK_RINGS_S),
        **(global_variables or {}),
    }
    sip_port = sip_port or ports.kept_udp(address)
    instance = LabAsterisk(
        f"{PREFIX}{os.getpid()}-{agi_port}-{sip_port}",
        sip_port=sip_port,
        http_port=ports.kept_tcp(),
        rtp_range=(20000, 29999),
        phones=(*default_phones(), Phone(WATCHED_PHONE, rtp_timeout_s=SILENCE_S)) if phones is None else phones,
        global_variables=variables,
        queues=QUEUES,
        carrier_port=ports.kept_sip(CARRIER_ADDRESS) if carrier_port is None else carrier_port,
        address=address,
        peers=peers,
        proxy=proxy,
        dials=dials,
    )
    write_tones(instance.sounds_dir / "callrouter")
    audio.write_tone(instance.moh_dir / "callrouter/music.wav", MUSIC_HZ, duration_s=20)
    return instance


def remove_leftovers() -> None:
    """End and delete test instances whose process was killed before it could tidy up."""
    for state in INSTANCES.glob(f"{PREFIX}*"):
        lock = try_lock(state / "lock")
        if lock is None:
            continue
        with lock:
            # Without a record of its process it may be just about to be started by someone else.
            if (state / "asterisk.pid").exists():
                leftover = LabAsterisk(state.name)
                leftover.end_leftover()
                leftover.remove()
            if (state / "kamailio" / kamailio.PID_FILE).exists():
                edge = LabKamailio(state.name, carrier_port=0)
                edge.end_leftover()
                edge.remove()
