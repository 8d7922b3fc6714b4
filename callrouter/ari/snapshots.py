"""What Asterisk says a thing looks like now: channels, bridges, playbacks, itself.

Field names are those of Asterisk's own description (``/ari/api-docs``), against which the lab checks them. A field has
a default where the daemon can live without it, so that an older or newer Asterisk does not cost a call. Values of
closed sets that this version does not know become ``UNKNOWN`` or ``OTHER`` for the same reason.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class ChannelState(StrEnum):
    """State of a channel, in Asterisk's spelling."""

    DOWN = "Down"
    RESERVED = "Rsrved"
    OFF_HOOK = "OffHook"
    DIALING = "Dialing"
    RING = "Ring"
    RINGING = "Ringing"
    UP = "Up"
    BUSY = "Busy"
    DIALING_OFF_HOOK = "Dialing Offhook"
    PRE_RING = "Pre-ring"
    UNKNOWN = "Unknown"

    @classmethod
    def _missing_(cls, value: object) -> "ChannelState | None":
        return cls.UNKNOWN if isinstance(value, str) else None


class PlaybackState(StrEnum):
    """State of a playback. A sound file that does not exist ends ``FAILED``."""

    QUEUED = "queued"
    PLAYING = "playing"
    CONTINUING = "continuing"
    DONE = "done"
    FAILED = "failed"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> "PlaybackState | None":
        return cls.OTHER if isinstance(value, str) else None


class RecordingState(StrEnum):
    """State of a recording. One that could not be begun ends ``DONE``, with nothing in it."""

    QUEUED = "queued"
    RECORDING = "recording"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> "RecordingState | None":
        return cls.OTHER if isinstance(value, str) else None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Common ground of everything that Asterisk describes."""


class CallerId(Snapshot, frozen=True, kw_only=True):
    """Name and number of a party; both may be empty."""

    name: str = ""
    number: str = ""


class Dialplan(Snapshot, frozen=True, kw_only=True):
    """Where in the dialplan a channel is, and which application runs there with which arguments."""

    context: str = ""
    exten: str = ""
    priority: int = 0
    app_name: str = ""
    app_data: str = ""


class Channel(Snapshot, frozen=True, kw_only=True):
    """A channel: one leg of a call."""

    id: str
    name: str
    state: ChannelState
    protocol_id: str = ""
    caller: CallerId = CallerId()
    connected: CallerId = CallerId()
    accountcode: str = ""
    dialplan: Dialplan = Dialplan()
    creationtime: datetime | None = None
    language: str = ""
    channelvars: dict[str, str] = {}
    caller_rdnis: str = ""
    tenantid: str = ""

    def is_in(self, application: str) -> bool:
        """Whether this channel is inside our Stasis application now.

        Being listed under an application is not enough: Asterisk lists helper legs (``;2``) and legs that still ring
        there too.
        """
        dialplan = self.dialplan
        return dialplan.app_name == "Stasis" and dialplan.app_data.partition(",")[0] == application


class Bridge(Snapshot, frozen=True, kw_only=True):
    """A bridge and the ids of the channels in it."""

    id: str
    technology: str = ""
    bridge_type: str = ""
    bridge_class: str = ""
    creator: str = ""
    name: str = ""
    channels: tuple[str, ...] = ()
    creationtime: datetime | None = None
    video_mode: str = ""
    video_source_id: str = ""


class Playback(Snapshot, frozen=True, kw_only=True):
    """A playback. ``target_uri`` is ``channel:<id>`` or ``bridge:<id>``."""

    id: str
    state: PlaybackState
    media_uri: str = ""
    next_media_uri: str = ""
    target_uri: str = ""
    language: str = ""


class LiveRecording(Snapshot, frozen=True, kw_only=True):
    """A recording, until it is over. Durations are whole seconds; they come when it ends.

    ``talking_duration`` is there only if silence was to end the recording.
    """

    name: str
    state: RecordingState
    format: str = ""
    target_uri: str = ""
    duration: int | None = None
    talking_duration: int | None = None
    silence_duration: int | None = None
    cause: str = ""


class EventType(Snapshot, frozen=True, kw_only=True):
    """One entry of an application's event filter."""

    type: str = ""


class Application(Snapshot, frozen=True, kw_only=True):
    """A Stasis application: what it is subscribed to, and its event filter (empty: everything passes)."""

    name: str
    channel_ids: tuple[str, ...] = ()
    bridge_ids: tuple[str, ...] = ()
    endpoint_ids: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    events_allowed: tuple[EventType, ...] = ()
    events_disallowed: tuple[EventType, ...] = ()


class Endpoint(Snapshot, frozen=True, kw_only=True):
    """A phone or trunk. ``state`` is ``unknown``, ``offline`` or ``online``; some drivers give none."""

    technology: str
    resource: str
    state: str = "unknown"
    channel_ids: tuple[str, ...] = ()

    @property
    def dialed(self) -> str:
        """What Asterisk dials for it: ``PJSIP/201``."""
        return f"{self.technology}/{self.resource}"


class SystemInfo(Snapshot, frozen=True, kw_only=True):
    """Which Asterisk this is. ``entity_id`` is what events carry as ``asterisk_id``."""

    version: str
    entity_id: str


class StatusInfo(Snapshot, frozen=True, kw_only=True):
    """When this Asterisk started: two different times are two lives, and calls of the first are gone."""

    startup_time: datetime
    last_reload_time: datetime


class BuildInfo(Snapshot, frozen=True, kw_only=True):
    """How this Asterisk was built."""

    options: str = ""
    date: str = ""


class ConfigInfo(Snapshot, frozen=True, kw_only=True):
    """How it is configured. ``name`` is ``systemname`` of asterisk.conf, with which the ids of its channels begin."""

    name: str = ""


class AsteriskInfo(Snapshot, frozen=True, kw_only=True):
    """``GET /asterisk/info`` as we ask for it: always with ``system`` and ``status``."""

    system: SystemInfo
    status: StatusInfo
    build: BuildInfo = BuildInfo()
    config: ConfigInfo = ConfigInfo()


class AsteriskPing(Snapshot, frozen=True, kw_only=True):
    """Answer to a ping."""

    asterisk_id: str
    ping: str = ""
    timestamp: str = ""


class Variable(Snapshot, frozen=True, kw_only=True):
    """Value of a channel variable; empty when it was never set."""

    value: str
