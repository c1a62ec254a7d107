"""What a client reads and writes in a message body: the few fields of the envelope that it needs. Pure.

Law: reading never fails; what cannot be read is empty. A body changes only on request (`readdressed`).
An XML body is scanned, never parsed: no entity is expanded, whatever it contains.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from msgspec import Struct

from router.core.names import KIND_OF_DISTRIBUTION

JSON_TYPE: Final = "application/json"
XML_TYPE: Final = "application/xml"
ADDRESS_SCHEME: Final = "hubex"
VALID_FOR: Final = timedelta(days=1)

USE_CASES: Final[Mapping[str, str]] = {
    "distributionElement": "RC-DE",
    "createCase": "RC-EDA",
    "createCaseHealth": "RS-EDA",
    "createCaseHealthUpdate": "RS-EDA-MAJ",
    "reference": "RC-REF",
    "emsi": "EMSI",
    "resourcesInfo": "RS-RI",
    "resourcesInfoCisu": "RC-RI",
    "resourcesEngagement": "RS-ER",
    "resourcesStatus": "RS-SR",
    "resourcesRequest": "RS-DR",
    "resourcesResponse": "RS-RR",
    "rpis": "RS-RPIS",
    "interventionReport": "RS-BPV",
    "documentLink": "RS-URL",
    "geoPositionsUpdate": "GEO-POS",
    "geoResourcesRequest": "GEO-REQ",
    "geoResourcesDetails": "GEO-RES",
    "appointment": "RS-SAS-RDV",
    "technical": "TECHNICAL",
    "technicalNoreq": "TECHNICAL_NOREQ",
    "customContent": "customContent",
    "error": "RS-ERROR",
}
"""The element that carries a use case -> its model. A client needs no schemas to name what it got."""

_XML_FIELDS: Final = (
    "distributionID",
    "senderID",
    "explicitAddressValue",
    "distributionStatus",
    "distributionKind",
    "dateTimeSent",
    "dateTimeExpires",
)
_XML_FIELD: Final = {
    name: re.compile(rf"(<(?:[\w.-]{{1,64}}:)?{name}(?:\s[^<>]{{0,1024}})?>)([^<]{{0,1024}})(</)".encode())
    for name in _XML_FIELDS
}
_XML_USE_CASE: Final = re.compile(
    rf"<(?:[\w.-]{{1,64}}:)?({'|'.join(sorted(USE_CASES, key=len, reverse=True))})[\s>]".encode()
)


class Summary(Struct, frozen=True):
    """What a client sees of a message; "" where there is nothing to read."""

    content_type: str
    distribution_id: str = ""
    sender: str = ""
    recipient: str = ""
    status: str = ""
    distribution_kind: str = ""
    use_case: str = ""
    about: str = ""
    """For RC-REF and RS-ERROR: the state or code, and the distributionID that it is about."""

    @property
    def kind(self) -> str | None:
        """The kind of key and inbox, None when the body does not say."""
        return KIND_OF_DISTRIBUTION.get(self.distribution_kind)


class Fresh(Struct, frozen=True):
    """What makes an old sample a new message."""

    distribution_id: str
    sender: str
    sent_at: datetime
    """With its offset; whole seconds are written."""


def summary(body: bytes) -> Summary:
    """The envelope's fields, and what the content is. Never fails."""
    if body.lstrip()[:1] == b"<":
        return _xml_summary(body)
    try:
        envelope = orjson.loads(body)
    except ValueError:
        return Summary(JSON_TYPE)
    if not isinstance(envelope, dict):
        return Summary(JSON_TYPE)
    message = _message(envelope)
    root = next((key for key in message if key in USE_CASES), "")
    content = message.get(root)
    return Summary(
        JSON_TYPE,
        distribution_id=_text(envelope, "distributionID"),
        sender=_text(envelope, "senderID"),
        recipient=_text(envelope, "descriptor", "explicitAddress", "explicitAddressValue"),
        status=_text(envelope, "distributionStatus"),
        distribution_kind=_text(envelope, "distributionKind"),
        use_case=USE_CASES.get(root, ""),
        about=_about(root, content if isinstance(content, dict) else {}),
    )


