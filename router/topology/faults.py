"""Reasons not to touch the broker at all: what can never be changed in place, and what would rule instead
of us. Pure."""

import re
from collections.abc import Iterable, Mapping

from router.core import names
from router.core.directory import Client
from router.core.shards import shard_number
from router.settings.config import Config
from router.settings.strict import Fault
from router.topology.desired import POLICY_PREFIX, PRIORITY, DesiredVhost
from router.topology.objects import Actual, ActualVhost


def vhost_faults(desired: DesiredVhost, actual: ActualVhost) -> Iterable[Fault]:
    """Everything that stands against one vhost."""
    yield from _shard_faults(desired, actual)
    yield from _immutable_faults(desired, actual)
    yield from _foreign_policies(desired, actual)


def client_faults(config: Config, clients: tuple[Client, ...], actual: Actual) -> Iterable[Fault]:
    vhosts = [vhost.name for vhost in config.vhosts]
    for client in clients:
        for vhost in client.vhosts:
            if vhost not in vhosts:
                yield Fault(f"client {client.id}", f"is on an unknown vhost {vhost!r}", ", ".join(vhosts))
        if client.id in (config.broker.user, config.management.user):
            yield Fault(f"client {client.id}", "has the name of one of the hub's own users", "another id")
        elif tags := actual.users.get(client.id):
            yield Fault(f"client {client.id}", f"its broker user has the tags {','.join(tags)}", "a user without tags")


def _shard_faults(desired: DesiredVhost, actual: ActualVhost) -> Iterable[Fault]:
    """Shards are never taken away: a client may be on one, or a message may lie in it."""
    shards = desired.version.shards
    beyond = [names.shard_queue(shard) for shard in sorted(desired.version.clients.values()) if shard >= shards]
    beyond += sorted(queue.name for queue in actual.queues if (shard_number(queue.name) or 0) >= shards)
    if beyond:
        problem = f"is {shards}, but [{desired.name}] has {beyond[-1]}"
        yield Fault("topology.shards", problem, "the number before, or more: clients never move")


def _immutable_faults(desired: DesiredVhost, actual: ActualVhost) -> Iterable[Fault]:
    queues = {queue.name: queue for queue in actual.queues}
    for queue in desired.queues:
        there = queues.get(queue.name)
        if there and not (there.durable and not there.auto_delete and there.arguments == queue.arguments):
            shown = {"durable": there.durable, "auto_delete": there.auto_delete, **there.arguments}
            allowed = f"durable with {_shown(queue.arguments)}; delete it, once it is empty, and apply again"
            yield Fault(f"[{desired.name}] queue {queue.name}", f"exists with {_shown(shown)}", allowed)
    exchanges = {exchange.name: exchange for exchange in actual.exchanges}
    for exchange in desired.exchanges:
        have = exchanges.get(exchange.name)
        plain = have and have.durable and not have.auto_delete and not have.internal and not have.arguments
        if have and not (plain and have.type == exchange.type):
            where = f"[{desired.name}] exchange {exchange.name}"
            yield Fault(where, f"exists as {have.type} or with arguments", f"durable {exchange.type}, no arguments")


def _shown(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _foreign_policies(desired: DesiredVhost, actual: ActualVhost) -> Iterable[Fault]:
    """Policies that are not the hub's and would be applied in the place of one of the hub's: only one ever
    is."""
    ours = {policy.name for policy in desired.policies}
    for policy in actual.policies:
        if policy.name in ours or policy.name.startswith(POLICY_PREFIX) or policy.priority < PRIORITY:
            continue
        objects = [q.name for q in desired.queues] if policy.apply_to != "exchanges" else []
        if policy.apply_to in ("exchanges", "all"):
            objects.append(names.ENTRANCE)
        if caught := next((name for name in objects if _matches(policy.pattern, name)), None):
            where = f"[{desired.name}] policy {policy.name}"
            yield Fault(where, f"would rule {caught} instead of the hub's own", f"a priority below {PRIORITY}")


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True  # the broker reads it, we do not: assume the worst
