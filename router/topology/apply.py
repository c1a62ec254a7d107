"""`hubex topology plan|apply`: reads what is, computes the difference, does it, and reads back whether it
was kept.

Law: nothing is touched while one fault stands; a second apply changes nothing; what the broker accepted and
did not keep is an error. Every step is idempotent: an apply that broke off is finished by the next one.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from router.core.directory import Client
from router.core.shards import TopologyVersion
from router.settings.config import Config
from router.settings.strict import SettingsError
from router.settings.topology_file import TopologyFileError, read_topology, write_topology
from router.topology.actual import read_actual
from router.topology.diff import Plan, plan
from router.topology.management import Management, ManagementError
from router.topology.objects import Actual
from router.topology.operations import DeleteUser, Operation, RemoveClient
from router.topology.perform import perform
from router.topology.removal import Kept, Remover, Waits

DISK_FACTS_SECONDS: Final = 15.0
"""How long a node that has just started may not know its disk."""

READ_BACK_ATTEMPTS: Final = 10
"""A second apart: the management API may answer lists from a cache for a few seconds."""

NOTHING_TO_CHANGE: Final = "nothing to change"


class TopologyRefused(SettingsError):
    """The topology cannot be as configured; `faults` has every reason. Nothing was changed."""


class NotKept(ManagementError):
    """The broker accepted a change and does not show it."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        super().__init__("the broker did not keep: " + "; ".join(str(operation) for operation in operations))
        self.operations = operations


class Applied(Struct, frozen=True):
    """What an apply did. `kept` are clients that were to be removed and still hold messages."""

    operations: tuple[Operation, ...]
    kept: tuple[Kept, ...]
    file_written: bool


def management_of(config: Config) -> Management:
    """The management API that the configuration names. Raises ConfigError when its secret cannot be read."""
    return Management(config.management.url, config.management.user, config.management.secret())


def make_plan(
    config: Config, clients: tuple[Client, ...], api: Management, sleep: Callable[[float], None] = time.sleep
) -> Plan:
    """The difference as it is now. Its faults are for the caller to look at (`apply` raises on them).

    Raises ManagementError, TopologyFileError.
    """
    return plan(config, clients, _read(config, api, sleep), _recorded(config))


def apply(
    config: Config,
    clients: tuple[Client, ...],
    api: Management,
    *,
    force: bool = False,
    waits: Waits | None = None,
    say: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
) -> Applied:
    """Makes the broker and the topology file as configured. `say` gets one line for each step.

    Raises TopologyRefused (nothing was touched), ManagementError (run it again), NotKept,
    TopologyFileError, ConfigError. Clients whose inboxes hold messages are kept as they are, and returned;
    with `force` their messages are parked.
    """
    recorded = _recorded(config)
    todo = plan(config, clients, _read(config, api, sleep), recorded)
    if todo.faults:
        raise TopologyRefused(*todo.faults)
    removals = [operation for operation in todo.operations if isinstance(operation, RemoveClient)]
    for operation in todo.operations:
        if not isinstance(operation, RemoveClient | DeleteUser):
            say(str(operation))
            perform(api, operation, config)
    for removal in removals:
        say(str(removal))
    waits = waits or Waits(settle_seconds=config.delivery.confirm_timeout_seconds)
    remover = Remover(api, config, clients, waits, say, sleep)
    kept = remover.remove(removals, force=force) if removals else ()
    staying = {each.removal.client_id for each in kept}
    for operation in todo.operations:
        if isinstance(operation, DeleteUser) and operation.user not in staying:
            say(str(operation))
            perform(api, operation, config)
    _read_back(config, clients, api, recorded, staying, sleep)
    written = write_topology(config.topology.file, {**recorded, **_versions(todo, kept, recorded)})
    if not todo.operations and not written:
        say(NOTHING_TO_CHANGE)
    return Applied(todo.operations, kept, written)


def _recorded(config: Config) -> dict[str, TopologyVersion]:
    try:
        return read_topology(config.topology.file)
    except TopologyFileError as error:
        if error.missing:
            return {}
        raise


def _read(config: Config, api: Management, sleep: Callable[[float], None]) -> Actual:
    """Reads again while no node knows its disk yet, if that is needed."""
    names = [vhost.name for vhost in config.vhosts]
    actual = read_actual(api, names)
    waited = 0.0
    while actual.disk_free_bytes is None and not config.topology.disk_budget_bytes and waited < DISK_FACTS_SECONDS:
        sleep(1.0)
        waited += 1.0
        actual = read_actual(api, names)
    return actual


def _read_back(
    config: Config,
    clients: tuple[Client, ...],
    api: Management,
    recorded: Mapping[str, TopologyVersion],
    staying: set[str],
    sleep: Callable[[float], None],
) -> None:
    """A request that the broker skipped quietly shows here. Asked again for a while: its lists may be cached.

    What belongs to a client that was kept may stay.
    """
    lost: tuple[Operation, ...] = ()
    for attempt in range(READ_BACK_ATTEMPTS):
        if attempt:
            sleep(1.0)
        left = plan(config, clients, read_actual(api, [vhost.name for vhost in config.vhosts]), recorded)
        lost = tuple(operation for operation in left.operations if not _belongs_to(operation, staying))
        if not lost:
            return
    raise NotKept(lost)


def _belongs_to(operation: Operation, clients: set[str]) -> bool:
    match operation:
        case RemoveClient(client_id=client_id):
            return client_id in clients
        case DeleteUser(user=user):
            return user in clients
    return False


def _versions(
    todo: Plan, kept: tuple[Kept, ...], recorded: Mapping[str, TopologyVersion]
) -> dict[str, TopologyVersion]:
    """The versions to write; a client that was kept keeps its shard in them."""
    versions = dict(todo.versions)
    for each in kept:
        vhost, client_id = each.removal.vhost, each.removal.client_id
        before = recorded.get(vhost)
        new = versions[vhost]
        if before is None or client_id in new.clients or client_id not in before.clients:
            continue
        clients = {**new.clients, client_id: before.clients[client_id]}
        versions[vhost] = before.followed_by(new.shards, clients)
    return versions
