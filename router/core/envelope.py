"""The EDXL-DE envelope: decoded by msgspec into Structs, the content left raw for the validators.

The fast path accepts; whatever it does not accept goes to the pack's faults, whose verdict stands (`slow_read`).
"""

import re
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw, Struct

from router.core.names import KIND_OF_DISTRIBUTION, NO_REFERENCE
from router.core.refusals import cut
from validators.dates import parse_date_time


class ExplicitAddress(Struct, forbid_unknown_fields=True, gc=False):
    """To whom: `explicitAddressValue` is the recipient's client id."""

    explicitAddressScheme: str
    explicitAddressValue: str


class Descriptor(Struct, forbid_unknown_fields=True, gc=False):
    """Language and address."""

    language: str
    explicitAddress: ExplicitAddress


class Envelope(Struct, forbid_unknown_fields=True):
    """The fields of an EDXL-DE message; `content` is its raw JSON, checked by the pack."""

    distributionID: str
    senderID: str
    dateTimeSent: str
    dateTimeExpires: str
    distributionStatus: str
    distributionKind: str
    descriptor: Descriptor
    content: Raw

    @property
    def recipient(self) -> str:
        """The recipient's client id."""
        return self.descriptor.explicitAddress.explicitAddressValue


STATUSES: Final = frozenset(("Actual", "Exercise"))

_decode = msgspec.json.Decoder(Envelope).decode
_REFERENCE_IN_BYTES: Final = re.compile(
    # Neighbours of a repeat never match what it repeats, so nothing is read over and over: linear whatever the bytes.
    rb'"distributionID"\s*:\s*"([^"\\\x00-\x1f]{1,1024})"'
    rb"|<(?:\w+:)?distributionID>\s*([^<\s\x00-\x1f][^<\x00-\x1f]{0,1023})"
)
_CLOSING_TAG: Final = re.compile(rb"\s*</")


def fast_read(body: bytes) -> tuple[Envelope, float] | None:
    """The envelope and its expiry (epoch seconds) when everything about the envelope is plainly right, else None."""
    try:
        envelope = _decode(body)
        parse_date_time(envelope.dateTimeSent)
        expires = parse_date_time(envelope.dateTimeExpires)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if envelope.distributionKind not in KIND_OF_DISTRIBUTION or envelope.distributionStatus not in STATUSES:
        return None
    return envelope, expires


def is_json(body: bytes, content: Raw) -> bool:
    """Whether a body that `fast_read` took is JSON throughout: of two fields `content` msgspec passes over the first,
    whatever is in it. Where one such name stands before the content that ends the body, and nothing with escapes,
    nothing was passed over."""
    last = bytes(content)
    if body.endswith(b"}") and body.endswith(last, 0, len(body) - 1):
        before = body[: len(body) - 1 - len(last)]
        if before.count(b'"content"') == 1 and b"\\" not in before:
            return True
    try:
        orjson.loads(body)
    except ValueError:
        return False
    return True


def slow_read(body: bytes) -> tuple[Envelope, float] | None:
    """The envelope of a body without fault that the fast path did not take; None if it cannot be read, or is of a kind
    that has no inbox (an imported pack may know more of them)."""
    try:
        whole = orjson.loads(body)
        envelope = msgspec.convert({**whole, "content": Raw(orjson.dumps(whole["content"]))}, Envelope)
        expires = parse_date_time(envelope.dateTimeExpires)
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.ValidationError):
        return None
    return (envelope, expires) if envelope.distributionKind in KIND_OF_DISTRIBUTION else None


def reference_id(body: bytes) -> str:
    """`referencedDistributionID` (PROTOCOL.md, the error report): from the envelope, the bytes, or the placeholder."""
    try:
        whole: Any = orjson.loads(body)
    except ValueError:
        whole = None
    if isinstance(whole, dict):
        found = whole.get("distributionID")
        if isinstance(found, str) and found:
            return cut(found)
    return scan_reference(body)


def scan_reference(body: bytes) -> str:
    """The id as found in the raw bytes, without decoding the body (used alone for poison); linear in the body."""
    match = _REFERENCE_IN_BYTES.search(body)
    while match is not None:
        if match[1]:
            return cut(match[1].decode("utf-8", "replace"))
        if _CLOSING_TAG.match(body, match.end()):
            return cut(match[2].rstrip().decode("utf-8", "replace"))
        match = _REFERENCE_IN_BYTES.search(body, match.start(2))
    return NO_REFERENCE
