"""The error report, RS-ERROR in an EDXL-DE envelope, in its client's format (PROTOCOL.md, the error report)."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

import orjson
from msgspec import Struct

from router.core.conversion import JSON_TYPE, XML_TYPE
from router.core.directory import Client, Format
from router.core.names import HUB_ID, NO_REFERENCE
from router.core.refusals import Code
from validators import Fault, Pack
from validators.xml import Unwritable

VALID_FOR: Final = timedelta(days=1)
_NOT_IN_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, production 2: an id that a client made up may hold anything else."""


class Report(Struct, frozen=True):
    """What a client is told about a message published with its key."""

    client: Client
    code: Code
    cause: str
    reference: str


def report_id(body: bytes, key: str, now: float) -> str:
    """distributionID of a report: unique by what it is about and when (nanoseconds), without a source of chance."""
    digest = blake2b(f"{key}|{now!r}|".encode("utf-8", "surrogateescape"), digest_size=16)
    digest.update(body)
    return f"{HUB_ID}_{UUID(bytes=digest.digest(), version=4)}"


def report(told: Report, identifier: str, pack: Pack, now: float) -> tuple[str, bytes]:
    """The report's content type and body; `now` in epoch seconds. XML cannot write every id: it gets U+FFFD there."""
    client = told.client
    if client.wire_format is Format.JSON:
        return JSON_TYPE, report_body(client.id, told.code, told.cause, told.reference, identifier, now)
    cause, reference = _NOT_IN_XML.sub("\ufffd", told.cause), _NOT_IN_XML.sub("\ufffd", told.reference)
    return XML_TYPE, pack.xml.write_message(report_body(client.id, told.code, cause, reference, identifier, now))


def report_faults(pack: Pack) -> tuple[Fault, ...]:
    """What keeps a pack from holding the hub's own reports; () when it holds them, in both formats."""
    body = report_body(HUB_ID, Code.INVALID_MESSAGE, "", NO_REFERENCE, HUB_ID, 0.0)
    try:
        pack.xml.write_message(body)
    except Unwritable as error:
        return pack.check_message(body) or error.faults
    return pack.check_message(body)


def report_body(recipient: str, code: Code, cause: str, reference: str, identifier: str, now: float) -> bytes:
    """The report as JSON bytes; `now` in epoch seconds, `recipient` the client whose key the bad message carried."""
    sent = datetime.fromtimestamp(int(now), UTC)
    error = {
        "errorCode": {"statusCode": int(code), "statusString": code.name},
        "errorCause": cause,
        "referencedDistributionID": reference,
    }
    return orjson.dumps(
        {
            "distributionID": identifier,
            "senderID": HUB_ID,
            "dateTimeSent": sent.isoformat(),
            "dateTimeExpires": (sent + VALID_FOR).isoformat(),
            "distributionStatus": "Actual",
            "distributionKind": "Error",
            "descriptor": {
                "language": "fr-FR",
                "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": recipient},
            },
            "content": [{"jsonContent": {"embeddedJsonContent": {"message": {"error": error}}}}],
        }
    )
