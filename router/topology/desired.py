"""What the broker should have, from the configuration and the directory alone. Pure.

Queue type and single active consumer are arguments, because they can never change; everything else is
policy, one policy per class of queue, so that it can. Every queue of the hub refuses a publish when it is
full (`reject-publish`) and has a byte limit; every one that dead-letters does so at least once. Policy keys
are those of RabbitMQ 3.10.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from router.core import names
from router.core.directory import Client
from router.core.shards import TopologyVersion
from router.settings.config import Config
from router.settings.sections import MIB
from router.topology.objects import Binding, Exchange, Policy, Queue, Rights, TopicRights

POLICY_PREFIX: Final = "hub-"
PRIORITY: Final = 100
"""Of every policy of the hub; their patterns never overlap. A foreign policy that matches too must be
below."""

DELIVERY_LIMIT: Final = 20
"""Of queues that dead-letter: the net under the router's own count (DELIVERY.md 6)."""
NO_DELIVERY_LIMIT: Final = 1_000_000
"""Of queues where a limit would lose: 4.x drops at 20 without a dead-letter exchange, and looking into a
queue counts."""
PROBE_TTL_MS: Final = 1_000
PROBE_MAX_BYTES: Final = MIB
PARKED_TTL_MS: Final = 86_400_000

NOTHING: Final = "^$"
EVERYTHING: Final = ".*"
ROUTER_WRITE: Final = r"^hub\."
ROUTER_READ: Final = r"^(dispatch\.[0-9]+|dispatch\.unknown|hub\.(dead\.(inbox|shard|parked)|parked))$"
INBOX_PATTERN: Final = r"^(?!hub\.|dispatch\.).+\.(message|ack|info)$"
"""Every name an inbox can have, those of ids in `directory.extra_ids` included, and none of the hub's own."""


class DesiredVhost(Struct, frozen=True):
    """One vhost, complete. `version` says where each client's messages go."""

    name: str
    clients: Mapping[str, Client]
    version: TopologyVersion
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    policies: tuple[Policy, ...]
    rights: tuple[Rights, ...]
    topic_rights: tuple[TopicRights, ...]


def desired_vhost(config: Config, name: str, clients: Iterable[Client], version: TopologyVersion) -> DesiredVhost:
    """Everything of one vhost; `version` places each of the clients that are on it."""
    here = tuple(client for client in clients if client.is_on(name))
    shards = tuple(names.shard_queue(shard) for shard in range(version.shards))
    return DesiredVhost(
        name=name,
        clients={client.id: client for client in here},
        version=version,
        exchanges=tuple(_exchanges()),
        queues=(*_hub_queues(shards), *(Queue(inbox) for client in here for inbox in client.inboxes)),
        bindings=(*_hub_bindings(shards), *_client_bindings(here, version)),
        policies=tuple(_policies(config)),
        rights=(
            Rights(config.management.user, EVERYTHING, EVERYTHING, EVERYTHING),
            Rights(config.broker.user, NOTHING, ROUTER_WRITE, ROUTER_READ),
            *(client_rights(client) for client in here),
        ),
        topic_rights=tuple(client_topic_rights(client) for client in here),
    )


def client_rights(client: Client) -> Rights:
    """A client declares nothing, writes to the entrance only and reads its own inboxes only."""
    return Rights(client.id, NOTHING, names.exactly(names.ENTRANCE), names.exactly(*client.inboxes))


def client_topic_rights(client: Client) -> TopicRights:
    """A client publishes with its own keys only."""
    return TopicRights(client.id, names.ENTRANCE, names.exactly(*client.publish_keys), NOTHING)


def _exchanges() -> Iterable[Exchange]:
    yield Exchange(names.UNKNOWN_EXCHANGE, "fanout")
    for queue in (*names.DEAD_QUEUES, names.PARKED, names.PROBE, *(rung.name for rung in names.RUNGS)):
        yield Exchange(queue, "fanout")
    yield Exchange(names.SHARD_EXCHANGE, "direct")
    yield Exchange(names.INBOX_EXCHANGE, "direct")
    yield Exchange(names.ENTRANCE, "topic")


