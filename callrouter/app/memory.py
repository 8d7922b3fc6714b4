"""What an earlier daemon left in the journal: calls to be taken up, and those that nobody can take up any more.

Every history is dealt with once. One that cannot be taken up is closed with a CDR that says so, or, where not even its
beginning can be read, set aside with its facts: found again at each start it would tell nothing new, and held in the
exchange it would keep a daemon from ending.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec
import structlog

from callrouter.core import facts
from callrouter.core.causes import Cause
from callrouter.core.cdr import OfferResult
from callrouter.core.facts import ReleaseReason
from callrouter.core.fold import fold
from callrouter.core.ids import CallId, SiteName
from callrouter.core.ring_all import other_phones
from callrouter.errors import JournalError
from callrouter.runtime.dispatcher import Dispatcher
from callrouter.store.journal import Fact, Journal

log = structlog.get_logger(__name__)


async def remember(dispatcher: Dispatcher, journal: Journal, sites: Collection[SiteName]) -> None:
    """Know the calls that an earlier daemon left behind, and put its CDRs that were set aside back in line.

    Raises:
        JournalError: the journal cannot be read.
    """
    open_calls, settled_until = await journal.open_calls(), await journal.settled_until()
    restored = 0
    for call_id, records in open_calls.items():
        history = decoded(records)
        opened = history[0] if history else None
        if not isinstance(opened, facts.Opened):
            await _set_aside(journal, call_id, "the beginning of its history cannot be read")
        elif opened.site not in sites:
            await close_history(
                journal, call_id, history, f"its site {opened.site} is not in the configuration any more"
            )
        elif dispatcher.restore([history], [call_id] if _is_in_doubt(records, settled_until) else []):
            restored += 1
        else:
            await close_history(journal, call_id, history, "its history contradicts itself")
    if open_calls:
        log.info("journal.restored", calls=restored, unusable=len(open_calls) - restored)
    await _try_again(journal)


def _is_in_doubt(records: Sequence[Fact], settled_until: float | None) -> bool:
    """Whether Asterisk may not have heard what followed from the last fact."""
    return settled_until is not None and records[-1].at.timestamp() > settled_until


def decoded(records: Iterable[Fact]) -> list[facts.Fact]:
    """The facts up to the first that cannot be read."""
    decoder = msgspec.msgpack.Decoder(facts.Fact)
    history: list[facts.Fact] = []
    for record in records:
        try:
            history.append(decoder.decode(record.body))
        except (msgspec.MsgspecError, ValueError) as error:
            log.warning("journal.fact_unreadable", kind=record.kind, why=str(error))
            break
    return history


async def close_history(journal: Journal, call_id: CallId, history: Sequence[facts.Fact], why: str) -> None:
    """Have a record made of a call whose end nobody saw: it ended with its last fact."""
    try:
        cdr = fold([*history, *_ending(history)])
    except ValueError as error:
        await _set_aside(journal, call_id, f"{why}, and no record can be made of it: {error}")
        return
    journal.finish(cdr)
    log.warning("journal.history_closed", call=call_id, why=why, outcome=cdr.outcome.value)


def _ending(history: Sequence[facts.Fact]) -> list[facts.Fact]:
    """What the history lacks to be that of an ended call: the end was not seen, so it is that of the last fact."""
    ending: list[facts.Fact] = []
    at = max(fact.at for fact in history)
    is_offered = is_connected = is_released = False
    for fact in history:
        if isinstance(fact, facts.Offered | facts.OfferClosed):
            is_offered, is_connected = isinstance(fact, facts.Offered), False
        is_connected = is_connected or isinstance(fact, facts.Connected)
        is_released = is_released or isinstance(fact, facts.Released)
    ending += [
        facts.AlsoClosed(at, channel, OfferResult.CALLER_GONE, Cause.NOT_DEFINED) for channel in other_phones(history)
    ]
    if is_offered:
        result = OfferResult.ANSWERED if is_connected else OfferResult.CALLER_GONE
        ending.append(facts.OfferClosed(at, result, Cause.NOT_DEFINED))
    if not is_released:
        ending.append(facts.Released(at, ReleaseReason.VANISHED, Cause.NOT_DEFINED, True))
    return ending


async def remember_lost_places(dispatcher: Dispatcher, journal: Journal) -> None:
    """Know who hung up while waiting shortly before the daemon ended: who dials again soon has the place again.

    A journal that does not tell costs those few their place, and nothing else.
    """
    within_s = dispatcher.exchange.conduct.waiting.longest_redial_s
    if not within_s:
        return
    try:
        closed = await journal.calls_closed_within(within_s)
    except JournalError as error:
        log.warning("journal.lost_places_unknown", why=str(error))
        return
    dispatcher.restore_lost_places(decoded(records) for records in closed.values())


async def _set_aside(journal: Journal, call_id: CallId, why: str) -> None:
    log.error("journal.history_set_aside", call=call_id, why=why, remedy="callrouter cdr --set-aside lists it")
    try:
        await journal.set_history_aside(call_id, why)
    except JournalError as error:
        log.warning("journal.not_set_aside", call=call_id, why=str(error))


async def _try_again(journal: Journal) -> None:
    """What PostgreSQL would not take may have been mended since: a new version, or a schema put right."""
    try:
        again = await journal.take_up_again()
    except JournalError as error:
        log.warning("journal.not_taken_up_again", why=str(error))
        return
    if again:
        log.info("journal.cdrs_tried_again", cdrs=again)
