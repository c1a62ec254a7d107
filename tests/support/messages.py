"""Messages of our own writing for the end-to-end tests: invented cases, valid for the v3 pack unless a test spoils
them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]

USE_CASE_OF_KIND = {"Report": "createCase", "Update": "createCase", "Cancel": "createCase", "Ack": "reference"}


def date_time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def in_seconds(seconds: float) -> str:
    """A date that many seconds from now."""
    return date_time(datetime.now(UTC) + timedelta(seconds=seconds))


def new_id(sender: str) -> str:
    return f"{sender}_{uuid.uuid4()}"


def message(
    sender: str,
    recipient: str,
    kind: str = "Report",
    *,
    identifier: str | None = None,
    expires_in_seconds: float = 3600.0,
    about: str | None = None,
) -> Body:
    """A valid message: RC-EDA, RC-REF for kind Ack, RS-ERROR for kind Error (`about` is the id that these refer to)."""
    identifier = new_id(sender) if identifier is None else identifier
    now = datetime.now(UTC)
    return {
        "distributionID": identifier,
        "senderID": sender,
        "dateTimeSent": date_time(now),
        "dateTimeExpires": date_time(now + timedelta(seconds=expires_in_seconds)),
        "distributionStatus": "Actual",
        "distributionKind": kind,
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": recipient},
        },
        "content": [
            {"jsonContent": {"embeddedJsonContent": {"message": _inner(sender, recipient, kind, identifier, about)}}}
        ],
    }


def inner(body: Body) -> Body:
    """The message inside the first content element."""
    found: Body = body["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    return found


def encoded(body: Body) -> bytes:
    """As one line of UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _inner(sender: str, recipient: str, kind: str, identifier: str, about: str | None) -> Body:
    if kind == "Error":
        return {"error": _error(about or new_id(recipient))}
    sent = datetime.now(UTC).isoformat(timespec="seconds")
    header: Body = {
        "messageId": identifier,
        "sender": {"name": sender.rpartition(".")[2], "URI": f"hubex:{sender}"},
        "sentAt": sent,
        "kind": kind,
        "status": "Actual",
        "recipient": [{"name": recipient.rpartition(".")[2], "URI": f"hubex:{recipient}"}],
    }
    if kind == "Ack":
        return header | {"reference": {"distributionID": about or new_id(recipient), "step": "RECU"}}
    return header | {"createCase": _case(sender, identifier, sent)}


def _error(about: str) -> Body:
    return {
        "errorCode": {"statusCode": 703, "statusString": "UNKNOWN_SENDER"},
        "errorCause": "expéditeur inconnu du logiciel destinataire",
        "referencedDistributionID": about,
    }


def _case(sender: str, identifier: str, created: str) -> Body:
    return {
        "caseId": f"fr.fire.essai.DRFR{identifier[-12:]}",
        "creation": created,
        "referenceVersion": "1.3",
        "qualification": {
            "whatsHappen": {"code": "C02.11.02", "label": "Chute de faible hauteur"},
            "riskThreat": [{"code": "R20", "label": "Accès difficile"}],
            "locationKind": {"code": "L02.01.00", "label": "Voie publique"},
        },
        "location": {
            "locID": "lieu-des-essais",
            "name": "Marché couvert",
            "city": {"name": "Saint-Lô", "inseeCode": "50502"},
            "country": "FR",
            "freetext": "Entrée sous l’horloge — porte « B ».",
        },
        "freetext": [f"Cas d’essai de {sender}."],
    }
