"""What the exchange wants done. Commands of one call are carried out in the order in which they were given."""

import msgspec

from callrouter.core.causes import Cause
from callrouter.core.events import TimerKey
from callrouter.core.ids import BridgeId, CallId, ChannelId, PlaybackId, SiteName


class SiteCommand(msgspec.Struct, frozen=True, gc=False):
    """Something for one Asterisk to do; ``call`` is the lane that keeps the order."""

    site: SiteName
    call: CallId


class Answer(SiteCommand, frozen=True, gc=False):
    """Answer the caller."""

    channel: ChannelId


class Ring(SiteCommand, frozen=True, gc=False):
    """Let the caller hear ringing (180)."""

    channel: ChannelId


class Play(SiteCommand, frozen=True, gc=False):
    """Play ``media`` to the caller, one after another; it ends once, with the last."""

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


class StartMusic(SiteCommand, frozen=True, gc=False):
    """Play music on hold to the caller."""

    channel: ChannelId
    music_class: str


class StopMusic(SiteCommand, frozen=True, gc=False):
    """End the music on hold."""

    channel: ChannelId


class Originate(SiteCommand, frozen=True, gc=False):
    """Call a counselor's phone; its channel will have the id ``channel``."""

    channel: ChannelId
    endpoint: str
    caller_name: str
    caller_number: str
    timeout_s: float
    """After which Asterisk gives up by itself, should we be dead by then."""
    originator: ChannelId


class Connect(SiteCommand, frozen=True, gc=False):
    """Make ``bridge`` and put both channels into it."""

    bridge: BridgeId
    caller: ChannelId
    leg: ChannelId


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


class SetLamp(SiteCommand, frozen=True, gc=False):
    """Let the lamps of the phones that watch ``device`` be lit, or not."""

    device: str
    lit: bool


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Tell us when ``after_s`` seconds have passed; replaces a timer of the same key."""

    key: TimerKey
    after_s: float


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """Forget the timer, if it is set."""

    key: TimerKey


AriCommand = (
    Answer
    | Ring
    | Play
    | SetLanguage
    | StopPlayback
    | StartMusic
    | StopMusic
    | Originate
    | Connect
    | DestroyBridge
    | SetDeadMan
    | Hangup
    | ContinueInDialplan
    | SetLamp
)

Command = AriCommand | SetTimer | CancelTimer
