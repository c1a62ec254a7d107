"""What the broker has now, read from the management API into plain values."""

from collections.abc import Iterable
from typing import Any

import msgspec

from router.topology.management import Management, NotFound
from router.topology.objects import (
    Actual,
    ActualExchange,
    ActualQueue,
    ActualVhost,
    Binding,
    Policy,
    Rights,
    TopicRights,
)


def read_actual(api: Management, vhosts: Iterable[str]) -> Actual:
    """The users, the free disk, and these vhosts. Raises ManagementError."""
    ours = tuple(vhosts)
    there = {vhost["name"] for vhost in api.get("vhosts")}
    users = {user["name"]: _tags(user.get("tags", "")) for user in api.get("users")}
    elsewhere = {right["user"] for right in api.get("permissions") if right["vhost"] not in ours}
    return Actual(
        vhosts={name: read_vhost(api, name) if name in there else ActualVhost(name, False) for name in ours},
        users=users,
        other_rights=frozenset(elsewhere),
        disk_free_bytes=_disk_free_bytes(api),
    )


def read_vhost(api: Management, name: str) -> ActualVhost:
    """One vhost that is there. Raises ManagementError."""
    return ActualVhost(
        name=name,
        exchanges=msgspec.convert(api.get("exchanges", name), tuple[ActualExchange, ...]),
        queues=msgspec.convert(api.get("queues", name), tuple[ActualQueue, ...]),
        bindings=frozenset(
            Binding(binding["source"], binding["destination"], binding["routing_key"])
            for binding in api.get("bindings", name)
            if binding["source"] and binding["destination_type"] == "queue"
        ),
        policies=tuple(_policy(policy) for policy in api.get("policies", name)),
        rights=frozenset(msgspec.convert(api.get("vhosts", name, "permissions"), tuple[Rights, ...])),
        topic_rights=frozenset(msgspec.convert(api.get("vhosts", name, "topic-permissions"), tuple[TopicRights, ...])),
    )


def read_depth(api: Management, vhost: str, queue: str) -> int | None:
    """Messages in a queue, ready, unsettled and waiting to dead-letter alike; up to 10 s old, None when not
    counted yet, 0 when there is no such queue."""
    try:
        answer = api.get("queues", vhost, queue)
    except NotFound:
        return 0
    messages = answer.get("messages")
    return messages if isinstance(messages, int) else None


def _policy(answer: dict[str, Any]) -> Policy:
    return Policy(answer["name"], answer["pattern"], answer["apply-to"], answer["priority"], answer["definition"])


def _tags(tags: object) -> tuple[str, ...]:
    """A list since 3.9, a comma-separated text before; a user without any has none or one that is empty."""
    parts = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
    return tuple(tag for tag in parts if tag)


def _disk_free_bytes(api: Management) -> int | None:
    """Above the limit, on the running node with the least; a node that has not measured yet tells nothing."""
    free = [
        max(0, node["disk_free"] - node["disk_free_limit"])
        for node in api.get("nodes")
        if node.get("running")
        and isinstance(node.get("disk_free"), int)
        and isinstance(node.get("disk_free_limit"), int)
    ]
    return min(free, default=None)
