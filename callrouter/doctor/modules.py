"""The modules of Asterisk that callrouter and its dialplan need."""

from collections.abc import Collection, Mapping
from typing import Final

from callrouter.doctor.finding import Finding, error, ok, some, warning

NEEDED: Final[Mapping[str, str]] = {
    "app_stasis": "no call can be handed to callrouter",
    "res_stasis": "no call can be handed to callrouter",
    "res_stasis_answer": "calls cannot be answered",
    "res_stasis_playback": "announcements cannot be played",
    "res_ari_applications": "callrouter cannot come up",
    "res_ari_asterisk": "callrouter cannot come up",
    "res_ari_bridges": "caller and counselor cannot be joined",
    "res_ari_channels": "no call can be handled",
    "res_ari_endpoints": "callrouter cannot come up",
    "res_ari_events": "callrouter hears of no call",
    "res_ari_playbacks": "announcements cannot be stopped",
    "res_http_websocket": "callrouter hears of no call",
    "bridge_simple": "caller and counselor cannot be joined",
    "res_musiconhold": "waiting callers hear nothing",
    "pbx_config": "there is no dialplan",
    "func_timeout": "the dead man's switch does not work: callers hang when callrouter dies",
    "func_logic": "the fallback does not work",
    "func_strings": "the fallback does not work",
    "app_dial": "the fallback rings nobody",
    "app_playback": "the fallback announces nothing",
}
"""Module, and what its absence means."""

USEFUL: Final[Mapping[str, str]] = {
    "bridge_native_rtp": "every packet of speech goes through Asterisk's mixing, which costs processor time",
    "res_agi": "the dialplan cannot ask over FastAGI",
    "func_global": "the dialplan's settings in [globals] cannot be changed while it runs",
    "res_ari_device_states": "the lamps of phones that watch a switch stay as they are",
    "res_pjsip_exten_state": "no phone can watch a switch",
    "format_wav": "announcements in WAV files cannot be played",
    "res_stasis_recording": "callers can leave no messages",
    "res_ari_recordings": "messages of callers can be neither saved nor deleted",
    "chan_bridge_media": "no conversation can be recorded",
    "res_stasis_snoop": "supervisors can hear no conversation",
    "codec_alaw": "speech in G.711 A-law, usual in Korea's trunks, cannot be converted",
    "res_pjsip_rfc3326": "phones list calls as missed that another answered, and why one refused is told less exactly",
}

_CHANNEL_DRIVERS: Final = {"PJSIP": "chan_pjsip", "SIP": "chan_sip", "IAX2": "chan_iax2", "DAHDI": "chan_dahdi"}


def check_modules(check: str, running: Collection[str], technologies: Collection[str]) -> list[Finding]:
    """``running`` are the names without ``.so``; ``technologies`` those of the counselors' phones (``PJSIP``)."""
    needed = dict(NEEDED)
    for technology in technologies:
        driver = _CHANNEL_DRIVERS.get(technology)
        if driver is not None:
            needed[driver] = f"phones at {technology}/… cannot be called"
    lacking = [
        error(check, f"{name} is not loaded: {why}", _remedy(name))
        for name, why in needed.items()
        if name not in running
    ]
    lacking += [
        warning(check, f"{name} is not loaded: {why}", _remedy(name))
        for name, why in USEFUL.items()
        if name not in running
    ]
    return lacking or [ok(check, f"all {len(needed) + len(USEFUL)} modules are loaded, {some(sorted(needed), 3)}")]


def _remedy(name: str) -> str:
    return f'asterisk -rx "module load {name}.so", and load = {name}.so in modules.conf'
