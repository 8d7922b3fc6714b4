"""Plans as lines of the dialplan: what Asterisk can do by itself, and the nearest honest thing for what it cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from callrouter.core.geography import Geography
from callrouter.core.ids import PromptName, QueueName, SiteName
from callrouter.core.plan import (
    Announce,
    Callback,
    Dial,
    EnterQueue,
    HandOver,
    HangUp,
    If,
    Menu,
    Plan,
    RouteAgain,
    Step,
    Voicemail,
)
from callrouter.core.rulebook import QueueSpec, Rulebook, WaitingSound
from callrouter.survival.asking import Asking, Notes
from callrouter.survival.script import QUEUES, ROUTES, SORRY, Extension, dial_string, sound, word

LONGEST_WAIT_S: Final = 600
"""How long who may wait without limit is kept before he is told that nobody can be reached."""
PAUSE_S: Final = 3
"""Between two rounds of ringing, and between two looks for a free phone."""
_TAKEN: Final = "INUSE|BUSY|RINGING|RINGINUSE|ONHOLD|UNAVAILABLE|INVALID"
"""States of a phone that is not rung. In none of them is one whose state Asterisk does not know."""
_OURS: Final = "callrouter-"
"""What contexts of ours begin with: they lead to the daemon."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Writes plans for one site."""

    book: Rulebook
    site: SiteName
    geography: Geography
    asking: Asking
    queues: dict[QueueName, str] = field(default_factory=dict)
    """Extension of each queue that a plan has led to."""

    @property
    def notes(self) -> Notes:
        """What cannot be done as the daemon does it."""
        return self.asking.notes

    def write(self, plan: Plan, script: Extension, where: str) -> None:
        """All steps of a plan; it always ends somewhere else."""
        steps = plan.steps
        for position, step in enumerate(steps):
            self._step(step, steps[position + 1 :], script, where)
        # A step without an end of its own, such as a queue without a limit, comes here when Asterisk gives up.
        script.do(f"Goto({SORRY})")

    def _step(self, step: Step, rest: Sequence[Step], script: Extension, where: str) -> None:
        match step:
            case Announce(prompt):
                self._announce(prompt, script, where)
            case EnterQueue(queue, max_wait_s):
                self._queue(queue, max_wait_s, rest, script, where)
            case Dial():
                self._dial(step, script, where)
            case HandOver(context, extension):
                self._hand_over(context, extension, script, where)
            case HangUp(cause):
                script.do(f"Hangup({cause.value})")
            case RouteAgain():
                script.do(f"Goto({ROUTES},r0,1)")
            case If():
                self._if(step, script, where)
            case Menu() | Voicemail() | Callback():
                self._beyond(step, script, where)
            case _:
                assert_never(step)

    def _beyond(self, step: Menu | Voicemail | Callback, script: Extension, where: str) -> None:
        """What Asterisk cannot do by itself."""
        match step:
            case Menu():
                self._menu(step, script, where)
            case Voicemail(box=box):
                what = f"no message can be left in {box}: the caller is told that nobody can answer"
                self._instead(what, script, where)
                self._play("fallback-sorry", script, where)
            case Callback(queue=queue, otherwise=otherwise):
                what = f"{queue} cannot be asked to call back: as for a caller who cannot be called"
                self._instead(what, script, where)
                if otherwise is not None:
                    self.write(otherwise, script, where)
            case _:
                assert_never(step)

    def _instead(self, what: str, script: Extension, where: str) -> None:
        script.remark(self.notes.add(where, what))

    # --- speaking

    def _announce(self, prompt: PromptName, script: Extension, where: str) -> None:
        script.do("Answer()")
        self._play(prompt, script, where)

    def _play(self, prompt: str, script: Extension, where: str) -> None:
        media = self.book.media(PromptName(prompt))
        scheme, _, name = media.partition(":")
        if scheme != "sound":
            self._instead(f"the prompt {prompt} is no sound file ({scheme}), and is left out", script, where)
            return
        script.do(f"Playback({sound(name, f'{where}: the prompt {prompt}')})")

    # --- choosing

    def _if(self, step: If, script: Extension, where: str) -> None:
        otherwise, beyond = script.label(), script.label()
        for condition in step.conditions:
            self.asking.unless(condition, otherwise, script, where)
        if step.then is not None:
            self.write(step.then, script, where)
        else:
            script.do(f"Goto({beyond})")
        script.put(otherwise)
        if step.otherwise is not None:
            self.write(step.otherwise, script, where)
        script.put(beyond)

    def _menu(self, step: Menu, script: Extension, where: str) -> None:
        self._instead(f"the menu {step.prompt} is not asked: as for a caller who presses nothing", script, where)
        answer = step.default
        if answer.topic is not None:
            script.do(f"Set(CR_TOPIC={word(answer.topic, f'{where}: a topic')})")
        if answer.language is not None:
            script.do(f"Set(CR_LANGUAGE={word(answer.language, f'{where}: a language')})")
        if answer.region is not None and answer.region.name in self.geography.regions:
            script.do(f"Set(CR_REGION={word(answer.region.name, 'a region')})")
            script.do(f"Set(CR_TENANT={word(answer.region.tenant, 'a tenant')})")
            script.do("Set(CR_SOURCE=menu)")
        if answer.plan is not None:
            self.write(answer.plan, script, where)

    # --- calling

    def _queue(
        self, name: QueueName, max_wait_s: float | None, rest: Sequence[Step], script: Extension, where: str
    ) -> None:
        if name not in self.book.queues or not self._phones(name):
            self._instead(f"nobody at this site serves the queue {name}", script, where)
            if all(isinstance(step, Announce | HangUp) for step in rest):
                script.do(f"Goto({SORRY})")
            return
        back = script.label()
        script.do(f"Set(CR_BACK={ROUTES},{script.name},{back})")
        script.do(f"Set(CR_UNTIL=$[${{EPOCH}}+{max(1, round(max_wait_s or LONGEST_WAIT_S))}])")
        script.do(f"Goto({QUEUES},{self.queues.setdefault(name, f'q{len(self.queues)}')},1)")
        script.put(back)

    def queue_lines(self) -> Iterator[str]:
        """The context of the queues that plans have led to: each rings its phones until ``CR_UNTIL``."""
        yield "; Queues: the phones of this site that are not in use ring together, round after round."
        yield f"[{QUEUES}]"
        for name, extension in self.queues.items():
            script = Extension(extension)
            script.remark(f"queue {name}")
            self._rounds(self.book.queues[name], self._phones(name), script)
            yield script.text()

    def _rounds(self, spec: QueueSpec, phones: Sequence[str], script: Extension) -> None:
        again, pause = script.label(), script.label()
        music = self._music(spec)
        if music:
            script.do("Answer()")
        script.put(again)
        script.do("Set(CR_LEFT=$[${CR_UNTIL}-${EPOCH}])")
        script.do("GotoIf($[${CR_LEFT}<=0]?${CR_BACK})")
        script.do("Set(CR_RING=)")
        for phone in phones:
            taken = script.label()
            script.do(f'GotoIf($["${{DEVICE_STATE({phone})}}" =~ "^({_TAKEN})$"]?{taken})')
            script.do(f"Set(CR_RING=${{CR_RING}}&{phone})")
            script.put(taken)
        script.do(f"GotoIf($[${{LEN(${{CR_RING}})}}=0]?{pause})")
        ring_s = max(1, round(spec.ring_timeout_s))
        script.do(f"Set(CR_RINGS=${{IF($[${{CR_LEFT}}<{ring_s}]?${{CR_LEFT}}:{ring_s})}})")
        script.do(f"Dial(${{CR_RING:1}},${{CR_RINGS}},{f'm({music})' if music else 'r'})")
        script.put(pause)
        self._wait(music, script)
        script.do(f"Goto({again})")

    def _music(self, spec: QueueSpec) -> str:
        """The music that a waiting caller hears; empty: ringing."""
        return (
            word(spec.music_class, f"queue {spec.name}: a class of music") if spec.sound is WaitingSound.MUSIC else ""
        )

    def _wait(self, music: str, script: Extension) -> None:
        if music:
            script.do(f"MusicOnHold({music},{PAUSE_S})")
        else:
            script.do("Ringing()")
            script.do(f"Wait({PAUSE_S})")

    def _phones(self, queue: QueueName) -> list[str]:
        """What Asterisk dials for the counselors of a queue at this site, in the order of agents:."""
        agents = [
            agent
            for agent in self.book.agents.values()
            if agent.site == self.site and queue in agent.queues and agent.endpoint
        ]
        return list(dict.fromkeys(dial_string(agent.endpoint, f"agent {agent.id}") for agent in agents))

    def _dial(self, step: Dial, script: Extension, where: str) -> None:
        if step.confirm is not None:
            self._instead("nobody is asked for a key: an answering machine may take the call", script, where)
        music = word(step.music_class, f"{where}: a class of music") if step.music_class else ""
        if music:
            script.do("Answer()")
        for number in range(len(step.destinations) * step.rounds):
            one = step.destinations[number % len(step.destinations)]
            what = f"destination {one.name}"
            caller = word(one.caller_number, what) if one.caller_number else ""
            # The caller's own number again for whoever is called next.
            script.do(f"Set(CALLERID(num)={caller or '${CR_SAID}'})")
            options = f"m({music})" if music else "r"
            script.do(f"Dial({dial_string(one.endpoint, what)},{max(1, round(one.ring_timeout_s))},{options})")
        script.do("Set(CALLERID(num)=${CR_SAID})")

    def _hand_over(self, context: str, extension: str, script: Extension, where: str) -> None:
        if context.startswith(_OURS):
            self._instead(f"the context {context} leads to the daemon", script, where)
            script.do(f"Goto({SORRY})")
            return
        place = f"{word(context, f'{where}: a context')},{word(extension, f'{where}: an extension')}"
        script.do(f"Goto({place},1)")
