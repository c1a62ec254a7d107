"""A small hub for the tests of the core and the session: clients, rules, messages and deliveries, made by hand."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import orjson
from pamqp.commands import Basic
from pamqp.header import ContentHeader

import schemas
from router.core import names
from router.core.delivery import Delivery, Role
from router.core.directory import Client, Directory, Format, Naming
from router.core.properties import parse
from router.core.rules import Rules
from router.core.shards import TopologyVersion
from validators import Fault, Pack, load_pack
from validators.xml import XmlForm

NOW = 1_750_000_000.0
"""2025-06-15T15:06:40Z, the wall clock of the tests."""
DAY_SECONDS = 86_400
MAX_MESSAGE_BYTES = 64 * 1024

SDIS = Client("fr.fire.nexsis.sdis-50", format=Format.JSON)
FIRE = Client("fr.fire.hub", naming=Naming.FLAT, format=Format.JSON)
SAMU = Client("fr.health.hub.samu050")
SAMU2 = Client("fr.health.samu76")
FLAT = Client("fr.health.flat", naming=Naming.FLAT)
XML = Client("fr.health.xml", format=Format.XML)
POLICE = Client("fr.police.hub", format=Format.JSON)
CLIENTS = (SDIS, FIRE, SAMU, SAMU2, FLAT, XML, POLICE)
SHARDS = {client.id: at % 4 for at, client in enumerate(CLIENTS)}


@cache
def pack() -> Pack:
    """The real pack of the hub."""
    return load_pack(Path(schemas.__path__[0]) / "v3")


class EasyPack:
    """A pack that finds every content to be RC-REF: for tests of what comes behind the validation."""

    def judge(self, content: bytes | msgspec.Raw) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
        return ("RC-REF",), ()

    def check_message(self, body: bytes) -> tuple[Fault, ...]:
        return ()

    @property
    def xml(self) -> XmlForm:
        return pack().xml


def rules(pack_in_use: Any = None, clients: tuple[Client, ...] = CLIENTS, **changes: Any) -> Rules:
    """The rules of the tests' vhost, by the real pack unless another is given."""
    values: dict[str, Any] = {
        "vhost": "test",
        "directory": Directory(clients, "test"),
        "topology": TopologyVersion(1, 4, SHARDS),
        "pack": pack_in_use or pack(),
        "max_message_bytes": MAX_MESSAGE_BYTES,
        "inbox_ttl_ms": DAY_SECONDS * 1000,
    }
    return Rules(**{**values, **changes})


def when(seconds_from_now: float) -> str:
    """A date-time as the models want it, seconds from `NOW`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(NOW + seconds_from_now, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def reference(**fields: Any) -> dict[str, Any]:
    """A content element that is a whole RC-REF."""
    message = {
        "messageId": "m-1",
        "sender": {"name": "samu050", "URI": "hubex:fr.health.hub.samu050"},
        "sentAt": when(0),
        "kind": "Ack",
        "status": "Actual",
        "recipient": [{"name": "sdis-50", "URI": "hubex:fr.fire.nexsis.sdis-50"}],
        "reference": {"distributionID": "fr.fire.nexsis.sdis-50_1", **fields},
    }
    return {"jsonContent": {"embeddedJsonContent": {"message": message}}}


def envelope(sender: Client | str = SAMU, recipient: Client | str = SDIS, **changes: Any) -> dict[str, Any]:
    """A whole message as a value. A change of None takes the field away."""
    sender_id = sender if isinstance(sender, str) else sender.id
    value = {
        "distributionID": f"{sender_id}_1",
        "senderID": sender_id,
        "dateTimeSent": when(0),
        "dateTimeExpires": when(3600),
        "distributionStatus": "Actual",
        "distributionKind": "Report",
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {
                "explicitAddressScheme": "hubex",
                "explicitAddressValue": recipient if isinstance(recipient, str) else recipient.id,
            },
        },
        "content": [reference()],
    }
    return {name: found for name, found in {**value, **changes}.items() if found is not None}


def body(sender: Client | str = SAMU, recipient: Client | str = SDIS, **changes: Any) -> bytes:
    """As `envelope`, in bytes."""
    return orjson.dumps(envelope(sender, recipient, **changes))


def raw_properties(**values: Any) -> bytes:
    """A property list as in a content header; JSON and persistent unless said otherwise (None: absent)."""
    values = {"content_type": "application/json", "delivery_mode": 2, **values}
    return ContentHeader(0, 0, Basic.Properties(**values)).marshal()[12:]


def decoded(first: bytes, last: bytes) -> Basic.Properties:
    """Both halves of an output's properties, as a recipient reads them, numbered 1."""
    read = ContentHeader()
    read.unmarshal(b"\x00\x3c\x00\x00" + bytes(8) + first + b"\x00\x00\x00\x00\x00\x00\x00\x01" + last)
    parse(first + b"\x00\x00\x00\x00\x00\x00\x00\x01" + last)  # both must be of one mind
    return read.properties


def delivery(
    payload: bytes,
    key: str = SAMU.publish_keys[0],
    *,
    role: Role = Role.SHARD,
    queue: str | None = None,
    shard: int | None = None,
    tag: int = 1,
    redelivered: bool = False,
    exchange: str = names.ENTRANCE,
    raw: bytes | None = None,
    received_at: float = 100.0,
    **values: Any,
) -> Delivery:
    """A delivery: by default a client's, in the shard that its key belongs to."""
    if shard is None:
        client_id = key.partition(".out.")[0]
        shard = SHARDS.get(client_id, 0)
    return Delivery(
        queue or names.shard_queue(shard),
        role,
        shard,
        tag,
        redelivered,
        exchange,
        key,
        raw_properties(**values) if raw is None else raw,
        payload,
        received_at,
    )


def from_hub(payload: bytes, key: str = SAMU.publish_keys[0], **values: Any) -> Delivery:
    """A delivery that the hub itself gave back to the shard: from the ladder, or by replay."""
    headers = {names.HEADER_KEY: key, **values.pop("headers", {})}
    shard = SHARDS.get(key.partition(".out.")[0], 0)
    queue = names.shard_queue(shard)
    return delivery(payload, queue, shard=shard, exchange=names.SHARD_EXCHANGE, headers=headers, **values)
