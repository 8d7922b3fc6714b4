"""CDRs as bytes, for the journal: JSON that reads back as the very same record."""

import dataclasses
from typing import Any

import msgspec

from callrouter.core.cdr import Cdr
from callrouter.errors import StoreError

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Cdr)


def encode_cdr(cdr: Cdr) -> bytes:
    """The CDR as JSON. Text that is no valid Unicode (a peer's lone surrogates) is written with ``?`` in its place."""
    try:
        return _encoder.encode(cdr)
    except UnicodeEncodeError:
        clean = dataclasses.replace(_clean(cdr), legs=tuple(map(_clean, cdr.legs)))
        return _encoder.encode(clean)


def decode_cdr(body: bytes) -> Cdr:
    """The CDR that :func:`encode_cdr` wrote.

    Raises:
        StoreError: the bytes are no CDR of this version; the message says which field is wrong.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise StoreError(f"the journal holds a CDR that cannot be read: {exc}") from exc


def _clean(record: Any) -> Any:
    texts = {
        field.name: value.encode("utf-8", "replace").decode()
        for field in dataclasses.fields(record)
        if type(value := getattr(record, field.name)) is str  # enums are strings too, and always clean
    }
    return dataclasses.replace(record, **texts)
