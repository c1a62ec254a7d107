"""From what is to what should be: an ordered list of operations, or the reasons why not. Pure.

Order: limits and dead-lettering exist before the queue they hold for, inboxes before anybody can send to
them, rights last; taking away comes after everything else. Nothing is taken away but what the hub itself
made.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from router.core import names
from router.core.directory import Client
from router.core.shards import TopologyVersion, place, shard_number
from router.settings.config import Config
from router.settings.strict import Fault
from router.topology.budget import budget_faults
from router.topology.desired import POLICY_PREFIX, DesiredVhost, desired_vhost
from router.topology.faults import client_faults, vhost_faults
from router.topology.objects import Actual, ActualVhost, Binding, Rights
from router.topology.operations import (
    Bind,
    CreateExchange,
    CreateQueue,
    CreateUser,
    CreateVhost,
    DeletePolicy,
    DeleteUser,
    Operation,
    PutPolicy,
    RemoveClient,
    SetRights,
    SetTopicRights,
    Unbind,
)
from router.topology.orphans import Orphan, orphans


class Plan(Struct, frozen=True):
    """What `apply` will do. With `faults` it does nothing at all. `left_alone` names what is in the vhosts
    and is not the hub's."""

    operations: tuple[Operation, ...]
    versions: Mapping[str, TopologyVersion]
    faults: tuple[Fault, ...] = ()
    left_alone: tuple[str, ...] = ()


def plan(config: Config, clients: tuple[Client, ...], actual: Actual, recorded: Mapping[str, TopologyVersion]) -> Plan:
    """The whole difference. `recorded` is the topology file (empty when there is none yet)."""
    desired = [
        desired_vhost(config, vhost.name, clients, _version(config, vhost.name, clients, actual, recorded))
        for vhost in config.vhosts
    ]
    faults = [*client_faults(config, clients, actual)]
    making: list[Operation] = []
    taking: list[Operation] = []
    left_alone: list[str] = []
    gone: set[str] = set()
    for vhost in desired:
        now = actual.vhosts[vhost.name]
        faults += vhost_faults(vhost, now)
        lost = orphans(vhost, now, recorded.get(vhost.name), frozenset(actual.users))
        making += _make(vhost, now, lost, actual.users, config)
        taking += _take(vhost, now, lost)
        left_alone += _left_alone(vhost, now, lost)
        gone |= {orphan.client_id for orphan in lost}
    taking += _users_to_delete(gone, clients, actual)
    if any(_uses_disk(operation) for operation in making):
        faults += budget_faults(config, actual)
    return Plan(
        operations=(*_unique_users(making), *taking),
        versions={vhost.name: vhost.version for vhost in desired},
        faults=tuple(faults),
        left_alone=tuple(left_alone),
    )


def _version(
    config: Config,
    vhost: str,
    clients: tuple[Client, ...],
    actual: Actual,
    recorded: Mapping[str, TopologyVersion],
) -> TopologyVersion:
    before = recorded.get(vhost)
    here = tuple(client for client in clients if client.is_on(vhost))
    bound = bound_shards(here, actual.vhosts[vhost].bindings)
    shards = config.topology.shards
    placed = place(tuple(client.id for client in here), shards, before.clients if before else {}, bound)
    return before.followed_by(shards, placed) if before else TopologyVersion(1, shards, placed)


def bound_shards(clients: Iterable[Client], bindings: frozenset[Binding]) -> dict[str, frozenset[int]]:
    """The shards that the entrance sends each client's keys to now."""
    by_key: dict[str, set[int]] = {}
    for binding in bindings:
        shard = shard_number(binding.queue)
        if binding.source == names.ENTRANCE and shard is not None:
            by_key.setdefault(binding.key, set()).add(shard)
    return {
        client.id: frozenset(shard for key in client.publish_keys for shard in by_key.get(key, ()))
        for client in clients
    }


# ---- making ---------------------------------------------------------------------------------------


def _make(
    desired: DesiredVhost,
    actual: ActualVhost,
    lost: Iterable[Orphan],
    users: Mapping[str, object],
    config: Config,
) -> Iterable[Operation]:
    name = desired.name
    if not actual.exists:
        yield CreateVhost(name)
    admin, *others = desired.rights
    yield from _set_rights(name, [admin], actual)
    policies = {policy.name: policy for policy in actual.policies}
    for policy in desired.policies:
        if policies.get(policy.name) != policy:
            yield PutPolicy(name, policy, policies.get(policy.name))
    have_exchanges = {exchange.name for exchange in actual.exchanges}
    have_queues = {queue.name for queue in actual.queues}
    yield from (CreateExchange(name, each) for each in desired.exchanges if each.name not in have_exchanges)
    yield from (CreateQueue(name, each) for each in desired.queues if each.name not in have_queues)
    yield from (Bind(name, each) for each in desired.bindings if each not in actual.bindings)
    for rights in others:
        if rights.user not in users:
            yield CreateUser(rights.user, _has_password(config, rights.user))
    # Keys before rights: a user who may write to the entrance and has no key rights yet could use any key.
    topics = {(rights.user, rights.exchange): rights for rights in actual.topic_rights}
    for topic in desired.topic_rights:
        if topic not in actual.topic_rights:
            yield SetTopicRights(name, topic, topics.get((topic.user, topic.exchange)))
    waiting = {orphan.client_id: orphan for orphan in lost}
    yield from _set_rights(name, [_while_waiting(rights, waiting.get(rights.user)) for rights in others], actual)


