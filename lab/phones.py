"""The phones and accounts that the laboratory's Asterisk knows, and their passwords."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.paths import write_atomically

PROVINCE_EXTENSIONS = ("201", "202", "203", "204", "205", "206")
CHANGWON_EXTENSIONS = ("301", "302")
RESIDENT = "resident"
RESIDENT_NUMBER = "0552251234"
ARI_USER = "callrouter"
CARRIER = "carrier"
"""The endpoint of the telephone network, from which residents call."""
CARRIER_ADDRESS = "127.0.0.2"
SERVICE_NUMBER = "120"


@dataclass(frozen=True, slots=True)
class Phone:
    """One SIP account.

    A phone with a ``static_contact`` (``sip:201@127.0.0.3:5201``) is called there and never registers; one without
    registers with its ``password``, which is made up for this installation when it is None. A call with one from which
    no sound comes for ``rtp_timeout_s`` seconds is ended by Asterisk; 0: never.
    """

    extension: str
    password: str | None = None
    static_contact: str | None = None
    caller_id: str | None = None
    rtp_timeout_s: int = 0


def counselor_phones() -> tuple[Phone, ...]:
    """The phones of the sample configuration: the province hall's and Changwon's."""
    return tuple(
        Phone(extension, caller_id=f"{place} {extension} <{extension}>")
        for place, extensions in (("Province", PROVINCE_EXTENSIONS), ("Changwon", CHANGWON_EXTENSIONS))
        for extension in extensions
    )


def resident_phone() -> Phone:
    """A resident's phone, so that a person can register a softphone and dial 120."""
    return Phone(RESIDENT, caller_id=f"Resident <{RESIDENT_NUMBER}>")


def default_phones() -> tuple[Phone, ...]:
    """All accounts of the sample."""
    return (*counselor_phones(), resident_phone())


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one installation: they are made here once and never shipped."""

    ari_password: str
    phone_passwords: dict[str, str]


def keep_credentials(path: Path, phones: Iterable[Phone]) -> Credentials:
    """Read the secrets kept in ``path`` (mode 0600), make up those that are missing, and keep them all."""
    kept: dict[str, str] = {}
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
    known = dict(kept)
    known.setdefault("ari", secrets.token_urlsafe(18))
    passwords = {}
    for phone in phones:
        key = f"phone-{phone.extension}"
        if phone.password is not None:
            passwords[phone.extension] = phone.password
            continue
        known.setdefault(key, secrets.token_urlsafe(12))
        passwords[phone.extension] = known[key]
    if known != kept:
        write_atomically(path, json.dumps(known, indent=2) + "\n", mode=0o600)
    return Credentials(known["ari"], passwords)
