"""What the exchange wants done. Commands of one call are carried out in the order in which they were given."""

from datetime import datetime
from enum import StrEnum

import msgspec

from callrouter.core.causes import Cause
from callrouter.core.events import TimerKey
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, RecordingId, RegionName, SiteName
from callrouter.core.supervisors import HearingMode


class SiteCommand(msgspec.Struct, frozen=True, gc=False):
    """Something for one Asterisk to do; ``call`` is the lane that keeps the order."""

    site: SiteName
    call: CallId


class Answer(SiteCommand, frozen=True, gc=False):
    """Answer the caller."""

    channel: ChannelId


class Ring(SiteCommand, frozen=True, gc=False):
    """Let the caller hear ringing: 180, or a tone for one who was answered."""

    channel: ChannelId


class StopRinging(SiteCommand, frozen=True, gc=False):
    """End the ringing tone that an answered caller hears."""

    channel: ChannelId


class Play(SiteCommand, frozen=True, gc=False):
    """Play ``media`` to the caller, or to a leg that is asked for a key; it ends once, with the last of them."""

    channel: ChannelId
    playback: PlaybackId
    media: tuple[str, ...]


class SetLanguage(SiteCommand, frozen=True, gc=False):
    """Let Asterisk speak another language on the channel."""

    channel: ChannelId
    language: str


class StopPlayback(SiteCommand, frozen=True, gc=False):
    """Stop an announcement that may still be playing."""

    playback: PlaybackId


class AskPlayback(SiteCommand, frozen=True, gc=False):
    """Tell us if an announcement is over, or is not there: we may have missed it."""

    playback: PlaybackId


class Record(SiteCommand, frozen=True, gc=False):
    """Record what the caller says, until a key, silence or the greatest length ends it."""

    channel: ChannelId
    recording: RecordingId
    max_s: float
    silence_s: float
    end_key: str


class StopRecording(SiteCommand, frozen=True, gc=False):
    """End a recording, and keep what there is of it."""

    recording: RecordingId


class AskRecording(SiteCommand, frozen=True, gc=False):
    """Tell us if the recording is over, or is not there: we may have missed it."""

    recording: RecordingId


class DeleteRecording(SiteCommand, frozen=True, gc=False):
    """Delete a recording that is over and holds no message."""

    recording: RecordingId


class RecordTalk(SiteCommand, frozen=True, gc=False):
    """Record all that is heard in ``bridge``, until it is stopped or the bridge is no more."""

    bridge: BridgeId
    recording: RecordingId


class MuteRecording(SiteCommand, frozen=True, gc=False):
    """Let nothing be heard in a recording from now on (``muted``), or let it be heard again; its time goes on."""

    recording: RecordingId
    muted: bool


class StartMusic(SiteCommand, frozen=True, gc=False):
    """Play music on hold to the caller."""

    channel: ChannelId
    music_class: str


class StopMusic(SiteCommand, frozen=True, gc=False):
    """End the music on hold."""

    channel: ChannelId


class Originate(SiteCommand, frozen=True, gc=False):
    """Call a counselor's phone or a destination; its channel will have the id ``channel``."""

    channel: ChannelId
    endpoint: str
    caller_name: str
    caller_number: str
    timeout_s: float
    """After which Asterisk gives up by itself, should we be dead by then."""
    originator: ChannelId
    """For whom it is called; empty: for nobody who has a channel."""
    relay: str = ""
    """The word by which another site knows the leg; sent in a header of ours."""
    hops: str = ""
    """How often the call has gone out with this leg, and what names the leg: another such header, by which we know it
    should it come back."""


class Connect(SiteCommand, frozen=True, gc=False):
    """Make ``bridge`` and put both channels into it."""

    bridge: BridgeId
    caller: ChannelId
    leg: ChannelId


class JoinBridge(SiteCommand, frozen=True, gc=False):
    """Put one more channel into ``bridge``; told as :class:`~callrouter.core.events.BridgeFailed` if it cannot be."""

    bridge: BridgeId
    channel: ChannelId


