"""Where a call comes from: its region, by the best source there is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from callrouter.core.ids import RegionName, TenantName
from callrouter.core.inbound import CallerKind, CallFacts, RegionSource
from callrouter.core.numbering_plan import Confidence, NumberingPlan
from callrouter.core.numbers import Number, parse
from callrouter.core.remembering import may_be_remembered


@dataclass(frozen=True, slots=True)
class Region:
    """A place that calls come from, and whose call it then is."""

    name: RegionName
    title: str
    tenant: TenantName


@dataclass(frozen=True, slots=True)
class Geography:
    """How a call's region is found: dialled number, trunk, diversion, memory, exchange, and else the default."""

    regions: Mapping[RegionName, Region]
    default: RegionName
    by_dialed: Mapping[str, RegionName] = field(default_factory=dict)
    """National form of the dialled number."""
    by_trunk: Mapping[str, RegionName] = field(default_factory=dict)
    """PJSIP endpoint."""
    by_diversion: Mapping[str, RegionName] = field(default_factory=dict)
    """National form of the number that the call was diverted from."""
    plan: NumberingPlan = field(default_factory=lambda: NumberingPlan({}))

    def locate(self, facts: CallFacts, caller: Number, dialed: Number) -> "Origin":
        """The call's region by the best source there is, and why.

        Best first: the caller's own word, the dialled number, the trunk, the number that diverted the call, the
        caller's word in an earlier call, the exchange in a landline number, and else the default.

        What is remembered comes behind what this very call says of itself, and before the exchange: that is a guess
        from a number that may have moved, and whoever took the trouble to correct it means the correction.
        """
        if facts.region is not None and facts.region in self.regions:
            return Origin(self.regions[facts.region], RegionSource.MENU, Confidence.CERTAIN, "the caller said so")
        name = self.by_dialed.get(dialed.national)
        if name is not None:
            why = f"dialled {dialed.national}"
            return Origin(self.regions[name], RegionSource.DIALED, Confidence.CERTAIN, why)
        name = self.by_trunk.get(facts.trunk)
        if name is not None:
            return Origin(self.regions[name], RegionSource.TRUNK, Confidence.CERTAIN, f"came in by {facts.trunk}")
        diversion = parse(facts.diversion).national if facts.diversion and self.by_diversion else ""
        name = self.by_diversion.get(diversion)
        if name is not None:
            return Origin(self.regions[name], RegionSource.DIVERSION, Confidence.CERTAIN, f"diverted from {diversion}")
        if facts.remembered is not None and facts.remembered in self.regions and may_be_remembered(caller):
            why = "the caller chose it in an earlier call"
            return Origin(self.regions[facts.remembered], RegionSource.REMEMBERED, Confidence.STRONG, why)
        return self._by_number(caller)

    def _by_number(self, caller: Number) -> "Origin":
        """The region of the exchange in a landline number, else the default."""
        if caller.kind is CallerKind.LANDLINE:
            match = self.plan.find(caller.national)
            if match is not None:
                note = f", {match.place.note}" if match.place.note else ""
                return Origin(
                    self.regions[match.place.region],
                    RegionSource.EXCHANGE,
                    match.place.confidence,
                    f"exchange {match.prefix}{note}",
                )
        why = f"{_CALLER_WORDS[caller.kind]} says nothing of the place"
        return Origin(self.regions[self.default], RegionSource.DEFAULT, Confidence.WEAK, why)


_CALLER_WORDS = {
    CallerKind.LANDLINE: "an unknown exchange",
    CallerKind.MOBILE: "a mobile number",
    CallerKind.INTERNET: "an internet phone (070)",
    CallerKind.PERSONAL: "a personal number (050)",
    CallerKind.SERVICE: "an office's service number",
    CallerKind.FOREIGN: "a foreign number",
    CallerKind.ANONYMOUS: "a withheld number",
    CallerKind.UNKNOWN: "a number that cannot be read",
}


class Origin(msgspec.Struct, frozen=True):
    """A call's region, where that was taken from, and how far it can be trusted."""

    region: Region
    source: RegionSource
    confidence: Confidence
    why: str