def _about(root: str, content: dict[str, Any]) -> str:
    if root == "reference":
        facts: tuple[object, ...] = (content.get("step"), content.get("distributionID"))
    elif root == "error":
        code = content.get("errorCode")
        code = code if isinstance(code, dict) else {}
        facts = (code.get("statusCode"), code.get("statusString"), content.get("referencedDistributionID"))
    else:
        return ""
    return " ".join(str(fact) for fact in facts if isinstance(fact, str | int | float))


def _xml_summary(body: bytes) -> Summary:
    found = {name: _xml_text(body, name) for name in _XML_FIELDS}
    use_case = _XML_USE_CASE.search(body)
    return Summary(
        XML_TYPE,
        distribution_id=found["distributionID"],
        sender=found["senderID"],
        recipient=found["explicitAddressValue"],
        status=found["distributionStatus"],
        distribution_kind=found["distributionKind"],
        use_case=USE_CASES[use_case[1].decode()] if use_case else "",
    )


def _xml_text(body: bytes, name: str) -> str:
    match = _XML_FIELD[name].search(body)
    return match[2].decode("utf-8", "replace").strip() if match else ""


def _text(table: Any, *path: str) -> str:
    for name in path:
        if not isinstance(table, dict):
            return ""
        table = table.get(name)
    return table if isinstance(table, str) else ""


def _message(envelope: dict[str, Any]) -> dict[str, Any]:
    """The message of the first content element, {} when there is none."""
    content = envelope.get("content")
    inner: Any = content[0] if isinstance(content, list) and content else None
    for name in ("jsonContent", "embeddedJsonContent", "message"):
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else {}


# ---- the same message again, as a new one --------------------------------------------------------


def new_id(client_id: str, unique: str) -> str:
    """A distributionID of a client (PROTOCOL.md, publishing)."""
    return f"{client_id}_{unique}"


def date_time(moment: datetime) -> str:
    """A date as the models write it: whole seconds, offset `+hh:mm`."""
    return moment.isoformat(timespec="seconds")


def party(client_id: str) -> dict[str, str]:
    """`sender` or a `recipient` in the message's own header (RC-DE)."""
    return {"name": client_id.rpartition(".")[2], "URI": f"{ADDRESS_SCHEME}:{client_id}"}


def readdressed(body: bytes, fresh: Fresh | None, recipient: str) -> bytes:
    """The body with a fresh identity (id, sender, dates) and another recipient ("" keeps it).

    In JSON the message's own header is kept in step; in XML only the envelope changes.
    Raises ValueError when the body is neither a JSON object nor XML.
    """
    if body.lstrip()[:1] == b"<":
        return _readdressed_xml(body, fresh, recipient)
    envelope = orjson.loads(body)
    if not isinstance(envelope, dict):
        raise ValueError("not a JSON object")
    header = _message(envelope)
    if fresh is not None:
        envelope.update(_fresh_fields(fresh))
        _replace_known(
            header,
            messageId=fresh.distribution_id,
            sender=party(fresh.sender),
            sentAt=date_time(fresh.sent_at),
        )
    if recipient:
        _set_recipient(envelope, recipient)
        _replace_known(header, recipient=[party(recipient)])
    return orjson.dumps(envelope)


def _fresh_fields(fresh: Fresh) -> dict[str, str]:
    return {
        "distributionID": fresh.distribution_id,
        "senderID": fresh.sender,
        "dateTimeSent": date_time(fresh.sent_at),
        "dateTimeExpires": date_time(fresh.sent_at + VALID_FOR),
    }


def _replace_known(table: dict[str, Any], **values: Any) -> None:
    for name in table.keys() & values.keys():
        table[name] = values[name]


def _set_recipient(envelope: dict[str, Any], recipient: str) -> None:
    descriptor = envelope.get("descriptor")
    address = descriptor.get("explicitAddress") if isinstance(descriptor, dict) else None
    if not isinstance(address, dict):
        raise ValueError("no descriptor.explicitAddress to put the recipient in")
    address["explicitAddressValue"] = recipient


def _readdressed_xml(body: bytes, fresh: Fresh | None, recipient: str) -> bytes:
    fields = {} if fresh is None else _fresh_fields(fresh)
    if recipient:
        fields["explicitAddressValue"] = recipient
    for name, text in fields.items():
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").encode()
        body, found = _XML_FIELD[name].subn(lambda m, t=escaped: m[1] + t + m[3], body, count=1)  # type: ignore[misc]
        if not found:
            raise ValueError(f"no {name} in the envelope")
    return body
