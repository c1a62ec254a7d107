"""The broker's objects as values, the same for what should be and for what is. Two are equal when the
broker would treat them alike."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class Exchange(Struct, frozen=True):
    """A durable exchange without arguments of its own."""

    name: str
    type: str


class Queue(Struct, frozen=True):
    """A durable quorum queue. Only what can never be changed is an argument; all else is policy."""

    name: str
    single_active: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if self.single_active:
            arguments["x-single-active-consumer"] = True
        return arguments


class Binding(Struct, frozen=True):
    """From an exchange to a queue."""

    source: str
    queue: str
    key: str


class Policy(Struct, frozen=True):
    name: str
    pattern: str
    apply_to: str
    priority: int
    definition: Mapping[str, str | int]


class Rights(Struct, frozen=True):
    """What a user may do in a vhost: three patterns."""

    user: str
    configure: str
    write: str
    read: str


class TopicRights(Struct, frozen=True):
    """Which routing keys a user may publish with on a topic exchange."""

    user: str
    exchange: str
    write: str
    read: str


# ---- what is --------------------------------------------------------------------------------------


class ActualQueue(Struct, frozen=True):
    """A queue as the management API tells it. `messages` None: not counted yet (it is up to 10 s old)."""

    name: str
    durable: bool = True
    auto_delete: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)
    messages: int | None = None
    message_bytes: int | None = None


class ActualExchange(Struct, frozen=True):
    name: str
    type: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


class ActualVhost(Struct, frozen=True):
    """What a vhost has now. `exists` False: nothing, not even the vhost."""

    name: str
    exists: bool = True
    exchanges: tuple[ActualExchange, ...] = ()
    queues: tuple[ActualQueue, ...] = ()
    bindings: frozenset[Binding] = frozenset()
    policies: tuple[Policy, ...] = ()
    rights: frozenset[Rights] = frozenset()
    topic_rights: frozenset[TopicRights] = frozenset()


class Actual(Struct, frozen=True):
    """What the broker has now. `users` maps each user to its tags; `other_rights` are users with rights in
    vhosts that are not the hub's; `disk_free_bytes` is that of the fullest node above its limit, None when
    no node tells."""

    vhosts: Mapping[str, ActualVhost]
    users: Mapping[str, tuple[str, ...]]
    other_rights: frozenset[str] = frozenset()
    disk_free_bytes: int | None = None
