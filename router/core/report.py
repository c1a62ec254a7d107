"""The error report, RS-ERROR in an EDXL-DE envelope (PROTOCOL.md, the error report)."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

import orjson

from router.core.names import HUB_ID
from router.core.refusals import Code

VALID_FOR: Final = timedelta(days=1)
CONTENT_TYPE: Final = "application/json"


def report_id(body: bytes, key: str, now: float) -> str:
    """distributionID of a report: unique by what it is about and when (nanoseconds), without a source of chance."""
    digest = blake2b(f"{key}|{now!r}|".encode("utf-8", "surrogateescape"), digest_size=16)
    digest.update(body)
    return f"{HUB_ID}_{UUID(bytes=digest.digest(), version=4)}"


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
