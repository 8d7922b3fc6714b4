"""What is told of a change that the audit log has."""

from callrouter.store.journal import Journal


async def told_when_kept(journal: Journal, message: str, *, changed: bool) -> str:
    """The message, when what changed is on the disk; if it does not get there, the message with that said."""
    if changed and not await journal.flush():
        return f"{message}; the journal does not take it: a daemon that starts anew would not know of it"
    return message
