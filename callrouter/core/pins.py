"""PINs as they are kept: salted and hashed, so that who reads the rules does not know them.

A PIN is short, and who has the hash can try all of them: the hash only makes that slow. What keeps others from trying
at a phone is that a few wrong ones lock it.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Self

SCHEME = "scrypt"
SHORTEST, LONGEST = 4, 12
"""Digits of a PIN."""
_COST, _BLOCK, _LANES, _SALT, _LENGTH = 2**12, 8, 1, 16, 32
"""About ten milliseconds and four megabytes for each try."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A PIN that can be recognised and not be read."""

    salt: bytes
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, digits: str, salt: bytes) -> Self:
        """Keep a PIN; ``salt`` is 16 random bytes.

        Raises:
            ValueError: it is not 4 to 12 digits.
        """
        if not (SHORTEST <= len(digits) <= LONGEST and digits.isascii() and digits.isdigit()):
            raise ValueError(f"a PIN is {SHORTEST} to {LONGEST} digits")
        return cls(salt, _digest(digits, salt))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what :attr:`text` wrote.

        Raises:
            ValueError: it is something else, a PIN in the clear for example.
        """
        scheme, _, rest = text.partition(":")
        salt, _, digest = rest.partition(":")
        if scheme != SCHEME or len(salt) != 2 * _SALT or len(digest) != 2 * _LENGTH:
            raise ValueError("that is no hashed PIN")
        return cls(bytes.fromhex(salt), bytes.fromhex(digest))

    @property
    def text(self) -> str:
        """As it is written into the rules."""
        return f"{SCHEME}:{self.salt.hex()}:{self.digest.hex()}"

    def matches(self, digits: str) -> bool:
        """Whether this is the PIN."""
        return hmac.compare_digest(self.digest, _digest(digits, self.salt))


def _digest(digits: str, salt: bytes) -> bytes:
    return hashlib.scrypt(digits.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=_LENGTH)
