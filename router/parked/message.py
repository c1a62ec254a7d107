"""A parked message as a tool sees it, and what its replay publishes (DELIVERY.md 7). Pure.

Law: a replay carries the body and the client's properties byte for byte as they were parked, the client's
original key, when it was first seen, its history, the origin "replay" and the mark; nothing else.
"""

from hashlib import sha256
from typing import Final

from msgspec import Struct

from router.core import names
from router.core.delivery import Delivery, Role
from router.core.directory import Directory
from router.core.outcomes import Kind
from router.core.outputs import Output
from router.core.properties import entry, numbered
from router.core.shards import TopologyVersion

ID_CHARACTERS: Final = 12


class Parked(Struct, frozen=True):
    """What is known of a parked message without its payload. Times are ms since the epoch, 0 where unknown."""

    id: str
    vhost: str
    key: str
    reason: str
    reference: str
    history: str
    origin: str
    parked_at_ms: int
    first_seen_ms: int
    attempt: int
    expires_at_ms: int
    """When the broker lets go of it by its own expiration; 0: after 24 h, by the queue's rule."""
    content_type: str
    body_bytes: int
    body_sha256: str


def parked_id(body: bytes, parked_at_ms: int, key: str) -> str:
    """The short name of a parked message: the same at every look. Two have the same one only if they are
    the same bytes, parked in the same millisecond, with the same key; then tools treat them alike."""
    text = f"|{parked_at_ms}|{key}".encode("utf-8", "surrogateescape")
    return sha256(body + text).hexdigest()[:ID_CHARACTERS]


def as_delivery(tag: int, redelivered: bool, raw_properties: bytes, body: bytes) -> Delivery:
    """What `basic.get` gave, in the data path's own type: its properties are sliced, not decoded."""
    # The role says how a worker decides on a delivery; nobody decides on this one.
    return Delivery(
        names.PARKED, Role.DEAD_PARKED, 0, tag, redelivered, names.PARKED, names.PARKED, raw_properties, body, 0.0
    )


def describe(delivery: Delivery, vhost: str, expiration: str | None) -> Parked:
    """The facts of a parked message. `expiration` is AMQP's, ms as text."""
    properties = delivery.properties
    body = delivery.body
    if properties is None:
        # Only the hub writes here; still, a message that nobody can read must be seen and droppable.
        empty = parked_id(body, 0, "")
        return Parked(
            empty, vhost, "", "?", names.NO_REFERENCE, "", "", 0, 0, 0, 0, "?", len(body), sha256(body).hexdigest()
        )
    parked_at = properties.number(names.HEADER_PARKED_AT)
    key = properties.text(names.HEADER_KEY)
    lives = int(expiration) if expiration is not None and expiration.isascii() and expiration.isdigit() else 0
    return Parked(
        id=parked_id(body, parked_at, key),
        vhost=vhost,
        key=key,
        reason=properties.text(names.HEADER_REASON),
        reference=properties.text(names.HEADER_REFERENCE),
        history=properties.text(names.HEADER_HISTORY),
        origin=properties.text(names.HEADER_ORIGIN),
        parked_at_ms=parked_at,
        first_seen_ms=properties.number(names.HEADER_FIRST_SEEN),
        attempt=properties.number(names.HEADER_ATTEMPT),
        expires_at_ms=parked_at + lives if parked_at and lives else 0,
        content_type=properties.content_type or "",
        body_bytes=len(body),
        body_sha256=sha256(body).hexdigest(),
    )


def replay_of(delivery: Delivery, directory: Directory, topology: TopologyVersion) -> Output | str:
    """What the replay publishes, or why it cannot be replayed."""
    properties = delivery.properties
    if properties is None:
        return "its properties cannot be read"
    key = properties.text(names.HEADER_KEY)
    owner = directory.sender_of_key(key)
    if owner is None:
        return "its key belongs to no client of the directory: add the client, apply the topology, then replay"
    queue = names.shard_queue(topology.shard(owner.client.id))
    headers = [entry(names.HEADER_KEY, key)]
    if first_seen := properties.number(names.HEADER_FIRST_SEEN):
        headers.append(entry(names.HEADER_FIRST_SEEN, first_seen))
    if history := properties.text(names.HEADER_HISTORY):
        headers.append(entry(names.HEADER_HISTORY, history))
    if published := properties.text(names.HEADER_PUBLISHED):
        headers.append(entry(names.HEADER_PUBLISHED, published))
    headers.append(entry(names.HEADER_ORIGIN, names.ORIGIN_REPLAY))
    headers.append(entry(names.HEADER_POSSIBLE_DUPLICATE, True))
    halves = numbered(properties, b"".join(headers), None)
    return Output(Kind.RETRY, delivery, names.SHARD_EXCHANGE, queue, halves, delivery.body)
