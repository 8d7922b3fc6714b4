"""Where who waits stands, so that he can be told: his place in line, and what his wait is to be measured by.

What counts is who may be served before him by a counselor who could serve him, too. In his own queue those are all who
stand before him, but for those whom no such counselor could serve. Who stands before him in another queue counts if
whoever could serve him serves that one first; where some of them would and others not, nobody can tell, and no place is
told. Nor is one where tenants take turns and another's callers want the same counselors: who of them comes later may be
served before. Nor where nobody is at work who can do what is asked for him.
"""

from collections.abc import Callable, Iterable
from functools import cache

from callrouter.core.acd import Acd, Others, Stand
from callrouter.core.agent import Agent, AgentState
from callrouter.core.duty import Duty
from callrouter.core.estimating import Like, Standing
from callrouter.core.groups import Line
from callrouter.core.ids import CallId, TenantName
from callrouter.core.skills import Levels, meets
from callrouter.core.staff import Staff

_ANY_TENANT = TenantName("")


class PlacesInLine:
    """See the module; it looks at all who wait and at all who are at work, each time when it is asked."""

    def __init__(self, acd: Acd, staff: Staff) -> None:
        self._acd = acd
        self._staff = staff

    def position(self, call: CallId) -> int | None:
        """The place in line of a caller who stands in one, counted from 1; None: nobody can tell.

        As things are, at most so many less one are served before him by those who could serve him.
        """
        stand = self._acd.stand(call)
        able = self._able(stand)
        if not able:
            return self._own_place(stand, able) if not stand.demand.need else None
        competes, is_sure = self._asking(able, any), self._asking(able, all)
        place = 1
        for other in self._acd.rivals(stand):
            if not competes(other.line, other.demand.need):
                continue
            if self._takes_turns(stand, other):
                return None
            if other.line[0] != stand.line[0] and not is_sure(other.line, other.demand.need):
                return None
            place += other.before
        return place

    def standing(self, call: CallId) -> Standing:
        """What the wait of a caller who stands in a line is measured by, among those who are like him."""
        stand = self._acd.stand(call)
        able = self._able(stand)
        like = Like(stand.line, stand.demand.need, stand.tenant if self._acd.sharing.weights else _ANY_TENANT)
        here = sum(one.duty is Duty.ON and one.state is not AgentState.UNREACHABLE for one in able)
        return Standing(like, self._own_place(stand, able), here)

    def _own_place(self, stand: Stand, able: list[Agent]) -> int:
        """Among those of the own queue who want the same counselors, and of the own tenant where these take turns."""
        competes = self._asking(able, any)
        return 1 + sum(
            other.before
            for other in self._acd.rivals(stand, stand.line[0])
            if not self._takes_turns(stand, other) and (not able or competes(other.line, other.demand.need))
        )

    def _takes_turns(self, stand: Stand, other: Others) -> bool:
        return bool(self._acd.sharing.weights) and other.tenant != stand.tenant

    def _able(self, stand: Stand) -> list[Agent]:
        """Who is at work, perhaps paused, and could serve him."""
        staff = (one for one in self._staff.agents.values() if one.duty is not Duty.OFF and not one.retired)
        return [one for one in staff if self._could_serve(one, stand.line, stand.demand.need)]

    def _asking(self, able: list[Agent], how: Callable[[Iterable[bool]], bool]) -> Callable[[Line, Levels], bool]:
        """Whether any, or all, of these could serve callers of another line, too; asked once of each line and need."""

        @cache
        def ask(line: Line, need: Levels) -> bool:
            return how(self._could_serve(one, line, need) for one in able)

        return ask

    def _could_serve(self, agent: Agent, line: Line, need: Levels) -> bool:
        queue, site = line
        spec = agent.spec
        return queue in spec.queues and self._acd.is_reached(agent, site) and meets(spec.skills, need)
