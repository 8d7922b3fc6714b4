"""What counselors press during a conversation, as configured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callrouter.core.call_orders import CallVerb
from callrouter.core.ids import PromptName


@dataclass(frozen=True, slots=True)
class CallKey:
    """What a code stands for; ``target`` is whom it always calls, where it does."""

    verb: CallVerb
    target: str = ""


@dataclass(frozen=True, slots=True)
class CallKeys:
    """The section ``call_keys:``, compiled."""

    codes: Mapping[str, CallKey] = field(default_factory=dict)
    between_s: float = 4.0
    """Who pauses for longer between two keys begins anew."""
    refused: PromptName | None = None
    """What the counselor hears when a code could not be carried out; None: nothing."""
    goodbye: PromptName | None = None
    """What an abusive caller hears at the end; None: nothing."""
    limited: PromptName | None = None
    """The same, where as many calls have gone out as may; None: as ``refused``."""
    recording_paused: PromptName | None = None
    """What the counselor hears when nothing is recorded any more; None: nothing."""
    recording_resumed: PromptName | None = None
    """What he hears when what is said is recorded again; None: nothing."""
