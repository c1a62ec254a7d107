"""The functional acknowledgement: RC-REF of kind Ack, from who received a message to who sent it
(PROTOCOL.md, acknowledgements). Pure.
"""

from datetime import datetime
from typing import Final

import orjson

from router.client.bodies import ADDRESS_SCHEME, VALID_FOR, Summary, date_time, new_id, party

RECEIVED: Final = "RECU"
_DEFAULT_STATUS: Final = "Actual"
_STATUSES: Final = ("Actual", "Exercise")


def acknowledgement(received: Summary, own_id: str, unique: str, now: datetime) -> tuple[str, bytes]:
    """(distributionID, JSON body) of "RECU" for a received message.

    `now` carries its offset; `unique` makes the id. The status is that of the message: an exercise is
    acknowledged as one. Raises ValueError when the message names no sender or no id to acknowledge.
    """
    if not received.sender or not received.distribution_id:
        raise ValueError("the message has no senderID or no distributionID to acknowledge")
    identifier = new_id(own_id, unique)
    sent = date_time(now)
    status = received.status if received.status in _STATUSES else _DEFAULT_STATUS
    message = {
        "messageId": identifier,
        "sender": party(own_id),
        "sentAt": sent,
        "kind": "Ack",
        "status": status,
        "recipient": [party(received.sender)],
        "reference": {"distributionID": received.distribution_id, "step": RECEIVED},
    }
    envelope = {
        "distributionID": identifier,
        "senderID": own_id,
        "dateTimeSent": sent,
        "dateTimeExpires": date_time(now + VALID_FOR),
        "distributionStatus": status,
        "distributionKind": "Ack",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {
                "explicitAddressScheme": ADDRESS_SCHEME,
                "explicitAddressValue": received.sender,
            },
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }
    return identifier, orjson.dumps(envelope)