class LeaveBridge(SiteCommand, frozen=True, gc=False):
    """Take a channel out of ``bridge``; the others go on."""

    bridge: BridgeId
    channel: ChannelId


class TellTransfer(SiteCommand, frozen=True, gc=False):
    """Tell the phone that asked for a transfer what became of it (RFC 3515, NOTIFY)."""

    channel: ChannelId
    done: bool


class DestroyBridge(SiteCommand, frozen=True, gc=False):
    """Destroy a bridge whose channels are gone."""

    bridge: BridgeId


class SetDeadMan(SiteCommand, frozen=True, gc=False):
    """Let the caller leave for the fallback after ``after_s`` seconds unless we say otherwise; 0 lifts it."""

    channel: ChannelId
    after_s: float
    playing: bool
    """Whether an announcement is playing on the channel, behind which Asterisk would make this wait."""


class Hangup(SiteCommand, frozen=True, gc=False):
    """Hang a channel up."""

    channel: ChannelId
    cause: Cause


class ContinueInDialplan(SiteCommand, frozen=True, gc=False):
    """Send the caller on into the dialplan."""

    channel: ChannelId
    context: str
    extension: str


class Lamp(StrEnum):
    """What the lamps of phones that watch a device show: each is another state of a device in Asterisk.

    A phone that is told of dialogs alone (RFC 4235) shows ``FREE`` and ``GONE`` dark, ``RINGING`` blinking and the
    others lit, ``HELD`` perhaps in another colour; one that is told of presence shows more.
    """

    FREE = "free"
    RINGING = "ringing"
    IN_USE = "in-use"
    CLOSING = "closing"
    HELD = "held"
    OUT = "out"
    GONE = "gone"


class SetLamp(SiteCommand, frozen=True, gc=False):
    """Let the lamps of the phones that watch ``device`` show something."""

    device: str
    shows: Lamp


class WatchPhones(SiteCommand, frozen=True, gc=False):
    """Have these phones of the site told of (``PJSIP/201``), and no others."""

    phones: tuple[str, ...]


class Snoop(SiteCommand, frozen=True, gc=False):
    """Make an ``ear`` at a leg: a channel that hears both sides, and speaks as ``mode`` says."""

    channel: ChannelId
    ear: ChannelId
    mode: HearingMode


class Hear(SiteCommand, frozen=True, gc=False):
    """Make ``bridge`` and put a supervisor's phone and his ear into it, from wherever the phone is.

    Keys that he presses stay his own.
    """

    bridge: BridgeId
    phone: ChannelId
    ear: ChannelId


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Tell us when ``after_s`` seconds have passed; replaces a timer of the same key."""

    key: TimerKey
    after_s: float


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """Forget the timer, if it is set."""

    key: TimerKey


class Remember(msgspec.Struct, frozen=True, gc=False):
    """Know next time that who calls from ``number`` (E.164) chose ``region``; until then (aware), by consent."""

    number: str
    region: RegionName
    until: datetime


class Forget(msgspec.Struct, frozen=True, gc=False):
    """Keep nothing that was remembered of who calls from ``number`` (E.164)."""

    number: str


AriCommand = (
    Answer
    | Ring
    | StopRinging
    | Play
    | SetLanguage
    | StopPlayback
    | AskPlayback
    | Record
    | StopRecording
    | AskRecording
    | DeleteRecording
    | RecordTalk
    | MuteRecording
    | StartMusic
    | StopMusic
    | Originate
    | Connect
    | JoinBridge
    | LeaveBridge
    | TellTransfer
    | DestroyBridge
    | SetDeadMan
    | Hangup
    | ContinueInDialplan
    | SetLamp
    | WatchPhones
    | Snoop
    | Hear
)

LocalCommand = SetTimer | CancelTimer | Remember | Forget

Command = AriCommand | LocalCommand
