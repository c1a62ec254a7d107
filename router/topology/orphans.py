"""What the broker still has of clients that should not have it: gone from the directory, from a vhost, or
renamed. Pure.

Found by what was recorded and by what is there, so that a lost topology file leaves nothing behind for ever.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from router.core import names
from router.core.directory import Client, Naming
from router.core.shards import TopologyVersion
from router.topology.desired import INBOX_PATTERN, DesiredVhost
from router.topology.objects import ActualVhost, Binding


class Orphan(Struct, frozen=True):
    """One client's leftovers. `client` is the one of the directory when it is still on the vhost (its
    naming changed)."""

    client_id: str
    client: Client | None
    queues: tuple[str, ...]
    bindings: tuple[Binding, ...]


def orphans(
    desired: DesiredVhost, actual: ActualVhost, recorded: TopologyVersion | None, users: frozenset[str]
) -> tuple[Orphan, ...]:
    """All leftovers of a vhost, by client id."""
    wanted_queues = {queue.name for queue in desired.queues}
    wanted_bindings = frozenset(desired.bindings)
    extra = [queue.name for queue in actual.queues if _is_inbox(queue.name) and queue.name not in wanted_queues]
    stray = [binding for binding in actual.bindings - wanted_bindings if _is_clients(binding)]
    known = set(recorded.clients if recorded else ()) | users
    owners = {queue: _owner(queue, known) for queue in extra}
    ids = {*(recorded.clients if recorded else ()), *owners.values()} - desired.clients.keys()
    ids |= {right.user for right in actual.rights if _looks_ours(right.user, right.read)} - desired.clients.keys()
    ids |= {owner for owner in owners.values() if owner in desired.clients}
    with_rights = {right.user for right in actual.rights} | {right.user for right in actual.topic_rights}
    found = []
    for client_id in sorted(ids):
        queues = tuple(sorted(queue for queue, owner in owners.items() if owner == client_id))
        keys = _all_keys(client_id)
        bindings = sorted(
            (b for b in stray if (b.key in keys and b.source == names.ENTRANCE) or b.queue in queues),
            key=lambda binding: (binding.source, binding.queue, binding.key),
        )
        has_rights = client_id in with_rights
        client = desired.clients.get(client_id)
        if queues or bindings or (has_rights and client is None):
            found.append(Orphan(client_id, client, queues, tuple(bindings)))
    return tuple(found)


def _is_inbox(queue: str) -> bool:
    return re.search(INBOX_PATTERN, queue) is not None


def _is_clients(binding: Binding) -> bool:
    if binding.source == names.ENTRANCE:
        return binding.queue.startswith(names.SHARD_QUEUE_PREFIX)
    return binding.source == names.INBOX_EXCHANGE


def _owner(queue: str, known: set[str]) -> str:
    """Whose inbox it was: of the two readings of a name the one that is known, else the `in-out` one."""
    flat = queue.rpartition(".")[0]
    in_out = flat.removesuffix(".in")
    return flat if flat in known and in_out not in known else in_out


def _all_keys(client_id: str) -> frozenset[str]:
    """Its keys in both namings: it may have changed."""
    both = (Client(client_id), Client(client_id, naming=Naming.FLAT))
    return frozenset(key for client in both for key in client.publish_keys)


def _looks_ours(user: str, read: str) -> bool:
    """Rights that `apply` once gave to a client: it may read just its own inboxes."""
    return read in _own_reads(user)


def _own_reads(user: str) -> Iterable[str]:
    both = (Client(user), Client(user, naming=Naming.FLAT))
    return tuple(names.exactly(*client.inboxes) for client in both)
