"""Everything that callrouter needs, looked at: each finding with its remedy. Nothing is changed, nobody is called."""

from callrouter.doctor.examine import examine
from callrouter.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
