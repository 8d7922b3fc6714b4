"""The rules as a dialplan: what a site goes by while no daemon is there to ask.

:func:`rendered` makes the file of one site; :mod:`callrouter.survival.render` says what is in it.
"""

from callrouter.survival.render import CLOCK, Survival, rendered
from callrouter.survival.script import GLOBAL, GLOBAL_UNTIL, NEAR_ITS_END

__all__ = ["CLOCK", "GLOBAL", "GLOBAL_UNTIL", "NEAR_ITS_END", "Survival", "rendered"]
