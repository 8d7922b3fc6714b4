"""How much memory a call takes that waits: the call with its facts, its place in line, and what the exchange keeps."""

import gc
import tracemalloc
from dataclasses import replace
from datetime import timedelta

from bench.province import SAMPLE, TUESDAY
from callrouter.config import load
from callrouter.core import events as ev
from callrouter.core.call import Call
from callrouter.core.exchange import Exchange
from callrouter.core.ids import CallId, ChannelId, SiteName
from callrouter.core.inbound import CallFacts
from callrouter.core.states import CallState


def bytes_per_call(calls: int) -> float:
    """What each of so many calls takes that have come in by the sample's rules, and wait for nobody at all."""
    loaded = load(SAMPLE, {"CALLROUTER_ARI_PASSWORD": "x"})
    rules = replace(loaded.rulebook, limits=replace(loaded.rulebook.limits, max_calls=calls + 1))
    exchange = Exchange(replace(rules, agents={}), TUESDAY)
    site = next(iter(loaded.settings.sites))
    _wait(exchange, site, 0)  # what the first call makes once is not counted
    gc.collect()
    tracemalloc.start()
    for number in range(1, calls + 1):
        _wait(exchange, site, number)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / calls


def _wait(exchange: Exchange, site: SiteName, number: int) -> Call:
    at = TUESDAY + timedelta(hours=1, seconds=number / 100)
    call_id = CallId(f"01a20b11-1afe-7650-8942-{number:012d}")
    facts = CallFacts("120", site, f"0552{number:06d}"[:10], language="ko")
    exchange.handle(ev.CallArrived(call_id, ChannelId(f"1764.{number}"), facts), at)
    call = exchange.calls[call_id]
    while call.state is CallState.ANNOUNCING and call.playback is not None:
        exchange.handle(ev.PlaybackEnded(call.playback), at)
    if call.state is not CallState.QUEUED:
        raise RuntimeError(f"the sample's rules have a call {call.state}, which was to wait")
    return call