def _has_password(config: Config, user: str) -> bool:
    if user == config.broker.user:
        return bool(config.broker.password or config.broker.password_file)
    return bool(config.directory.clients_password_file)


def _set_rights(vhost: str, wanted: Iterable[Rights], actual: ActualVhost) -> Iterable[Operation]:
    before = {rights.user: rights for rights in actual.rights}
    for rights in wanted:
        if before.get(rights.user) != rights:
            yield SetRights(vhost, rights, before.get(rights.user))


def _while_waiting(rights: Rights, orphan: Orphan | None) -> Rights:
    """A client whose naming changed may go on reading its old inboxes until they are gone."""
    if orphan is None or not orphan.queues:
        return rights
    assert orphan.client is not None  # only clients of the directory have rights to wait with
    read = names.exactly(*orphan.client.inboxes, *orphan.queues)
    return Rights(rights.user, rights.configure, rights.write, read)


def _unique_users(operations: Iterable[Operation]) -> Iterable[Operation]:
    """A user of several vhosts is made once."""
    made: set[str] = set()
    for operation in operations:
        if isinstance(operation, CreateUser):
            if operation.user in made:
                continue
            made.add(operation.user)
        yield operation


def _uses_disk(operation: Operation) -> bool:
    return isinstance(operation, PutPolicy) or (
        isinstance(operation, CreateQueue) and operation.queue.name.startswith(names.HUB_PREFIXES)
    )


# ---- taking away ----------------------------------------------------------------------------------


def _take(desired: DesiredVhost, actual: ActualVhost, lost: Iterable[Orphan]) -> Iterable[Operation]:
    wanted = {policy.name for policy in desired.policies}
    for policy in actual.policies:
        if policy.name.startswith(POLICY_PREFIX) and policy.name not in wanted:
            yield DeletePolicy(desired.name, policy.name)
    lost = tuple(lost)
    removed = {binding for orphan in lost for binding in orphan.bindings}
    for binding in sorted(actual.bindings, key=_in_order):
        if _is_stray(binding, desired) and binding not in removed:
            yield Unbind(desired.name, binding)
    rights = {right.user: right for right in actual.rights}
    for orphan in lost:
        yield _removal(desired, orphan, rights.get(orphan.client_id))


def _in_order(binding: Binding) -> tuple[str, str, str]:
    return binding.source, binding.queue, binding.key


def _is_stray(binding: Binding, desired: DesiredVhost) -> bool:
    """A binding of the hub's own exchanges that should not be. What somebody else hung on the entrance is
    theirs."""
    if binding in desired.bindings:
        return False
    if binding.source == names.ENTRANCE:
        return binding.queue.startswith(names.SHARD_QUEUE_PREFIX)
    return binding.source.startswith("hub.")


def _removal(desired: DesiredVhost, orphan: Orphan, rights: Rights | None) -> RemoveClient:
    after = next((right for right in desired.rights if right.user == orphan.client_id), None)
    return RemoveClient(
        vhost=desired.name,
        client_id=orphan.client_id,
        queues=orphan.queues,
        bindings=orphan.bindings,
        rights=_while_waiting(after, orphan) if after else rights,
        rights_after=after,
    )


def _users_to_delete(gone: set[str], clients: tuple[Client, ...], actual: Actual) -> Iterable[Operation]:
    """Users of clients that are in no vhost any more, unless somebody gave them tags or rights elsewhere."""
    kept = {client.id for client in clients} | actual.other_rights
    for user in sorted(gone - kept):
        if user in actual.users and not actual.users[user]:
            yield DeleteUser(user)


def _left_alone(desired: DesiredVhost, actual: ActualVhost, lost: Iterable[Orphan]) -> Iterable[str]:
    known = {queue.name for queue in desired.queues} | {queue for orphan in lost for queue in orphan.queues}
    for queue in actual.queues:
        if queue.name not in known:
            yield f"[{desired.name}] queue {queue.name}"
