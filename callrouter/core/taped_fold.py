"""From the facts of a call to what its record says of recording."""

from dataclasses import dataclass, field
from datetime import datetime

from callrouter.core import facts
from callrouter.core.talk_time import whole_ms
from callrouter.core.tapes import CdrMute, CdrNotice, CdrTape, MuteReason, TapeResult


@dataclass(slots=True)
class TapedFold:
    """Takes facts, one after another."""

    notices: tuple[CdrNotice, ...] = ()
    tapes: tuple[CdrTape, ...] = ()
    told: facts.NoticeBegun | None = None
    """One that was not seen to end."""
    begun: facts.TapeBegun | None = None
    muted: dict[MuteReason, facts.TapeMuted] = field(default_factory=dict)
    mutes: tuple[CdrMute, ...] = ()

    def take(self, fact: facts.Fact) -> str | None:
        """Take one fact; what is to be told of it to people is returned."""
        match fact:
            case facts.NoticeBegun():
                self._close_notice(None)
                self.told = fact
            case facts.NoticeOver(at=at, prompt=prompt, heard=heard, why=why):
                self._close_notice(at if heard else None)
                return f"notice {prompt}: {'heard' if heard else f'not heard to its end, {why}'}"
            case facts.NotTaped(why=why):
                return f"not recorded: {why}"
            case facts.TapeBegun():
                self.begun = fact
            case facts.TapeMuted(why=why):
                self.muted[why] = fact
            case facts.TapeUnmuted(at=at, why=why):
                self._close_mute(why, at)
            case facts.TapeEnded(at=at, result=result, why=why):
                return self._close_tape(at, result, why)
            case facts.Released(at=at):
                self._close_notice(None)
                return self._close_tape(at, TapeResult.KEPT, "its end was not seen")
            case _:
                pass
        return None

    def _close_notice(self, heard_at: datetime | None) -> None:
        if self.told is not None:
            at = whole_ms(heard_at) if heard_at is not None else None
            self.notices += (CdrNotice(self.told.prompt, self.told.language, whole_ms(self.told.at), at),)
            self.told = None

    def _close_mute(self, why: MuteReason, at: datetime) -> None:
        begun = self.muted.pop(why, None)
        if begun is not None:
            self.mutes += (CdrMute(whole_ms(begun.at), whole_ms(at), why, begun.who),)

    def _close_tape(self, at: datetime, result: TapeResult, why: str) -> str | None:
        begun, self.begun = self.begun, None
        if begun is None:
            return None
        for reason in tuple(self.muted):
            self._close_mute(reason, at)
        tape = CdrTape(
            begun.recording,
            begun.queue,
            begun.agent,
            begun.notice,
            whole_ms(begun.at),
            whole_ms(at),
            result,
            why,
            begun.retention_s,
            self.mutes,
        )
        self.tapes, self.mutes = (*self.tapes, tape), ()
        pauses = sum(mute.why is MuteReason.PAUSED for mute in tape.muted)
        paused = f", paused {pauses} times" if pauses > 1 else ", paused once" if pauses else ""
        return f"recorded: {begun.agent}, {result}, {tape.length_s:.0f} s{paused}; {why}"
