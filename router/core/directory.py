"""Who is on the hub: the clients, their names on the broker, and who owns a routing key.

A directory is built whole or not at all: every fault of every client is found and listed before anything
uses it. It is immutable; a reload builds another one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from router.core import names


class Naming(StrEnum):
    """How a client's queues and keys are called."""

    IN_OUT = "in-out"  # key <id>.out.<kind>, inbox <id>.in.<kind>
    FLAT = "flat"  # key <id>, inbox <id>.<kind>


class Format(StrEnum):
    """What a client reads and writes."""

    JSON = "json"
    XML = "xml"


class Client(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One client of the hub. `id` is also its user on the broker and the CN of its certificate."""

    id: str
    editor: str = ""
    naming: Naming = Naming.IN_OUT
    format: Format | None = None
    """None: JSON for health clients, XML for everybody else (`wire_format` decides)."""
    test: bool = False
    """True: `hubex recv` may read its inboxes. Never true for a client with a real consumer."""
    direct_cisu: bool = False
    vhosts: tuple[str, ...] = ()
    """The vhosts it is on; empty means all."""

    @property
    def wire_format(self) -> Format:
        if self.format is not None:
            return self.format
        return Format.JSON if self.is_health else Format.XML

    @property
    def is_health(self) -> bool:
        return self.id.startswith(names.HEALTH_PREFIX)

    @property
    def publish_keys(self) -> tuple[str, ...]:
        """Every routing key it may publish with, and that its shard is bound by."""
        if self.naming is Naming.FLAT:
            return (self.id,)
        return tuple(names.in_out_key(self.id, kind) for kind in names.KINDS)

    @property
    def inboxes(self) -> tuple[str, ...]:
        """Its three queues, in the order of `names.KINDS`."""
        return tuple(self.inbox(kind) for kind in names.KINDS)

    def inbox(self, kind: str) -> str:
        if self.naming is Naming.FLAT:
            return names.flat_inbox(self.id, kind)
        return names.in_out_inbox(self.id, kind)

    def is_on(self, vhost: str) -> bool:
        return not self.vhosts or vhost in self.vhosts


class KeyOwner(Struct, frozen=True):
    """Whose a routing key is. `kind` is the kind the key names (`in-out`), or None (`flat`: the key names
    no kind)."""

    client: Client
    kind: str | None


class Rule(StrEnum):
    """What a directory can get wrong."""

    CHARACTERS = "characters"
    LENGTH = "length"
    WILDCARD = "wildcard"
    RESERVED = "reserved"
    DUPLICATE = "duplicate"
    COLLISION = "collision"


class DirectoryFault(Struct, frozen=True):
    client_id: str
    rule: Rule
    detail: str
    """What is wrong and what would be right, as a clause that reads on after `client <id>: `."""

    def __str__(self) -> str:
        return f"client {self.client_id!r}: {self.detail}"


class DirectoryError(ValueError):
    """The directory cannot be used. `faults` has every reason, never just the first."""

    def __init__(self, faults: Sequence[DirectoryFault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


ID_PATTERN: Final = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_LONGEST_SUFFIX_BYTES = len(".out.message")


def faults_of(clients: Iterable[Client], extra_ids: Iterable[str] = ()) -> tuple[DirectoryFault, ...]:
    """All faults of a list of clients, in their order; `()` when it can be used.

    `extra_ids` are ids allowed though they have characters that `ID_PATTERN` does not know (never control
    characters or blanks, never a topic wildcard). Collisions are looked for over all vhosts together: a
    name means one client.
    """
    allowed = frozenset(extra_ids)
    clients = tuple(clients)
    faults = [fault for client in clients for fault in _faults_of_id(client.id, allowed)]
    return (*faults, *_collisions(clients))


def _faults_of_id(client_id: str, extra_ids: frozenset[str]) -> Iterable[DirectoryFault]:
    if not client_id or _CONTROL.search(client_id):
        yield DirectoryFault(client_id, Rule.CHARACTERS, "an id is not empty and has no blank or control character")
    elif not ID_PATTERN.fullmatch(client_id) and client_id not in extra_ids:
        yield DirectoryFault(
            client_id,
            Rule.CHARACTERS,
            f"an id matches {ID_PATTERN.pattern}; to allow this one as it is, add it to directory.extra_ids",
        )
    if any(word in ("*", "#") for word in client_id.split(".")):
        yield DirectoryFault(client_id, Rule.WILDCARD, "the words * and # would bind other clients' keys")
    if len(client_id.encode()) + _LONGEST_SUFFIX_BYTES > names.NAME_MAX_BYTES:
        limit = names.NAME_MAX_BYTES - _LONGEST_SUFFIX_BYTES
        yield DirectoryFault(client_id, Rule.LENGTH, f"an id has at most {limit} bytes")
    if client_id == names.HUB_ID or client_id.startswith(names.HUB_PREFIXES):
        reserved = ", ".join((names.HUB_ID, *(f"{prefix}*" for prefix in names.HUB_PREFIXES)))
        yield DirectoryFault(client_id, Rule.RESERVED, f"the names {reserved} are the hub's own")


def _collisions(clients: tuple[Client, ...]) -> Iterable[DirectoryFault]:
    seen: set[str] = set()
    keys: dict[str, str] = {}
    inboxes: dict[str, str] = {}
    for client in clients:
        if client.id in seen:
            yield DirectoryFault(client.id, Rule.DUPLICATE, "is listed more than once")
            continue
        seen.add(client.id)
        for kind, taken, wanted in (
            ("publish key", keys, client.publish_keys),
            ("inbox", inboxes, client.inboxes),
        ):
            for name in wanted:
                owner = taken.setdefault(name, client.id)
                if owner != client.id:
                    detail = f"its {kind} {name!r} is also that of client {owner!r}"
                    yield DirectoryFault(client.id, Rule.COLLISION, detail)


class Directory:
    """The clients of one vhost. Raises DirectoryError when two of them would share a name.

    Ids are not checked here (the reader of the file does, it knows the allowed exceptions: `faults_of`).
    """

    __slots__ = ("_inboxes", "_owners", "by_id", "clients", "vhost")

    def __init__(self, clients: Iterable[Client], vhost: str) -> None:
        self.vhost = vhost
        self.clients = tuple(client for client in clients if client.is_on(vhost))
        if faults := tuple(_collisions(self.clients)):
            raise DirectoryError(faults)
        self.by_id: Mapping[str, Client] = MappingProxyType({client.id: client for client in self.clients})
        self._owners = {key: owner for client in self.clients for key, owner in _owned_keys(client)}
        self._inboxes = {(client.id, kind): client.inbox(kind) for client in self.clients for kind in names.KINDS}

    def sender_of_key(self, key: str) -> KeyOwner | None:
        """Whose key this is, or None when no client of this vhost may publish with it."""
        return self._owners.get(key)

    def inbox(self, recipient_id: str, kind: str) -> str:
        """The queue for a recipient. One that the directory does not know gets its `in-out` name: no queue
        has it, so the mandatory publish comes back, and the refusal can name the queue."""
        return self._inboxes.get((recipient_id, kind)) or names.in_out_inbox(recipient_id, kind)

    def __len__(self) -> int:
        return len(self.clients)

    def __contains__(self, client_id: object) -> bool:
        return client_id in self.by_id


def _owned_keys(client: Client) -> Iterable[tuple[str, KeyOwner]]:
    if client.naming is Naming.FLAT:
        yield client.id, KeyOwner(client, None)
    else:
        for kind in names.KINDS:
            yield names.in_out_key(client.id, kind), KeyOwner(client, kind)
