"""What ``--json`` prints."""

import msgspec


def for_programs(document: object) -> str:
    """The document as JSON that people can read, too."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