def _hub_queues(shards: tuple[str, ...]) -> Iterable[Queue]:
    yield Queue(names.UNKNOWN_QUEUE)
    for name in names.DEAD_QUEUES:
        yield Queue(name, single_active=True)
    for name in (names.PARKED, names.PROBE, *(rung.name for rung in names.RUNGS)):
        yield Queue(name)
    for name in shards:
        yield Queue(name, single_active=True)


def _hub_bindings(shards: tuple[str, ...]) -> Iterable[Binding]:
    yield Binding(names.UNKNOWN_EXCHANGE, names.UNKNOWN_QUEUE, "")
    for name in (*names.DEAD_QUEUES, names.PARKED, names.PROBE, *(rung.name for rung in names.RUNGS)):
        yield Binding(name, name, "")
    # Every queue that the router consumes is where the ladder brings its inputs back to.
    for name in (*shards, names.UNKNOWN_QUEUE, *names.DEAD_QUEUES):
        yield Binding(names.SHARD_EXCHANGE, name, name)


def _client_bindings(clients: tuple[Client, ...], version: TopologyVersion) -> Iterable[Binding]:
    """Inboxes first: nobody should be able to send before everybody can be sent to."""
    for client in clients:
        for inbox in client.inboxes:
            yield Binding(names.INBOX_EXCHANGE, inbox, inbox)
    for client in clients:
        shard = names.shard_queue(version.shard(client.id))
        for key in client.publish_keys:
            yield Binding(names.ENTRANCE, shard, key)


def _policies(config: Config) -> Iterable[Policy]:
    limits = config.topology
    yield Policy(
        f"{POLICY_PREFIX}entrance",
        names.exactly(names.ENTRANCE),
        "exchanges",
        PRIORITY,
        {"alternate-exchange": names.UNKNOWN_EXCHANGE},
    )
    yield _dead_lettering("shard", r"^dispatch\.[0-9]+$", limits.shard_max_bytes, names.DEAD_SHARD)
    ttl_ms = config.delivery.inbox_ttl_seconds * 1000
    yield _dead_lettering("inbox", INBOX_PATTERN, limits.inbox_max_bytes, names.DEAD_INBOX, ttl_ms)
    for rung in names.RUNGS:
        name = rung.name.removeprefix("hub.retry.")
        pattern = names.exactly(rung.name)
        yield _dead_lettering(f"rung-{name}", pattern, limits.rung_max_bytes, names.SHARD_EXCHANGE, rung.ttl_ms)
    yield _queue_policy("dead", names.exactly(*names.DEAD_QUEUES), limits.dead_max_bytes)
    yield _queue_policy("unknown", names.exactly(names.UNKNOWN_QUEUE), limits.unknown_max_bytes)
    yield _queue_policy(
        "parked",
        names.exactly(names.PARKED),
        limits.parked_max_bytes,
        **_dead_letters(names.DEAD_PARKED),
        **{"message-ttl": PARKED_TTL_MS},
    )
    yield _queue_policy("probe", names.exactly(names.PROBE), PROBE_MAX_BYTES, **{"message-ttl": PROBE_TTL_MS})


def _dead_letters(exchange: str) -> dict[str, str | int]:
    """At least once; the routing key is kept."""
    return {"dead-letter-exchange": exchange, "dead-letter-strategy": "at-least-once"}


def _dead_lettering(name: str, pattern: str, max_bytes: int, exchange: str, ttl_ms: int = 0) -> Policy:
    more = _dead_letters(exchange) | ({"message-ttl": ttl_ms} if ttl_ms else {})
    return _queue_policy(name, pattern, max_bytes, **{"delivery-limit": DELIVERY_LIMIT, **more})


def _queue_policy(name: str, pattern: str, max_bytes: int, **more: str | int) -> Policy:
    definition: dict[str, str | int] = {
        "overflow": "reject-publish",
        "max-length-bytes": max_bytes,
        "delivery-limit": NO_DELIVERY_LIMIT,
        "queue-leader-locator": "balanced",
        **more,
    }
    return Policy(f"{POLICY_PREFIX}{name}", pattern, "queues", PRIORITY, definition)
