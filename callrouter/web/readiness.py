"""Whether the daemon takes calls, and why not."""

from typing import Final

from callrouter.core.leading import LeadingNow, Role, Sign
from callrouter.descriptors import Descriptors
from callrouter.web.sources import Health, InboxHealth, JournalHealth

DRIFT_TOLD_S: Final = 1.0
BEHIND_TOLD_S: Final = 2.0
_LOSSES_TOLD: Final = 3


def hindrances(health: Health) -> tuple[str, ...]:
    """Why no call is taken now, a sentence each; empty while calls are taken."""
    found = []
    if not health.dispatcher_alive:
        found.append("the dispatcher does not run; restart callrouter and look into its log")
    if health.leading is not None and health.leading.role is not Role.LEADING:
        return (f"{health.leading.role}: {health.leading.words}",)
    if health.replaced:
        found.append("another daemon took our application in Asterisk; stop one of the two")
    if health.draining:
        found.append("draining: calls in progress go on, no new ones are taken")
    if not any(site.up for site in health.sites):
        states = "; ".join(f"{site.site}: {site.state}" for site in health.sites) or "none is configured"
        found.append(f"no Asterisk is connected ({states})")
    return tuple(found)


def remarks(health: Health) -> tuple[str, ...]:
    """What an operator should know although calls are taken."""
    found = [*_of_journal(health.journal), *_of_inbox(health.inbox), *_of_leading(health.leading)]
    found.extend(_of_load(health.not_taken, health.descriptors))
    if health.database is not None and not health.database.connected:
        why = health.database.last_error or "not yet connected"
        found.append(f"PostgreSQL is away ({why}); {health.database.backlog} CDRs wait in the journal")
    if health.config_faults:
        found.append(
            f"the configuration on disk has {health.config_faults} faults and is not in force; see callrouter check"
        )
    if health.database is not None and health.database.set_aside:
        found.append(f"PostgreSQL would not take {health.database.set_aside} CDRs: callrouter cdr --set-aside says why")
    if health.database is not None and health.database.rules_refused:
        found.append(
            f"PostgreSQL would not take {health.database.rules_refused} versions of the rules, which are missing from"
            " the history; the log says why"
        )
    if health.database is not None and health.database.audit_refused:
        found.append(
            f"PostgreSQL would not take {health.database.audit_refused} entries of the audit log, which are"
            " missing there; the daemon's log says why"
        )
    if any(site.up for site in health.sites):
        found.extend(f"site {site.site} is not connected: {site.state}" for site in health.sites if not site.up)
    namesakes = ", ".join(site.site for site in health.sites if site.is_namesake)
    if namesakes:
        found.append(
            f"channels of several sites may have the same id, and their calls be mixed up: {namesakes}; give each a"
            " systemname of its own in [options] of asterisk.conf, and restart Asterisk"
        )
    if health.memory.error is not None:
        found.append(f"what callers let us remember cannot be written: {health.memory.error}; it is tried again")
    if abs(health.clock_drift_s) >= DRIFT_TOLD_S:
        word = "ahead of" if health.clock_drift_s > 0 else "behind"
        found.append(
            f"this machine's clock is {abs(health.clock_drift_s):.1f} s {word} the daemon's; it is coming round"
        )
    return tuple(found)


def _of_leading(leading: LeadingNow | None) -> list[str]:
    if leading is None or leading.role is not Role.LEADING:
        return []
    found = []
    if not leading.waiting:
        found.append("no other daemon waits to take over; start one, or see why it does not run")
    if leading.lock is Sign.LOCK_ELSEWHERE:
        found.append("PostgreSQL's lock of the leader is another's: a daemon with another state folder; stop one")
    if leading.has_copies:
        found.extend(_of_copy(leading))
    return found


def _of_copy(leading: LeadingNow) -> list[str]:
    """What would keep the other machine from taking over, or from knowing all calls when it does."""
    found = []
    copy = leading.copy
    if leading.waiting and (copy is None or not copy.is_whole):
        found.append("the other machine's copy of the journal is not whole: it would not know all calls")
    elif copy is not None and copy.behind_s >= BEHIND_TOLD_S:
        found.append(
            f"the other machine's copy of the journal is {copy.behind_s:.0f} s behind ({copy.behind} commits): what"
            " came since would be unknown to it; see to its disk, and the network between the two"
        )
    if leading.lock is Sign.LOCK_UNKNOWN:
        found.append("PostgreSQL does not say who leads: until it does, the other machine takes over only by order")
    return found


def _of_load(not_taken: str | None, descriptors: Descriptors | None) -> list[str]:
    found = []
    if not_taken is not None:
        found.append(f"callers are turned away: {not_taken}; see limits: in callrouter.yaml")
    if descriptors is not None and descriptors.are_few_left:
        found.append(f"{descriptors}; see who connects, and raise LimitNOFILE in the systemd unit")
    return found


def _of_inbox(inbox: InboxHealth) -> list[str]:
    found = []
    if inbox.dropped:
        found.append(f"{inbox.dropped} events found no room; what they told was found out by comparing")
    if inbox.failures:
        found.append(f"the handling of {inbox.failures} events failed, which is a defect; see the log, and report it")
    return found


def _of_journal(journal: JournalHealth) -> list[str]:
    """Records may be missing afterwards; no call waits for the journal, and none is turned away because of it."""
    found = []
    if journal.alarm is not None:
        found.append(f"the journal cannot be written: {journal.alarm}; {journal.waiting} records wait in memory")
    if journal.dropped:
        found.append(f"the journal had no room for {journal.dropped} records, which are gone")
    more = len(journal.lost) - _LOSSES_TOLD
    if more > 0:
        found.append(f"the journal has lost records {more} times more than is told here; see the log")
    found.extend(f"the journal has lost: {what}" for what in journal.lost[-_LOSSES_TOLD:])
    return found
