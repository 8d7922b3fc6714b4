"""What Asterisk dials and shows: the one place that says which characters may be in it.

Numbers, names and what people dial come from strangers. To Asterisk ``&`` means one more phone, ``/`` and ``@`` another
place, a comma the next argument, ``${`` a variable, and a line break the next header. So everything that is dialled or
shown goes through here when it becomes part of a request, whatever was made of it before.
"""

import re

MOST_NUMBER = 40
MOST_NAME = 60
MOST_SAID = 128
_NOT_TO_DIAL = re.compile(r"[^0-9*#]")
_NOT_IN_A_NUMBER = re.compile(r"[^0-9A-Za-z+*#]")
_NOT_IN_AN_ENDPOINT = re.compile(r"[^A-Za-z0-9/@:.;=+*#_~%\[\]-]")
_OF_NAMES = frozenset(" .-_()·")


def to_dial(number: str) -> str:
    """A number as it may stand in a dial string: digits, star and hash, with a plus before them."""
    return ("+" if number.lstrip()[:1] == "+" else "") + _NOT_TO_DIAL.sub("", number)[:MOST_NUMBER]


def shown_number(number: str) -> str:
    """A number, or the name of who calls by one, as phones may be shown it."""
    return _NOT_IN_A_NUMBER.sub("", number)[:MOST_NUMBER]


def shown_name(name: str) -> str:
    """A name as phones may be shown it: letters and digits of any script, and what stands between them."""
    kept = "".join(character if character.isalnum() or character in _OF_NAMES else " " for character in name)
    return " ".join(kept.split())[:MOST_NAME]


def legible(said: str) -> str:
    """What a stranger says of himself, as it may be kept and told to people: one line of characters that are seen.

    Nothing in it moves a terminal's cursor, turns a line round or ends it; and it is no longer than anything real.
    """
    seen = "".join(character if character.isprintable() else " " for character in said[: 4 * MOST_SAID])
    return " ".join(seen.split())[:MOST_SAID]


def endpoint(written: str) -> str:
    """A dial string with nothing in it that Asterisk would take for more than the one place."""
    return _NOT_IN_AN_ENDPOINT.sub("", written)


def is_endpoint(written: str) -> bool:
    """Whether all of a dial string may be dialled."""
    return endpoint(written) == written
